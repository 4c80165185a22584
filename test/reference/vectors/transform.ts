/** Vectors of rotation, templates, score and decision, with every value in between (SPEC §5–§7). @module */
import { hex, int32le, Refused, xor } from '../bytes.ts'
import { accepts, score, strictest } from '../compare.ts'
import { integers, unit } from '../embedding.ts'
import { sha256 } from '../hashes.ts'
import { bytesFor, genuineFromSeeds, vectorFromSeed } from '../inputs.ts'
import { checkBits, defaultBits, maskOf, quantise, signBits, stepOf } from '../template.ts'
import { keyStream, lengthOf, rotate, type Suite } from '../transform.ts'
import { type Json, type VectorFile, vectorFile } from './file.ts'

const ABOUT = [
  'Vectors x come from a seed: state_0 = seed, state_{i+1} = (1664525 × state_i + 1013904223) mod 2^32,',
  'x_i = (⌊state_{i+1} ÷ 2^8⌋ − 2^23) ÷ 2^20 for i = 0 … d−1; no mean. Where a noise seed is given, the vector of that seed',
  'is added, value by value. z = integers(unit(x)).',
  'Integers: all of them for n = 64, the first eight beyond; …Sha256: SHA-256 of all as int32, little-endian.',
  'stream: its length, its first 32 bytes, SHA-256 of the whole. A probe code q: one signed byte a coordinate.',
  'quantiser: rotated values, zeros behind them up to n; q of those that are printed, and the first 64 bits.',
  'decisions: the strictest threshold that accepts, and its neighbours.',
  'negative: one fault each; `code` where there is one error for it.',
]

const DIMENSIONS = [64, 100, 128, 512, 1024]
const SIZES = [64, 128, 256, 512, 1024]
const SUITES: readonly Suite[] = ['B4', 'B6']

export function transformVectors(): VectorFile {
  const positive = DIMENSIONS.flatMap((d) => SIZES.flatMap((m) => SUITES.map((suite) => one(d, m, suite))))
  return vectorFile(
    'chapters 5 to 7',
    ABOUT,
    [...positive, ...quantisers(), ...defaults(), ...matches()],
    [...overcomplete(), ...refusedSizes(), ...refusedSuites(), ...refusedThresholds(), ...nonmatches()],
  )
}

function zOf(x: readonly number[]): number[] {
  return integers(unit(x, x.length).u)
}

function digest(values: readonly number[]): string {
  return hex(sha256(int32le(values)))
}

function one(d: number, m: number, suite: Suite): Record<string, Json> {
  const seed = 100_000 * d + 10 * m + (suite === 'B4' ? 4 : 6)
  const n = lengthOf(d, m)
  const shown = n === 64 ? 64 : 8
  const rotationKey = bytesFor(`rotation key d ${d} m ${m} ${suite}`, 32)
  const stream = keyStream(suite, rotationKey, n, m)
  const mask = maskOf(stream, m)
  const z = zOf(vectorFromSeed(seed, d))
  const { rounds, values } = rotate(z, suite, n, stream)
  const code = xor(signBits(values, m), mask)

  const against = (
    name: string,
    x: readonly number[],
    seeds: Record<string, number>,
  ): Record<string, Json> => {
    const zp = zOf(x)
    const rotated = rotate(zp, suite, n, stream).values
    const q = quantise(rotated, m)
    const found = score(code, { q, mask })
    const T = strictest(found, m)
    return {
      name,
      ...seeds,
      integersSha256: digest(zp),
      rotatedSha256: digest(rotated),
      q: hex(Uint8Array.from(q, (value) => (value + 256) % 256)),
      sum: found.sum,
      energy: found.energy,
      decisions: decisionsAround(T).map((threshold) => ({ threshold, accept: accepts(found, m, threshold) })),
    }
  }
  return {
    name: `d ${d} m ${m} ${suite}`,
    dimensions: d,
    bits: m,
    suite,
    rotationKey: hex(rotationKey),
    seed,
    expected: {
      n,
      integers: z.slice(0, shown),
      integersSha256: digest(z),
      stream: { length: stream.length, first: hex(stream.slice(0, 32)), sha256: hex(sha256(stream)) },
      rounds: rounds.map((round) => ({
        ...(n === 64 ? { butterfly: round.butterfly, signs: round.signs, hadamard: round.hadamard } : {}),
        shift: round.shift,
        values: round.scaled.slice(0, shown),
        valuesSha256: digest(round.scaled),
      })),
      mask: hex(mask),
      code: hex(code),
      probes: [
        against('the same vector', vectorFromSeed(seed, d), { seed }),
        against('the same person', genuineFromSeeds(seed, seed + 1, d), { seed, noise: seed + 1 }),
        against('another person', vectorFromSeed(seed + 2, d), { seed: seed + 2 }),
      ],
    },
  }
}

function decisionsAround(T: number): number[] {
  const thresholds = [1, T - 1, T, T + 1, 10_000].filter((each) => each >= 1 && each <= 10_000)
  return [...new Set(thresholds)].sort((a, b) => a - b)
}

/** Every boundary of the quantiser with its neighbours, both signs, for each n; bits of the same values. */
function quantisers(): Record<string, Json>[] {
  return [64, 128, 256, 512, 1024, 2048, 4096].map((n) => {
    const step = stepOf(n)
    const magnitudes = [0, 1, step, 2 ** 20, 2 ** 25]
    for (let k = 1; k <= 7; k++) {
      const boundary = Math.ceil((k * 2 - 1) * (step / 2))
      magnitudes.push(boundary - 1, boundary, boundary + 1)
    }
    const values = magnitudes.flatMap((magnitude) => (magnitude === 0 ? [0] : [magnitude, -magnitude]))
    const v = [...values, ...new Array<number>(n - values.length).fill(0)]
    return {
      name: `the quantiser for n ${n}`,
      n,
      values,
      q: quantise(v, 64).slice(0, values.length),
      bits: hex(signBits(v, 64)),
    }
  })
}

function defaults(): Record<string, Json>[] {
  return [64, 65, 100, 127, 128, 129, 255, 256, 511, 512, 513, 1024, 4096].map((d) => ({
    name: `the default for d ${d}`,
    dimensions: d,
    defaultBits: defaultBits(d),
  }))
}

function codeOf(call: () => unknown): string {
  try {
    call()
  } catch (error) {
    if (error instanceof Refused) return error.code
    throw error
  }
  throw new RangeError('was not refused')
}

/** TEMPLATE-2. */
function overcomplete(): Record<string, Json>[] {
  return [64, 100, 127, 128, 255, 256, 511, 512, 1023].flatMap((d) =>
    SIZES.filter((m) => m > d).map((bits) => ({
      name: `m ${bits} above d ${d}`,
      dimensions: d,
      bits,
      code: codeOf(() => checkBits(d, bits)),
    })),
  )
}

/** TRANSFORM-4. */
function refusedSizes(): Record<string, Json>[] {
  return [0, 1, 8, 32, 63, 65, 96, 192, 511, 513, 768, 1023, 2048, 4096, -64, 64.5].map((bits) => ({
    name: `m ${bits}`,
    dimensions: 1024,
    bits,
    code: codeOf(() => checkBits(1024, bits)),
  }))
}

function refusedSuites(): Record<string, Json>[] {
  const key = bytesFor('rotation key', 32)
  return ['', 'B', 'B1', 'B2', 'B3', 'B5', 'B7', 'B8', 'b4', 'B04', 'B4 ', 'constructor', '__proto__'].map(
    (suite) => ({
      name: `suite "${suite}"`,
      suite,
      rotationKey: hex(key),
      code: codeOf(() => keyStream(suite, key, 64, 64)),
    }),
  )
}

function refusedThresholds(): Record<string, Json>[] {
  return [0, -1, 10_001, 65_536, 1.5, 0.5, 9999.999, null].map((threshold) => ({
    name: `threshold ${threshold ?? 'NaN'}`,
    threshold,
    code: codeOf(() => accepts({ sum: 100, energy: 100 }, 64, threshold ?? Number.NaN)),
  }))
}

/** Decisions that must be yes, at the very threshold. */
function matches(): Record<string, Json>[] {
  const m = 512
  const cases: readonly (readonly [string, number, number, number])[] = [
    ['S exactly at T 5000', 1120, 9800, 5000],
    ['the perfect score at the strictest threshold', 3584, 25_088, 10_000],
    ['S 1 at the lowest threshold', 1, 1, 1],
  ]
  return cases.map(([name, sum, energy, threshold]) => {
    if (!accepts({ sum, energy }, m, threshold)) throw new RangeError(name)
    return { name, bits: m, sum, energy, threshold, accept: true }
  })
}

/** Decisions that must be no: the sign of S, Q = 0, and the last integers below the threshold. */
function nonmatches(): Record<string, Json>[] {
  const m = 512
  const cases: readonly (readonly [string, number, number, number])[] = [
    ['S zero', 0, 9000, 1],
    ['S negative at the lowest threshold', -3000, 9000, 1],
    ['S as negative as can be', -3584, 25_088, 1],
    ['nothing to compare', 0, 0, 1],
    ['one below T 5000', 1119, 9800, 5000],
    ['the least S at the strictest threshold', 1, 25_088, 10_000],
    ['one below a perfect score', 3583, 25_088, 10_000],
    ['equal to T but for one in Q', 3584, 25_089, 10_000],
  ]
  return cases.map(([name, sum, energy, threshold]) => {
    if (accepts({ sum, energy }, m, threshold)) throw new RangeError(name)
    return { name, bits: m, sum, energy, threshold, accept: false }
  })
}
