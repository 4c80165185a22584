/** Reference code, probe code, defaults (SPEC §6). @module */
import { Refused, xor } from './bytes.ts'
import { checkSize, keyStream, lengthOf, rotate, SIZES } from './transform.ts'

const STEP: Readonly<Record<number, number>> = {
  64: 43909,
  128: 31048,
  256: 21955,
  512: 15524,
  1024: 10977,
  2048: 7762,
  4096: 5489,
}

/** Δ by n. */
export function stepOf(n: number): number {
  const step = STEP[n]
  if (step === undefined) throw new RangeError('n')
  return step
}

/** The default m: the largest allowed value ≤ min(d, 512). */
export function defaultBits(d: number): number {
  let best = 64
  for (const m of SIZES) if (m <= d && m <= 512) best = m
  return best
}

/** TEMPLATE-2: m > d only for a caller who says so. */
export function checkBits(d: number, m: number, overcomplete = false): void {
  checkSize(m)
  if (m > d && !overcomplete) throw new Refused('ERR_TEMPLATE_OVERCOMPLETE', 'm > d')
}

/** Bit j is 1 when v_j ≥ 0; bit (j mod 8) of byte ⌊j/8⌋. */
export function signBits(v: readonly number[], m: number): Uint8Array {
  const bits = new Uint8Array(m / 8)
  for (let j = 0; j < m; j++) {
    const byte = Math.floor(j / 8)
    if ((v[j] as number) >= 0) bits[byte] = (bits[byte] as number) + 2 ** (j % 8)
  }
  return bits
}

/** The last m/8 bytes of the stream. */
export function maskOf(stream: Uint8Array, m: number): Uint8Array {
  return stream.slice(stream.length - m / 8)
}

/** q_j of the probe. */
export function quantise(v: readonly number[], m: number): number[] {
  const step = stepOf(v.length)
  const q: number[] = []
  for (let j = 0; j < m; j++) {
    const value = v[j] as number
    const magnitude = Math.min(7, Math.floor((2 * Math.abs(value) + step) / (2 * step)))
    q.push(value < 0 && magnitude !== 0 ? -magnitude : magnitude)
  }
  return q
}

/** The stored code of a reference: bits XOR mask. */
export function referenceCode(
  z: readonly number[],
  suite: string,
  m: number,
  rotationKey: Uint8Array,
): Uint8Array {
  const n = lengthOf(z.length, m)
  const stream = keyStream(suite, rotationKey, n, m)
  return xor(signBits(rotate(z, suite, n, stream).values, m), maskOf(stream, m))
}

export interface Probe {
  readonly q: readonly number[]
  readonly mask: Uint8Array
}

export function probeCode(z: readonly number[], suite: string, m: number, rotationKey: Uint8Array): Probe {
  const n = lengthOf(z.length, m)
  const stream = keyStream(suite, rotationKey, n, m)
  return { q: quantise(rotate(z, suite, n, stream).values, m), mask: maskOf(stream, m) }
}
