/** B10: many codes and no pairs, aligned with what is known of the population (SPEC §15.7). @module */

import type { People } from '../../../src/evaluate/people.ts'
import { SeededRandom, seededKey } from '../../../src/evaluate/random.ts'
import type { Bits } from '../../../src/policy/operating-point.ts'
import { encodeReference } from '../../../src/template/template.ts'
import { combine, dot, type Matrix, matrix, row } from '../matrix.ts'
import { cosine, facesOf, setSigns } from './faces.ts'
import { axes } from './guesses.ts'
import { integersAt } from './halves.ts'
import { meanOf, type Scenario } from './measure.ts'

const AXES = 16
const KNOWN = 4
const TARGETS = 200
/** One key that every record shares is what B4 is never used with; the attack is on exactly that. */
const SUITE = 'B4'

export const unsupervised: Scenario = {
  attack: 'B10',
  title:
    'codes without pairs: correlations of their bits, aligned with the axes of the population; four known pairs for the signs',
  ofPeople: true,
  run: async ({ seed, crowd }) => {
    const people = await crowd()
    const bits: Bits = people.dimensions >= 512 ? 512 : people.dimensions >= 256 ? 256 : 128
    const order = shuffled(people.count, seed)
    const targets = order.slice(0, TARGETS)
    const known = order.slice(TARGETS, TARGETS + KNOWN)
    const rest = order.slice(TARGETS + KNOWN)
    // The thief's own faces tell the axes; the stolen codes are of others.
    const own = rest.slice(0, Math.floor(rest.length / 3))
    const stolen = rest.slice(own.length)
    const main = axes(momentsOf(people, own), AXES)
    return (['one key', 'own keys'] as const).map((keys) => {
      const key = (sample: number): Uint8Array => seededKey(seed, 10, keys === 'one key' ? 0 : sample + 1)
      const codesOf = (samples: readonly number[]): Matrix => signsOf(people, samples, bits, key)
      const found = axes(correlations(codesOf(stolen)), AXES)
      const signs = signsBy(found, main, codesOf(known), facesOf(people, known))
      const codes = codesOf(targets)
      const faces = facesOf(people, targets)
      const cosines = targets.map((_, i) => {
        const weights = found.map((axis, k) => (signs[k] as number) * dot(axis, row(codes, i)))
        return cosine(combine(stacked(main), weights), row(faces, i))
      })
      return meanOf(`${keys}: cosine`, cosines)
    })
  },
}

/** sin(π/2 · mean product) of two bits: the correlation of the values whose signs they are. */
function correlations(codes: Matrix): Matrix {
  const words = Math.ceil(codes.rows / 32)
  const packed = Array.from({ length: codes.columns }, () => new Uint32Array(words))
  for (let i = 0; i < codes.rows; i++) {
    const code = row(codes, i)
    for (let bit = 0; bit < codes.columns; bit++) {
      if ((code[bit] as number) < 0) continue
      const column = packed[bit] as Uint32Array
      column[i >> 5] = ((column[i >> 5] as number) | (1 << (i & 31))) >>> 0
    }
  }
  const values = matrix(codes.columns, codes.columns)
  for (let a = 0; a < codes.columns; a++) {
    for (let b = 0; b <= a; b++) {
      const differing = differences(packed[a] as Uint32Array, packed[b] as Uint32Array)
      const value = Math.sin((Math.PI / 2) * (1 - (2 * differing) / codes.rows))
      values.data[a * codes.columns + b] = value
      values.data[b * codes.columns + a] = value
    }
  }
  return values
}

function differences(a: Uint32Array, b: Uint32Array): number {
  let count = 0
  for (let i = 0; i < a.length; i++) {
    let word = (a[i] as number) ^ (b[i] as number)
    word -= (word >>> 1) & 0x55555555
    word = (word & 0x33333333) + ((word >>> 2) & 0x33333333)
    count += (((word + (word >>> 4)) & 0x0f0f0f0f) * 0x01010101) >>> 24
  }
  return count
}

function signsBy(
  found: readonly Float64Array[],
  main: readonly Float64Array[],
  codes: Matrix,
  faces: Matrix,
): readonly number[] {
  return found.map((axis, k) => {
    let sum = 0
    for (let i = 0; i < codes.rows; i++) {
      sum += dot(axis, row(codes, i)) * dot(main[k] as Float64Array, row(faces, i))
    }
    return sum >= 0 ? 1 : -1
  })
}

function signsOf(
  people: People,
  samples: readonly number[],
  bits: Bits,
  key: (sample: number) => Uint8Array,
): Matrix {
  const codes = matrix(samples.length, bits)
  for (const [i, sample] of samples.entries()) {
    setSigns(encodeReference(integersAt(people, sample), SUITE, bits, key(sample)), row(codes, i))
  }
  return codes
}

function momentsOf(people: People, samples: readonly number[]): Matrix {
  const { dimensions, units } = people
  const sums = matrix(dimensions, dimensions)
  for (const sample of samples) {
    const face = Float64Array.from(units.subarray(sample * dimensions, (sample + 1) * dimensions))
    for (let i = 0; i < dimensions; i++) {
      const factor = face[i] as number
      for (let j = 0; j <= i; j++) {
        sums.data[i * dimensions + j] =
          (sums.data[i * dimensions + j] as number) + factor * (face[j] as number)
      }
    }
  }
  return matrix(
    dimensions,
    dimensions,
    (i, j) => sums.data[Math.max(i, j) * dimensions + Math.min(i, j)] as number,
  )
}

function stacked(rows: readonly Float64Array[]): Matrix {
  return matrix(rows.length, rows[0]?.length ?? 0, (i, j) => rows[i]?.[j] as number)
}

function shuffled(count: number, seed: string): readonly number[] {
  const random = new SeededRandom(seed, 'alignment')
  const order = Array.from({ length: count }, (_, i) => i)
  for (let i = count - 1; i > 0; i--) {
    const j = random.below(i + 1)
    const held = order[i] as number
    order[i] = order[j] as number
    order[j] = held
  }
  return order
}
