/** How the vectors and the agreement test make their inputs (not part of SPEC). @module */
import { concat, u32be, utf8 } from './bytes.ts'
import { turboshake } from './hashes.ts'

/**
 * state_0 = seed; state_{i+1} = (1664525 × state_i + 1013904223) mod 2^32;
 * x_i = (⌊state_{i+1} ÷ 2^8⌋ − 2^23) ÷ 2^20. Every x_i lies in [−8, 8) and is exact in a float32.
 */
export function vectorFromSeed(seed: number, d: number): number[] {
  const x: number[] = []
  let state = BigInt(seed)
  for (let i = 0; i < d; i++) {
    state = (1664525n * state + 1013904223n) % 4294967296n
    x.push((Number(state / 256n) - 8388608) / 1048576)
  }
  return x
}

/** A probe of the same person: the reference’s vector plus another one of the same size, exact in doubles. */
export function genuineFromSeeds(seed: number, noise: number, d: number): number[] {
  const e = vectorFromSeed(noise, d)
  return vectorFromSeed(seed, d).map((x, i) => x + (e[i] as number))
}

/** Fixed "random" bytes for keys and nonces, named by what they are for. */
export function bytesFor(name: string, length: number): Uint8Array {
  return turboshake(concat(u32be(length), utf8(name)), length)
}
