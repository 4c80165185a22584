/** Synthetic vectors and vaults that hold them. @module */

import { rmSync } from 'node:fs'
import { mkdir, mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { toHex } from '../../dist/base/bytes.js'
import { checkModel } from '../../dist/embedding/model.js'
import {
  allowHighFalseMatchRate,
  allowUnattestedCapture,
  type Bits,
  createKeyring,
  type EnrollRequest,
  embedding,
  type GalleryOptions,
  type KeyProvider,
  logSigner,
  type Model,
  type OperatingPoint,
  openKeyring,
  type Store,
  type VaultOptions,
  type VerifyRequest,
} from '../../dist/index.js'
import { memoryKeyProvider, syntheticPeople } from '../../dist/testing.js'

/** A person who does not exist. */
export interface Person {
  readonly subject: string
  readonly vector: Float32Array
}

export const PURPOSE = 'login'
const DAY_MS = 86_400_000
/** Limits so wide that what is timed is never a refusal. */
const ATTEMPTS = { consecutive: 100, total: 1000, generation: 100_000, realmPerHour: 1_000_000_000 }

/** Template and member code share the dimensions. */
export const GALLERY_SHAPE = { bits: 256, dimensions: 512, custody: 'operator' } as const

/** A gallery of any size. Its thresholds were measured on nobody: they serve to take times. */
export function galleryOptions(): GalleryOptions {
  const { falseMatchRate, source, model, meanHash, probeClass, threshold } = operatingPoint(
    modelOf(GALLERY_SHAPE.dimensions),
    GALLERY_SHAPE.bits,
  )
  const same = { model, meanHash, probeClass, threshold, source, falsePositiveRate: falseMatchRate }
  const { bits } = GALLERY_SHAPE
  const point = { ...same, bits, galleryBits: bits, scanThreshold: 4000, gallerySize: 10_000_000 }
  const limits = { limit: 10_000_000, queriesPerHour: 1_000_000 }
  return { purpose: 'bench', basis: 'consent', points: [point], ...limits }
}

/** Seeded vectors of nobody, one for each person. */
export async function makePeople(seed: string, count: number, dimensions = 512): Promise<readonly Person[]> {
  const people: Person[] = []
  const dataset = syntheticPeople({ seed, subjects: count, samples: 1, dimensions })
  for await (const { subject, vector } of dataset.read()) people.push({ subject, vector })
  return people
}

/** The person of a turn, over and over. */
export function pick<Item>(items: readonly Item[], turn: number): Item {
  return items[turn % items.length] as Item
}

export function modelOf(dimensions: number): Model {
  return { id: 'synthetic@1', dimensions, metric: 'cosine' }
}

/** A keyring on the store, a new one unless `how` is `open`, and the options that open a vault on both. */
export async function vaultOptions(
  store: Store,
  shape: { readonly bits: Bits; readonly dimensions: number; readonly custody: 'operator' | 'holder' },
  provider: KeyProvider = memoryKeyProvider(),
  how: 'create' | 'open' = 'create',
): Promise<VaultOptions> {
  const find = how === 'open' ? openKeyring : createKeyring
  const keyring = await find({ realm: 'bench', provider, store })
  const model = modelOf(shape.dimensions)
  return {
    keyring,
    store,
    model,
    purpose: PURPOSE,
    bits: shape.bits,
    custody: { profile: shape.custody },
    operatingPoints: [operatingPoint(model, shape.bits)],
    attempts: ATTEMPTS,
    logSigner: await logSigner('bench.example/guise', new Uint8Array(32).fill(3)),
    [allowHighFalseMatchRate]: true,
  }
}

export function enrollRequest(person: Person, options: { readonly holder?: boolean } = {}): EnrollRequest {
  const { subject, vector } = person
  const now = Date.now()
  return {
    subject,
    embedding: embedding(vector, modelOf(vector.length)),
    [allowUnattestedCapture]: true,
    basis: {
      kind: 'consent',
      purpose: PURPOSE,
      grantedAt: new Date(now - DAY_MS),
      expiresAt: new Date(now + DAY_MS),
      noticeVersion: '2026-01',
      evidence: new Uint8Array(32).fill(7),
      separateConsent: true,
    },
    ...(options.holder === true ? { holderShare: async () => new Uint8Array(32).fill(9) } : {}),
  }
}

/** A probe with the vector of `face`, presented as `subject`. */
export function verifyRequest(subject: string, face: Person): VerifyRequest {
  const { vector } = face
  return { subject, embedding: embedding(vector, modelOf(vector.length)), [allowUnattestedCapture]: true }
}

/** Runs `task` with a new folder, which is removed afterwards. */
export async function withFolder<Result>(
  parent: string,
  task: (folder: string) => Promise<Result>,
): Promise<Result> {
  await mkdir(parent, { recursive: true })
  const folder = await mkdtemp(join(parent, 'guise-bench-'))
  try {
    return await task(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The threshold was measured on nobody: it serves to take times, not to admit people. */
function operatingPoint(model: Model, bits: Bits): OperatingPoint {
  return {
    model: model.id,
    meanHash: toHex(checkModel(model).meanHash),
    suite: 'B4',
    bits,
    probeClass: 'any',
    threshold: 4500,
    falseMatchRate: { value: 1e-4, low: 5e-5, high: 2e-4, trials: 100_000, confidence: 0.95 },
    source: 'none: synthetic vectors',
  } as unknown as OperatingPoint
}
