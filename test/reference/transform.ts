/** The keyed rotation, step by step (SPEC §5). @module */
import { concat, lp, Refused } from './bytes.ts'
import { turboshake } from './hashes.ts'

export type Suite = 'B4' | 'B6'

export const SIZES: readonly number[] = [64, 128, 256, 512, 1024]

function roundsOf(suite: string): number {
  if (suite === 'B4') return 4
  if (suite === 'B6') return 6
  throw new Refused('ERR_TRANSFORM_SUITE', 'unknown suite')
}

export function checkSize(m: number): void {
  if (!SIZES.includes(m)) throw new Refused('ERR_TEMPLATE_BITS', 'm')
}

/** n: the next power of two ≥ max(d, m). */
export function lengthOf(d: number, m: number): number {
  let n = 1
  while (n < d || n < m) n = 2 * n
  return n
}

/** log2 of a power of two. */
export function log2(n: number): number {
  let exponent = 0
  while (2 ** exponent < n) exponent = exponent + 1
  return exponent
}

/** `stream`: the bits of every round, then the mask. */
export function keyStream(suite: string, rotationKey: Uint8Array, n: number, m: number): Uint8Array {
  const R = roundsOf(suite)
  checkSize(m)
  if (rotationKey.length !== 32) throw new Refused('ERR_TRANSFORM_KEY', 'rotation key')
  const length = (R * ((n / 2) * log2(n) + n)) / 8 + m / 8
  return turboshake(concat(lp(`guise/v1/${suite}`), rotationKey), length)
}

/** The integers after each step of one round. */
export interface Round {
  readonly butterfly: readonly number[]
  readonly signs: readonly number[]
  readonly hadamard: readonly number[]
  /** The right shift of step 4. */
  readonly shift: number
  readonly scaled: readonly number[]
}

export interface Rotation {
  readonly rounds: readonly Round[]
  readonly values: readonly number[]
}

/** Procedure `rotate(z)`, with everything that it passes through. */
export function rotate(z: readonly number[], suite: string, n: number, stream: Uint8Array): Rotation {
  const R = roundsOf(suite)
  const L = log2(n)
  const bit = bitReader(stream)
  const rounds: Round[] = []
  let v: number[] = [...z]
  while (v.length < n) v.push(0)
  for (let r = 1; r <= R; r++) {
    const butterfly = butterflyStep(v, bit)
    const signs = butterfly.map((value) => (bit() === 1 ? 0 - value : value))
    const hadamard = hadamardStep(signs)
    const shift = Math.floor((r * L) / 2) - Math.floor(((r - 1) * L) / 2)
    // A quotient by a power of two is exact in a double, so that floor gives ⌊x / 2^s⌋ for negatives as well.
    const scaled = hadamard.map((value) => Math.floor((value + 2 ** (shift - 1)) / 2 ** shift))
    for (const value of hadamard) if (Math.abs(value) >= 2 ** 31) throw new RangeError('does not fit 32 bits')
    rounds.push({ butterfly, signs, hadamard, shift, scaled })
    v = scaled
  }
  return { rounds, values: v }
}

/** Bits byte by byte, least significant first. */
function bitReader(stream: Uint8Array): () => number {
  let taken = 0
  return () => {
    const byte = stream[Math.floor(taken / 8)]
    if (byte === undefined) throw new RangeError('key stream too short')
    const bit = Math.floor(byte / 2 ** (taken % 8)) % 2
    taken = taken + 1
    return bit
  }
}

function butterflyStep(input: readonly number[], bit: () => number): number[] {
  const v = [...input]
  for (let h = v.length / 2; h >= 1; h = h / 2) {
    for (let i = 0; i < v.length; i++) {
      if ((i & h) !== 0) continue
      if (bit() === 1) {
        const kept = v[i] as number
        v[i] = v[i + h] as number
        v[i + h] = kept
      }
    }
  }
  return v
}

function hadamardStep(input: readonly number[]): number[] {
  const v = [...input]
  for (let h = 1; h < v.length; h = 2 * h) {
    for (let i = 0; i < v.length; i++) {
      if ((i & h) !== 0) continue
      const a = v[i] as number
      const b = v[i + h] as number
      v[i] = a + b
      v[i + h] = a - b
    }
  }
  return v
}
