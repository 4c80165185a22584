/** Runs alterations through decoders and keeps what went wrong (SPEC §9). @module */
import { GuiseError } from 'guise'
import { equalBytes, toHex } from '../../src/base/bytes.ts'
import type { Decoder } from './decoders.ts'
import { hostileRows, mutate } from './fuzz.ts'

export interface FuzzTally {
  readonly name: string
  tried: number
  read: number
  /** Neither a value nor an error of the library, another encoding of the same, or too slow. */
  readonly faults: string[]
}

const CODE = /^ERR_(?:RECORD|KEYS|AUDIT|POLICY|EVALUATE|GALLERY|CAPTURE)_[A-Z_]+$/
const MOST_MS = 50
const MOST_FAULTS = 5

/** Tries hostile bytes, then `count` alterations of the decoder's seed. */
export function fuzz(name: string, decoder: Decoder, count: number, draw: () => number): FuzzTally {
  const { seed, wrap = (body: Uint8Array) => body, decode, encode } = decoder
  const tally: FuzzTally = { name, tried: 0, read: 0, faults: [] }
  const one = (body: Uint8Array): void => {
    const given = wrap(body)
    tally.tried++
    const begun = performance.now()
    try {
      const value = decode(given)
      tally.read++
      if (encode !== undefined && !equalLengths(encode(value as never), given)) {
        complain(tally, 'another encoding', body)
      }
    } catch (error) {
      if (!isTyped(error)) complain(tally, String(error), body)
    }
    if (performance.now() - begun > MOST_MS && fastestOf(decode, given) > MOST_MS)
      complain(tally, 'slow', body)
  }
  const { stackTraceLimit } = Error
  // Most of the time would go into stacks that nobody reads.
  Error.stackTraceLimit = 0
  for (const row of hostileRows()) one(row)
  for (let i = 0; i < count && tally.faults.length < MOST_FAULTS; i++) one(mutate(seed, draw))
  Error.stackTraceLimit = stackTraceLimit
  return tally
}

/** The same for a decoder whose answer comes later. */
export async function fuzzLater(
  name: string,
  decoder: Pick<Decoder, 'seed' | 'wrap' | 'decode'>,
  count: number,
  draw: () => number,
): Promise<FuzzTally> {
  const { seed, wrap = (body: Uint8Array) => body, decode } = decoder
  const tally: FuzzTally = { name, tried: 0, read: 0, faults: [] }
  const one = async (body: Uint8Array): Promise<void> => {
    tally.tried++
    try {
      await decode(wrap(body))
      tally.read++
    } catch (error) {
      if (!isTyped(error)) complain(tally, String(error), body)
    }
  }
  for (const row of hostileRows()) await one(row)
  for (let i = 0; i < count; i++) await one(mutate(seed, draw))
  return tally
}

function isTyped(error: unknown): boolean {
  return error instanceof GuiseError && CODE.test(error.code)
}

function equalLengths(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && equalBytes(one, other)
}

/** A busy machine only ever adds. */
function fastestOf(decode: Decoder['decode'], given: Uint8Array): number {
  let fastestMs = Number.POSITIVE_INFINITY
  for (let i = 0; i < 5; i++) {
    const begun = performance.now()
    try {
      decode(given)
    } catch {
      // Only the time counts.
    }
    fastestMs = Math.min(fastestMs, performance.now() - begun)
  }
  return fastestMs
}

function complain({ faults }: FuzzTally, why: string, body: Uint8Array): void {
  if (faults.length < MOST_FAULTS) faults.push(`${why}: ${toHex(body.subarray(0, 512))}`)
}
