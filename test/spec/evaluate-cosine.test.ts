/** SPEC §15.2: grades of cosines. @module */

import { describe, expect, test } from 'vitest'
import { syntheticPeople } from '../../src/dataset/synthetic.ts'
import { MAX_GRADE } from '../../src/evaluate/accuracy.ts'
import { loadPeople } from '../../src/evaluate/people.ts'
import { cosineGrade } from '../../src/evaluate/scores.ts'
import { type Streamed, streamScores } from '../../src/evaluate/stream.ts'
import { planStream } from '../../src/evaluate/stream-plan.ts'

describe('EVALUATE-28', () => {
  test.each([
    [1, 10_000],
    [1 + 2 ** -24, 10_000],
    [0.40644999, 4064],
    [0.40645001, 4065],
    [0.5 / 8192, 1],
    [0.00004999, 0],
    [0, 0],
    [-0.00004999, 0],
    [-0.40645001, -4065],
    [-1 - 2 ** -24, -10_000],
  ])('EVALUATE-28 the grade of a cosine is the nearest ten-thousandth: %f', (cosine, grade) => {
    expect(cosineGrade(cosine)).toBe(grade)
  })

  test('EVALUATE-28 all cosines of a data set are counted so, and their sum is that of signed grades', async () => {
    const people = await loadPeople(
      syntheticPeople({ seed: 'cosine', subjects: 9, samples: 3, dimensions: 64 }),
      {
        model: { id: 'synthetic@1', dimensions: 64, metric: 'cosine' },
      },
    )
    const plan = planStream(
      { dimensions: 64, references: people, probes: people, within: true, twinOf: null },
      { suite: 'B4', seed: 'test', draws: 1, sampled: 'all', targets: [{ way: 'cosine', bits: null }] },
    )
    const { counts, mated, moments } = (await streamScores(plan, { threads: 1 }))[0] as Streamed
    const expected = new Float64Array(MAX_GRADE + 1)
    const genuine: number[] = []
    let sum = 0
    for (let i = 0; i < people.count; i++) {
      for (let j = i + 1; j < people.count; j++) {
        let cosine = 0
        for (let k = 0; k < 64; k++) cosine += people.units[64 * i + k]! * people.units[64 * j + k]!
        const size = Math.floor(Math.abs(cosine) * 10_000 + 0.5)
        if (people.subjectOf[i] === people.subjectOf[j]) genuine.push(cosine > 0 ? size : 0)
        else {
          expected[cosine > 0 ? size : 0]! += 1
          sum += cosine > 0 ? size : -size
        }
      }
    }
    expect(counts).toEqual(expected)
    expect(Array.from(mated)).toEqual(genuine)
    expect(moments.sum).toBe(sum)
  })
})
