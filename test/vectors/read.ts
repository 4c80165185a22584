/** What the tests of the vectors share. @module */
import { expect } from 'vitest'
import type { Suite } from '../../src/transform/suite.ts'
import { unhex } from '../reference/bytes.ts'
import { genuineFromSeeds, vectorFromSeed } from '../reference/inputs.ts'

export { hex, unhex } from '../reference/bytes.ts'

/** Little-endian int32, for digests of integers. */
export function int32Bytes(values: Int32Array): Uint8Array {
  const view = new DataView(new ArrayBuffer(4 * values.length))
  values.forEach((value, i) => {
    view.setInt32(4 * i, value, true)
  })
  return new Uint8Array(view.buffer)
}

export function float64Bytes(values: ArrayLike<number>): Uint8Array {
  const view = new DataView(new ArrayBuffer(8 * values.length))
  for (let i = 0; i < values.length; i++) view.setFloat64(8 * i, values[i] as number, true)
  return new Uint8Array(view.buffer)
}

/** A vector from its bytes, or from a seed and perhaps a noise seed. */
export function sampleOf(sample: string | readonly number[], d: number): Float64Array {
  if (typeof sample === 'string') {
    const bytes = unhex(sample)
    return new Float64Array(bytes.slice().buffer)
  }
  const [seed, noise] = sample
  return Float64Array.from(
    noise === undefined ? vectorFromSeed(seed as number, d) : genuineFromSeeds(seed as number, noise, d),
  )
}

export function suiteOf(name: string): Suite {
  return name as Suite
}

/** The error must be one of ours, and the one that is named if one is. */
export function expectRefused(call: () => unknown, code: string | null, name: string): void {
  let thrown: unknown
  try {
    call()
  } catch (error) {
    thrown = error
  }
  expect(thrown, name).toBeInstanceOf(Error)
  expect((thrown as { code?: string }).code, name).toMatch(
    code === null ? /^ERR_[A-Z]+_[A-Z_]+$/ : new RegExp(`^${code}$`),
  )
}
