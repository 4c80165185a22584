import { describe, expect, test } from 'vitest'
import type { LabelledVector, ReadOptions } from '../../src/dataset/dataset.ts'
import { type SyntheticOptions, syntheticPeople } from '../../src/dataset/synthetic.ts'

const options: SyntheticOptions = { seed: 'a', subjects: 3, samples: 2, dimensions: 64 }

async function rowsOf(given: SyntheticOptions, read?: ReadOptions): Promise<LabelledVector[]> {
  const rows: LabelledVector[] = []
  for await (const row of syntheticPeople(given).read(read)) rows.push(row)
  return rows
}

function cosine(a: LabelledVector, b: LabelledVector): number {
  return a.vector.reduce((sum, value, i) => sum + value * (b.vector[i] as number), 0)
}

function meanAndDeviation(values: readonly number[]): [mean: number, deviation: number] {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const squares = values.reduce((sum, value) => sum + (value - mean) * (value - mean), 0)
  return [mean, Math.sqrt(squares / (values.length - 1))]
}

describe('synthetic people', () => {
  test('say what they are', () => {
    expect(syntheticPeople(options)).toMatchObject({
      synthetic: true,
      rows: 6,
      dimensions: 64,
      name: 'synthetic people',
    })
  })

  test('come person after person, of unit length, the same for the same seed', async () => {
    const rows = await rowsOf(options)
    expect(rows.map(({ row, subject }) => [row, subject])).toEqual([
      [0, 'synthetic-0'],
      [1, 'synthetic-0'],
      [2, 'synthetic-1'],
      [3, 'synthetic-1'],
      [4, 'synthetic-2'],
      [5, 'synthetic-2'],
    ])
    for (const row of rows) expect(cosine(row, row)).toBeCloseTo(1, 6)
    expect(await rowsOf(options)).toEqual(rows)
    expect(await rowsOf(options, { from: 3 })).toEqual(rows.slice(3))
    expect((await rowsOf({ ...options, subjects: 9 }, { from: 4 })).slice(0, 2)).toEqual(rows.slice(4))
  })

  test('are the same on every engine', async () => {
    const [first] = await rowsOf(options)
    expect([...(first?.vector ?? [])].slice(0, 4)).toEqual(PINNED)
  })

  test('are others for another seed and another number of dimensions', async () => {
    const [a] = await rowsOf(options)
    const [b] = await rowsOf({ ...options, seed: 'b' })
    const [c] = await rowsOf({ ...options, dimensions: 128 })
    expect(a?.vector).not.toEqual(b?.vector)
    expect(a?.vector[0]).not.toBe(c?.vector[0])
  })

  test('lie as faces do: mates at 0.68 ± 0.09, strangers at 0 ± 1/√148', async () => {
    const rows = await rowsOf({ seed: 'spread', subjects: 400, samples: 2, dimensions: 512 })
    const mates: number[] = []
    const strangers: number[] = []
    for (let i = 0; i < rows.length; i += 2) {
      mates.push(cosine(rows[i]!, rows[i + 1]!))
      for (let j = i + 2; j < rows.length; j += 7) strangers.push(cosine(rows[i]!, rows[j]!))
    }
    const [mate, mateDeviation] = meanAndDeviation(mates)
    expect(mate).toBeGreaterThan(0.66)
    expect(mate).toBeLessThan(0.7)
    expect(mateDeviation).toBeGreaterThan(0.075)
    expect(mateDeviation).toBeLessThan(0.105)
    const [stranger, deviation] = meanAndDeviation(strangers)
    expect(Math.abs(stranger)).toBeLessThan(0.005)
    expect(deviation).toBeGreaterThan(0.075)
    expect(deviation).toBeLessThan(0.088)
  })

  test('stop when aborted', async () => {
    await expect(rowsOf(options, { signal: AbortSignal.abort() })).rejects.toThrow('aborted')
  })

  test.each([
    { subjects: 0 },
    { subjects: 1.5 },
    { subjects: 1e9 },
    { samples: 0 },
    { samples: 1001 },
    { seed: '\ud800' },
  ])('%j is refused', (bad) => {
    expect(() => syntheticPeople({ ...options, ...bad })).toThrow(
      expect.objectContaining({ code: 'ERR_DATASET_OPTIONS' }),
    )
  })

  test.each([{ dimensions: 63 }, { dimensions: 4097 }, { dimensions: 64.5 }])('%j is refused', (bad) => {
    expect(() => syntheticPeople({ ...options, ...bad })).toThrow(
      expect.objectContaining({ code: 'ERR_DATASET_DIMENSIONS' }),
    )
  })
})

/** The first four values of seed `a` with 64 dimensions. */
const PINNED = [-0.09412551671266556, -0.20975804328918457, -0.1793181598186493, -0.019927553832530975]
