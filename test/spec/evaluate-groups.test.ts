/** SPEC §15.2: groups of people, from every format to their rates. @module */

import { countScores, groupRates, groupSpread } from 'guise/evaluate'
import { describe, expect, test } from 'vitest'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import type { Dataset, LabelledVector } from '../../src/dataset/dataset.ts'
import { type OpenDatasetOptions, openDataset } from '../../src/dataset/open.ts'
import { loadPeople, NO_GROUP, type People } from '../../src/evaluate/people.ts'
import { D, f32, failure, newFile, newFolder, rowsOf, values } from '../unit/dataset-support.ts'

const header = Array.from({ length: D }, (_, i) => `e${i}`).join(',')
const numbers = (row: number): string => values(row).join(',')
const packed = (row: number): string => `"[${numbers(row)}]"`

async function groupsOf(path: string, options?: OpenDatasetOptions): Promise<unknown> {
  const dataset = await openDataset(path, options)
  expect(dataset.dimensions).toBe(D)
  const rows = await rowsOf(dataset)
  expect(rows.map(({ vector }) => [...vector])).toEqual(rows.map(({ row }) => values(row)))
  return rows.map(({ subject, group }) => (group === undefined ? subject : `${subject}/${group}`))
}

/** A NumPy array of 32-bit floats. */
function npy(rows: number): Uint8Array {
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (${rows}, ${D}), }`
  const head = Buffer.from(`\x93NUMPY\x01\x00\0\0${text.padEnd(117)}\n`, 'latin1')
  head.writeUInt16LE(head.length - 10, 8)
  return Buffer.concat([head, f32(rows)])
}

describe('EVALUATE-17 every format says groups', () => {
  test.each([
    ['embeddings.f32', f32(3)],
    ['faces.npy', npy(3)],
  ])('EVALUATE-17 %s with labels', async (name, content) => {
    const of = (labels: string): Promise<string> => newFolder({ [name]: content, 'labels.csv': labels })
    const labels = 'row,Group,subject\n0,old,a\n1,old,a\n2,"young, or so",b\n'
    expect(await groupsOf(await of(labels))).toEqual(['a/old', 'a/old', 'b/young, or so'])
    const other = 'subject,age\na,old\na,old\nb,\n'
    expect(await groupsOf(await of(other))).toEqual(['a', 'a', 'b'])
    expect(await groupsOf(await of(other.replace('b,', 'b,5')), { group: 'age' })).toEqual([
      'a/old',
      'a/old',
      'b/5',
    ])
    expect(await groupsOf(await of('subject,group\na,old\na,old\nb,\n'))).toEqual(['a/old', 'a/old', 'b'])
    expect(await groupsOf(await of('a\na\nb\n'))).toEqual(['a', 'a', 'b'])
    expect(await failure(await of(other), { group: 'age' })).toMatchObject({
      code: 'ERR_DATASET_GROUP',
      row: 2,
    })
    expect(await failure(await of(other), { group: 'sex' })).toMatchObject({ code: 'ERR_DATASET_OPTIONS' })
    expect(await failure(await of('a\na\nb\n'), { group: 'sex' })).toMatchObject({
      code: 'ERR_DATASET_OPTIONS',
    })
    expect(await failure(await of(other), { group: 1 })).toMatchObject({ code: 'ERR_DATASET_OPTIONS' })
    const long = `subject,group\na,${'x'.repeat(257)}\na,x\nb,x\n`
    expect(await failure(await of(long))).toMatchObject({ code: 'ERR_DATASET_GROUP', row: 0, line: 2 })
  })

  test.each([
    [
      'before the vector',
      `subject,group,${header}\na,old,${numbers(0)}\nb,,${numbers(1)}\n`,
      {},
      ['a/old', 'b'],
    ],
    ['behind it', `subject,${header},group\na,${numbers(0)},old\nb,${numbers(1)},\n`, {}, ['a/old', 'b']],
    ['first', `group,subject,${header}\nold,a,${numbers(0)}\n,b,${numbers(1)}\n`, {}, ['a/old', 'b']],
    ['packed', `subject,vector,group\na,${packed(0)},old\nb,${packed(1)},new\n`, {}, ['a/old', 'b/new']],
    ['by name', `subject,age,vector\na,1,${packed(0)}\nb,2,${packed(1)}\n`, { group: 'AGE' }, ['a/1', 'b/2']],
    [
      'by number',
      `a,1,${numbers(0)}\nb,2,${numbers(1)}\n`,
      { subject: 0, group: 1, vector: 2 },
      ['a/1', 'b/2'],
    ],
    ['none', `subject,${header}\na,${numbers(0)}\nb,${numbers(1)}\n`, {}, ['a', 'b']],
  ])('EVALUATE-17 CSV, %s', async (_, text, options, expected) => {
    expect(await groupsOf(await newFile('a.csv', text), options)).toEqual(expected)
  })

  test.each([
    [
      'missing where asked for',
      `subject,age,vector\na,,${packed(0)}\n`,
      { group: 'age' },
      'ERR_DATASET_GROUP',
    ],
    ['too long', `subject,group,vector\na,${'é'.repeat(129)},${packed(0)}\n`, {}, 'ERR_DATASET_GROUP'],
    ['no such column', `subject,vector\na,${packed(0)}\n`, { group: 'age' }, 'ERR_DATASET_OPTIONS'],
    ['outside the line', `a,${packed(0)}\n`, { subject: 0, vector: 1, group: 5 }, 'ERR_DATASET_OPTIONS'],
  ])('EVALUATE-17 CSV refused: %s', async (_, text, options, code) => {
    expect(await failure(await newFile('a.csv', text), options)).toMatchObject({ code })
  })

  test('EVALUATE-17 JSON lines', async () => {
    const lines = (...groups: readonly unknown[]): Promise<string> =>
      newFile(
        'a.jsonl',
        groups
          .map((group, row) => `${JSON.stringify({ subject: 's', group, vector: values(row) })}\n`)
          .join(''),
      )
    expect(await groupsOf(await lines('old', 7, null, undefined, ''))).toEqual([
      's/old',
      's/7',
      's',
      's',
      's',
    ])
    for (const bad of [1.5, true, ['old'], {}, 'x'.repeat(257), '\ud800']) {
      const found = await failure(await lines('old', bad))
      expect(found).toMatchObject({ code: 'ERR_DATASET_GROUP', row: 1, line: 2 })
      expect(found.message).not.toContain('x'.repeat(9))
    }
    expect(await failure(await lines('old', null), { group: 'group' })).toMatchObject({
      code: 'ERR_DATASET_GROUP',
      row: 1,
    })
    expect(await groupsOf(await lines('old'), { group: 'group' })).toEqual(['s/old'])
  })
})

describe('EVALUATE-17 people', () => {
  async function load(labels: readonly (readonly [string, string?])[]): Promise<People> {
    await cryptoReady()
    const rows: LabelledVector[] = labels.map(([subject, group], row) => ({
      row,
      subject,
      ...(group !== undefined && { group }),
      vector: Float32Array.from(values(row + 1)),
    }))
    const dataset: Dataset = {
      name: 'rows',
      dimensions: D,
      rows: rows.length,
      synthetic: true,
      async *read() {
        yield* rows
      },
    }
    try {
      const model = { id: 'rows@1', dimensions: D, metric: 'cosine' } as const
      return await loadPeople(dataset, { model, samplesPerSubject: 2 })
    } finally {
      expect(rows[0]?.vector.every((value) => value === 0)).toBe(true)
    }
  }

  test('EVALUATE-17 keep the group of each subject', async () => {
    const people = await load([['b', 'new'], ['a', 'old'], ['b', 'new'], ['c'], ['d', 'new'], ['a', 'old']])
    expect([...people.groupOf]).toEqual([0, 1, NO_GROUP, 0])
    expect(people.groups).toEqual(['new', 'old'])
    const none = await load([['a'], ['b']])
    expect([[...none.groupOf], none.groups]).toEqual([[NO_GROUP, NO_GROUP], []])
  })

  test.each([
    [
      [
        ['a', 'old'],
        ['a', 'new'],
      ],
      1,
    ],
    [[['a', 'old'], ['b'], ['a']], 2],
    [[['a'], ['a'], ['a', 'new']], 2],
  ] as const)('EVALUATE-17 two groups of one subject are refused: %j', async (labels, row) => {
    await expect(load(labels)).rejects.toMatchObject({ code: 'ERR_DATASET_GROUP', row })
  })
})

describe('EVALUATE-17 rates', () => {
  const grades = (...list: readonly number[]): Uint16Array => Uint16Array.from(list)
  const groups = [
    { group: 'a', subjects: 4, scores: { mated: grades(10, 30), nonMated: grades(1, 2, 20, 30) } },
    { group: 'b', subjects: 3, scores: { mated: grades(), nonMated: grades(1, 2, 3, 30) } },
    { group: 'c', subjects: 1, scores: { mated: grades(30), nonMated: grades() } },
    { group: 'd', subjects: 2, scores: { mated: grades(30), nonMated: grades(20, 20, 1, 1) } },
  ]

  test('EVALUATE-17 of groups at one threshold, and how far they are apart', () => {
    const rates = groupRates(groups, 20)
    expect(rates.map(({ group, subjects }) => [group, subjects])).toEqual([
      ['a', 4],
      ['b', 3],
      ['c', 1],
      ['d', 2],
    ])
    expect(rates.map(({ falseMatchRate }) => falseMatchRate?.value)).toEqual([0.5, 0.25, undefined, 0.5])
    expect(rates.map(({ trueMatchRate }) => trueMatchRate?.value)).toEqual([0.5, undefined, 1, 1])
    expect(rates[0]?.falseMatchRate).toMatchObject({ trials: 4, confidence: 0.95 })
    const counted = groups.map((group) => ({ ...group, scores: countScores(group.scores) }))
    expect(groupRates(counted, 20)).toEqual(rates)
    expect(groupSpread(rates)).toMatchObject({
      worst: 'a',
      highest: { value: 0.5 },
      lowest: { value: 0.25, trials: 4 },
      ratio: 2,
    })
  })

  test('EVALUATE-17 no ratio to nothing, and no spread of one group', () => {
    const strict = groupRates(groups, 25)
    expect(groupSpread(strict)).toMatchObject({ worst: 'a', lowest: { value: 0 }, ratio: null })
    expect(groupSpread(strict.slice(0, 1))).toBeUndefined()
    expect(groupSpread(strict.slice(1, 3))).toBeUndefined()
    expect(groupSpread([])).toBeUndefined()
    expect(() => groupRates(groups, 0)).toThrow(expect.objectContaining({ code: 'ERR_EVALUATE_INPUT' }))
  })
})
