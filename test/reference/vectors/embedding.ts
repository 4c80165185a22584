/** Vectors of the embedding: centred vector, norm, unit vector, integers, fusion, mean hash (SPEC §3). @module */
import { float32le, float64le, hex, int32le, Refused, readFloat64le, unhex } from '../bytes.ts'
import { fuse, integers, meanHash, unit } from '../embedding.ts'
import { sha256 } from '../hashes.ts'
import { genuineFromSeeds, vectorFromSeed } from '../inputs.ts'
import { type Json, type VectorFile, vectorFile } from './file.ts'

/** Values, with the seeds that they come from where they are too many to print. */
interface Seeded {
  readonly seeds: readonly number[]
  readonly x: readonly number[]
}

interface Case {
  readonly name: string
  readonly d: number
  readonly mean?: readonly number[]
  readonly samples: readonly (readonly number[] | Seeded)[]
}

function valuesOf(sample: readonly number[] | Seeded): readonly number[] {
  return 'x' in sample ? sample.x : sample
}

/** The vector of a seed, plus that of a noise seed if there is one. */
function seeded(d: number, seed: number, noise?: number): Seeded {
  if (noise === undefined) return { seeds: [seed], x: vectorFromSeed(seed, d) }
  return { seeds: [seed, noise], x: genuineFromSeeds(seed, noise, d) }
}

const ABOUT = [
  'samples: each a vector x, as float64, little-endian, in hexadecimal, or as a list of seeds: see transform.json; the',
  'vectors of two seeds are added, value by value. mean: float32, little-endian, or null.',
  'Expected of a single sample: y = x − mean, norm, u, as float64le; of several: u of the fused vector.',
  'integers: all of z for d = 64, the first eight beyond; integersSha256: SHA-256 of z as d int32, little-endian.',
  'negative: one fault each, refused with `code`.',
]

export function embeddingVectors(): VectorFile {
  return vectorFile('chapter 3', ABOUT, cases().map(expected), [...faults().map(refused), ...metrics()])
}

function input({ name, d, mean, samples }: Case): Record<string, Json> {
  return {
    name,
    dimensions: d,
    mean: mean === undefined ? null : hex(float32le(mean)),
    samples: samples.map((sample) => ('x' in sample ? sample.seeds : hex(float64le(sample)))),
  }
}

function expected(one: Case): Record<string, Json> {
  const units = one.samples.map((sample) => unit(valuesOf(sample), one.d, one.mean))
  const u = fuse(units.map((each) => each.u))
  const z = integers(u)
  const [only] = units
  const shown = one.d === 64 ? 64 : 8
  return {
    ...input(one),
    expected: {
      meanHash: hex(meanHash(one.d, one.mean)),
      ...(units.length === 1 && only !== undefined
        ? { centred: hex(float64le(only.centred.slice(0, shown))), norm: hex(float64le([only.norm])) }
        : {}),
      unit: hex(float64le(u.slice(0, shown))),
      integers: z.slice(0, shown),
      integersSha256: hex(sha256(int32le(z))),
    },
  }
}

function refused(one: Case & { readonly code: string }): Record<string, Json> {
  try {
    fuse(one.samples.map((sample) => unit(valuesOf(sample), one.d, one.mean).u))
  } catch (error) {
    if (error instanceof Refused && error.code === one.code) return { ...input(one), code: one.code }
    throw error
  }
  throw new RangeError(`${one.name} was not refused`)
}

/** d values, zero but for those given. */
function sparse(d: number, values: Readonly<Record<number, number>>): number[] {
  const x = new Array<number>(d).fill(0)
  for (const [i, value] of Object.entries(values)) x[Number(i)] = value
  return x
}

/** Integers whose squares sum to 2^42 exactly, odd ones first: u × 2^20 then falls on halves. */
function halves(d: number): number[] {
  const x: number[] = []
  let rest = 2 ** 42
  for (let i = 0; i < 40; i++) {
    const value = (i % 2 === 0 ? 1 : -1) * (2 * i + 1)
    x.push(value)
    rest = rest - value * value
  }
  while (rest > 0) {
    const root = Math.floor(Math.sqrt(rest))
    x.push(root)
    rest = rest - root * root
  }
  while (x.length < d) x.push(0)
  if (x.length !== d) throw new RangeError('halves')
  return x
}

/** The same with a value so near to 1 that adding one half rounds up to the next integer, in doubles. */
function nearHalf(d: number): number[] {
  const x: number[] = []
  let rest = 2 ** 42 - 1
  while (rest > 0) {
    const root = Math.floor(Math.sqrt(rest))
    x.push(root)
    rest = rest - root * root
  }
  while (x.length < d - 1) x.push(0)
  return [...x, 1 - 2 ** -53]
}

/** Magnitudes over forty powers of two, so that the order of the additions shows in the sum. */
function uneven(d: number): number[] {
  return vectorFromSeed(77, d).map((x, i) => x * 2 ** ((i * 7) % 40))
}

function scaledSeed(seed: number, d: number, scale: number): number[] {
  return vectorFromSeed(seed, d).map((x) => x * scale)
}

function cases(): Case[] {
  const d = 64
  const alternating = Array.from({ length: d }, (_, i) => (i % 2 === 0 ? 1 : -1))
  return [
    { name: 'd 64', d, samples: [vectorFromSeed(1, d)] },
    { name: 'd 64 with a mean', d, mean: scaledSeed(2, d, 1 / 64), samples: [vectorFromSeed(1, d)] },
    { name: 'd 64, a mean that is zero', d, mean: sparse(d, {}), samples: [vectorFromSeed(1, d)] },
    { name: 'd 65', d: 65, samples: [seeded(65, 3)] },
    { name: 'd 100', d: 100, samples: [seeded(100, 4)] },
    { name: 'd 128', d: 128, samples: [seeded(128, 5)] },
    { name: 'd 512 with a mean', d: 512, mean: scaledSeed(6, 512, 1 / 128), samples: [seeded(512, 7)] },
    { name: 'd 4096', d: 4096, samples: [seeded(4096, 8)] },
    { name: 'one value, all others zero', d, samples: [sparse(d, { 17: -3 })] },
    {
      name: 'negative zeros give zero without a sign',
      d,
      samples: [sparse(d, { 0: 1, 1: -0, 2: -(2 ** -40) })],
    },
    { name: 'all values equal', d, samples: [new Array<number>(d).fill(0.25)] },
    { name: 'alternating signs', d, samples: [alternating] },
    { name: 'halves round away from zero', d, samples: [halves(d)] },
    { name: 'just below one half rounds up in doubles', d, samples: [nearHalf(d)] },
    { name: 'the order of the sum shows', d, samples: [uneven(d)] },
    { name: 'norm exactly 2^-20', d, samples: [sparse(d, { 5: 2 ** -20 })] },
    { name: 'norm exactly 2^60', d, samples: [sparse(d, { 5: -(2 ** 60) })] },
    { name: 'tiny values', d, samples: [scaledSeed(9, d, 2 ** -20)] },
    { name: 'huge values', d, samples: [scaledSeed(9, d, 2 ** 53)] },
    {
      name: 'values below the smallest normal double vanish',
      d,
      samples: [sparse(d, { 0: 1, 9: 2 ** -1074 })],
    },
    { name: 'two samples fused', d, samples: [vectorFromSeed(10, d), genuineFromSeeds(10, 11, d)] },
    {
      name: 'three samples fused with a mean',
      d: 128,
      mean: scaledSeed(12, 128, 1 / 64),
      samples: [13, 14, 15].map((noise) => seeded(128, 5, noise)),
    },
    {
      name: 'two samples in the other order give the same',
      d,
      samples: [genuineFromSeeds(10, 11, d), vectorFromSeed(10, d)],
    },
    {
      name: 'five samples fused, left to right',
      d: 512,
      samples: [16, 17, 18, 19, 20].map((noise) => seeded(512, 7, noise)),
    },
    {
      name: 'two samples that nearly cancel out',
      d,
      samples: [sparse(d, { 0: 1 }), sparse(d, { 0: -1, 1: 2 ** -8 })],
    },
    { name: 'one sample fused is itself', d: 100, samples: [seeded(100, 4)] },
  ]
}

function faults(): (Case & { code: string })[] {
  const d = 64
  const x = vectorFromSeed(1, d)
  const at = (i: number, value: number): number[] => x.map((kept, j) => (j === i ? value : kept))
  const nan = (bits: string): number => readFloat64le(unhex(bits))[0] as number
  const value = { d, code: 'ERR_EMBEDDING_RANGE' }
  const norm = { d, code: 'ERR_EMBEDDING_NORM' }
  const shape = { code: 'ERR_EMBEDDING_LENGTH' }
  const opposite = x.map((each) => -each)
  return [
    { ...value, name: 'NaN first', samples: [at(0, Number.NaN)] },
    { ...value, name: 'NaN last', samples: [at(63, Number.NaN)] },
    { ...value, name: 'a NaN with a payload', samples: [at(5, nan('010000000000f87f'))] },
    { ...value, name: 'infinity', samples: [at(31, Number.POSITIVE_INFINITY)] },
    { ...value, name: 'negative infinity', samples: [at(32, Number.NEGATIVE_INFINITY)] },
    { ...value, name: 'just above 2^60', samples: [at(7, 2 ** 60 + 256)] },
    { ...value, name: 'just below -2^60', samples: [at(7, -(2 ** 60) - 256)] },
    { ...value, name: 'the largest double', samples: [at(7, Number.MAX_VALUE)] },
    { ...value, name: 'NaN in the second of two samples', samples: [x, at(3, Number.NaN)] },
    { ...norm, name: 'all zero', samples: [sparse(d, {})] },
    { ...norm, name: 'all negative zero', samples: [sparse(d, {}).map((zero) => -zero)] },
    { ...norm, name: 'norm just below 2^-20', samples: [sparse(d, { 5: 2 ** -20 - 2 ** -73 })] },
    { ...norm, name: 'squares that vanish', samples: [sparse(d, { 5: 2 ** -600 })] },
    { ...norm, name: 'norm just above 2^60', samples: [sparse(d, { 0: 2 ** 60, 1: 2 ** 35 })] },
    { ...norm, name: 'every value 2^60', samples: [new Array<number>(d).fill(2 ** 60)] },
    { ...norm, name: 'equal to the mean', mean: x, samples: [x] },
    { ...norm, name: 'two samples that cancel out', samples: [x, opposite] },
    {
      ...norm,
      name: 'four samples that nearly cancel out',
      samples: [
        sparse(d, { 0: 1 }),
        sparse(d, { 0: -1 }),
        sparse(d, { 0: 1 }),
        sparse(d, { 0: -1, 1: 2 ** -9 }),
      ],
    },
    { ...norm, name: 'the second of two samples zero', samples: [x, sparse(d, {})] },
    { ...shape, d, name: 'one value too few', samples: [x.slice(1)] },
    { ...shape, d, name: 'one value too many', samples: [[...x, 1]] },
    { ...shape, d, name: 'no value', samples: [[]] },
    { ...shape, d: 128, name: 'half as many as the model has', samples: [x] },
    {
      code: 'ERR_EMBEDDING_MODEL',
      d: 63,
      name: 'a model of 63 dimensions',
      samples: [vectorFromSeed(1, 63)],
    },
    { code: 'ERR_EMBEDDING_MODEL', d: 4097, name: 'a model of 4097 dimensions', samples: [seeded(4097, 1)] },
    { code: 'ERR_EMBEDDING_MODEL', d, name: 'a mean one value short', mean: x.slice(1), samples: [x] },
    { code: 'ERR_EMBEDDING_MODEL', d, name: 'a mean with a NaN', mean: at(0, Number.NaN), samples: [x] },
  ]
}

/** EMBEDDING-4: models whose metric is another one, or whose norms carry meaning. */
function metrics(): Record<string, Json>[] {
  return ['euclidean', 'dot', 'l2', 'hamming', 'COSINE', ''].map((metric) => ({
    name: `metric "${metric}"`,
    dimensions: 64,
    mean: null,
    metric,
    samples: [hex(float64le(vectorFromSeed(1, 64)))],
    code: 'ERR_EMBEDDING_MODEL',
  }))
}
