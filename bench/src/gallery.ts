/** Synthetic galleries: codes of nobody in an index, and people of nobody in a store. @module */

import { toHex } from '../../dist/base/bytes.js'
import { committingOpen, committingSeal } from '../../dist/crypto/committing.js'
import { cryptoReady } from '../../dist/crypto/sodium.js'
import { embedding, toIntegers } from '../../dist/embedding/embedding.js'
import { checkModel } from '../../dist/embedding/model.js'
import { GalleryTable, type TableOptions } from '../../dist/gallery/table.js'
import {
  allowOvercomplete,
  type createKeyring,
  type GalleryOptions,
  type IdentificationPoint,
  type KeyProvider,
  type VaultOptions,
} from '../../dist/index.js'
import { packSealed, unpackSealed } from '../../dist/keys/sealed.js'
import { modelOf, vaultOptions } from './people.ts'

export const DIMENSIONS = 512
export const BITS = 512
export const CAPACITY = 32
/** No stranger reaches it, everybody does with another capture. */
export const THRESHOLD = 4000

/** Numbers without order, the same for every seed (xorshift). */
function words(seed: number): () => number {
  let state = Math.imul(seed + 1, 0x9e37_79b1) | 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state
  }
}

/** The vector of a person by number, and of another capture of the same. */
export function faceOf(person: number, capture = 0): Float32Array {
  const [next, noise] = [words(person), words(1_000_003 * capture + person)]
  return Float32Array.from({ length: DIMENSIONS }, () => {
    const value = next() / 2 ** 31
    return capture === 0 ? value : value + 0.4 * (noise() / 2 ** 31)
  })
}

export function integersOf(person: number): Int32Array {
  return toIntegers(embedding(faceOf(person), modelOf(DIMENSIONS)))
}

/** An index of so many synthetic members, in full shards. */
export async function filledTable(members: number, options: TableOptions): Promise<GalleryTable> {
  await cryptoReady()
  const table = new GalleryTable(CAPACITY, BITS, options)
  const next = words(7)
  const fill = (bytes: Uint32Array): Uint8Array => {
    for (let i = 0; i < bytes.length; i++) bytes[i] = next()
    return new Uint8Array(bytes.buffer)
  }
  const [key, code, handle] = [new Uint32Array(8), new Uint32Array(16), new Uint32Array(4)]
  for (let member = 0; member < members; member++) {
    if (member % CAPACITY === 0) table.addShard(fill(key))
    table.addSlot(table.shards, { code: fill(code), handle: fill(handle) })
  }
  return table
}

/** Wraps under one key for ever: a second process opens what the first one wrote. */
function fixedProvider(): KeyProvider {
  const key = new Uint8Array(32).fill(9)
  const label = 'guise/bench'
  return {
    id: 'bench',
    async wrap(secret, context) {
      await cryptoReady()
      return packSealed(committingSeal(key, label, context, secret))
    },
    async unwrap(wrapped, context) {
      await cryptoReady()
      const opened = committingOpen(key, label, context, unpackSealed(wrapped))
      if (opened === undefined) throw new Error('the key does not fit')
      return opened
    },
    destroy: () => Promise.reject(new Error('nothing is destroyed here')),
  }
}

/** Options of a vault with a gallery; templates and member codes have as many bits as there are dimensions. */
export async function galleryOptions(
  store: Parameters<typeof createKeyring>[0]['store'],
  how: 'create' | 'open',
  gallery: Partial<GalleryOptions>,
): Promise<VaultOptions> {
  const shape = { bits: BITS, dimensions: DIMENSIONS, custody: 'operator' } as const
  const model = modelOf(DIMENSIONS)
  const point = {
    model: model.id,
    meanHash: toHex(checkModel(model).meanHash),
    bits: BITS,
    galleryBits: BITS,
    probeClass: 'any',
    scanThreshold: THRESHOLD,
    threshold: THRESHOLD,
    gallerySize: 10_000_000,
    falsePositiveRate: { value: 5e-4, low: 1e-4, high: 1e-3, trials: 10_000, confidence: 0.95 },
    source: 'none: synthetic vectors',
  } as unknown as IdentificationPoint
  return {
    ...(await vaultOptions(store, shape, fixedProvider(), how)),
    gallery: {
      purpose: 'bench',
      basis: 'consent',
      limit: 10_000_000,
      points: [point],
      bits: BITS,
      queriesPerHour: 1_000_000,
      ...gallery,
    },
    [allowOvercomplete]: true,
  }
}
