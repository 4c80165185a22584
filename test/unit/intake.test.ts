import { allowUnattestedCapture, embedding, type Vault } from 'guise'
import { describe, expect, test } from 'vitest'
import type { Dataset } from '../../src/dataset/dataset.ts'
import { DatasetError } from '../../src/dataset/errors.ts'
import { type ImportedRow, type ImportOptions, importEmbeddings } from '../../src/intake/import.ts'
import { StoreError } from '../../src/store/errors.ts'
import { basis, codeOf, face, MODEL, testVault } from '../support/vault.ts'
import { badRow, type FakeRow, fake, people, wiped } from './intake-support.ts'

type Options = Partial<ImportOptions>

async function run(vault: Vault, dataset: Dataset, options: Options = {}): Promise<ImportedRow[]> {
  const rows: ImportedRow[] = []
  const given = { name: 'test', model: MODEL, basis: () => basis(), ...options }
  for await (const row of importEmbeddings(vault, dataset, given)) rows.push(row)
  return rows
}

function outcomes(rows: readonly ImportedRow[]): Record<string, string> {
  const sorted = [...rows].sort((a, b) => a.row - b.row)
  return Object.fromEntries(
    sorted.map(({ row, outcome, error }) => [row, error === undefined ? outcome : error.code]),
  )
}

async function matches(vault: Vault, subject: string, vector: Float32Array): Promise<string> {
  const sample = { embedding: embedding(vector, MODEL), [allowUnattestedCapture]: true } as const
  return (await vault.verify({ subject, ...sample })).outcome
}

/** A vault whose `enroll` goes through `before` first. */
function watched(vault: Vault, before: (subject: string) => void | Promise<void>): Vault {
  return new Proxy(vault, {
    get: (target, name) => {
      if (name === 'enroll') {
        return async (...given: Parameters<Vault['enroll']>) => {
          await before(given[0].subject)
          return target.enroll(...given)
        }
      }
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

describe('import', () => {
  test('enrols everybody once, says so again in a second run, and wipes the vectors', async () => {
    const { vault } = await testVault()
    const dataset = fake(people(20))
    const rows = await run(vault, dataset)
    expect(rows).toHaveLength(20)
    expect(rows.every(({ outcome, rows: n }) => outcome === 'enrolled' && n === 1)).toBe(true)
    expect(rows.at(-1)?.doneTo).toBe(20)
    expect(wiped(dataset)).toBe(true)
    const first = await vault.describe('p7')
    expect(outcomes(await run(vault, fake(people(20))))).toEqual(outcomes(rows))
    expect((await vault.describe('p7'))?.record).toBe(first?.record)
    expect(await matches(vault, 'p7', face(7, 1))).toBe('match')
    expect(await matches(vault, 'p7', face(8, 1))).toBe('nonmatch')
  })

  test('another import finds people present, from elsewhere or from an earlier row', async () => {
    const { vault } = await testVault()
    const rows: FakeRow[] = [...people(3), { subject: 'p1', person: 50 }, ...people(1)]
    const whole = { 0: 'enrolled', 1: 'enrolled', 2: 'enrolled', 3: 'present', 4: 'present' }
    expect(outcomes(await run(vault, fake(rows)))).toEqual(whole)
    expect(await matches(vault, 'p1', face(1, 1))).toBe('match')
    expect(outcomes(await run(vault, fake(people(3)), { name: 'other' }))).toEqual({
      0: 'present',
      1: 'present',
      2: 'present',
    })
  })

  test("a subject's first row counts, however long it takes", async () => {
    const { vault } = await testVault()
    let calls = 0
    const slow = watched(vault, async () => {
      if (calls++ === 0) await new Promise((resolve) => setTimeout(resolve, 30))
    })
    const rows = [
      { subject: 'p', person: 1 },
      { subject: 'p', person: 2 },
    ]
    expect(outcomes(await run(slow, fake(rows)))).toEqual({ 0: 'enrolled', 1: 'present' })
    expect(await matches(vault, 'p', face(1, 1))).toBe('match')
  })

  test('fuses neighbouring rows of a subject, 32 at most', async () => {
    const { vault } = await testVault()
    const rows = [
      ...Array.from({ length: 3 }, (_, sample) => ({ subject: 'a', person: 1, sample })),
      ...Array.from({ length: 35 }, (_, sample) => ({ subject: 'b', person: 2, sample })),
    ]
    const dataset = fake(rows)
    const result = await run(vault, dataset, { rows: 'fuse', width: 1 })
    expect(result.map(({ row, rows: n, outcome, doneTo }) => [row, n, outcome, doneTo])).toEqual([
      [0, 3, 'enrolled', 3],
      [3, 32, 'enrolled', 35],
      [35, 3, 'present', 38],
    ])
    expect(wiped(dataset)).toBe(true)
    expect(await matches(vault, 'b', face(2, 99))).toBe('match')
  })

  test('a dry run finds what a run would find, and writes nothing', async () => {
    const { vault, store } = await testVault()
    await run(vault, fake(people(2)))
    const opposite = face(9).map((value) => -value)
    const rows: FakeRow[] = [
      ...people(3),
      { subject: 'p2', person: 2, sample: 1 },
      { subject: 'zero', person: 0, vector: new Float32Array(128) },
      badRow(5),
      { subject: 'late', person: 6 },
      { subject: 'torn', person: 9 },
      { subject: 'torn', person: 9, vector: opposite },
    ]
    const count = async (): Promise<number> => {
      let n = 0
      for await (const _ of store.scan('states', Uint8Array.of(0))) n++
      return n
    }
    const before = await count()
    const checked = await run(vault, fake(rows), {
      name: 'dry',
      dryRun: true,
      rows: 'fuse',
      basis: (subject) => (subject === 'late' ? basis({ expiresAt: new Date(0) }) : basis()),
    })
    expect(outcomes(checked)).toEqual({
      0: 'present',
      1: 'present',
      2: 'valid',
      4: 'ERR_EMBEDDING_NORM',
      5: 'ERR_DATASET_VALUE',
      6: 'ERR_POLICY_BASIS',
      7: 'ERR_EMBEDDING_NORM',
    })
    expect(await count()).toBe(before)
    expect(outcomes(await run(vault, fake(rows.slice(0, 4)), { dryRun: true, name: 'dry' }))).toEqual({
      0: 'present',
      1: 'present',
      2: 'valid',
      3: 'present',
    })
  })
})

describe('failures', () => {
  test('bad rows are named by number, hold no values, and the others go on', async () => {
    const { vault } = await testVault()
    const rows = [...people(6)]
    rows[2] = badRow(2)
    rows[3] = badRow(3)
    const dataset = fake(rows)
    const result = await run(vault, dataset)
    expect(outcomes(result)).toEqual({
      0: 'enrolled',
      1: 'enrolled',
      2: 'ERR_DATASET_VALUE',
      3: 'ERR_DATASET_VALUE',
      4: 'enrolled',
      5: 'enrolled',
    })
    expect(result.find(({ row }) => row === 2)?.error?.message).toBe(
      'fake, row 2: value 3 is not a finite 32-bit float',
    )
    expect(dataset.readings).toEqual([0, 3, 4])
  })

  test('a later run never passes a row that failed', async () => {
    const { vault } = await testVault()
    let fails = true
    const weak = watched(vault, (subject) => {
      if (fails && subject === 'p3') throw new StoreError('ERR_STORE_BUSY', 'busy')
    })
    const rows = await run(weak, fake(people(10)), { width: 2 })
    expect(outcomes(rows)[3]).toBe('ERR_STORE_BUSY')
    expect(Math.max(...rows.map(({ doneTo }) => doneTo))).toBe(3)
    fails = false
    const again = await run(weak, fake(people(10)), { from: rows.at(-1)?.doneTo ?? 0 })
    expect(again).toHaveLength(7)
    expect(again.every(({ outcome }) => outcome === 'enrolled')).toBe(true)
    expect(again.at(-1)?.doneTo).toBe(10)
  })

  test('doneTo never passes a row that is under way', async () => {
    const { vault } = await testVault()
    let release = (): void => undefined
    const gate = new Promise<void>((resolve) => {
      release = resolve
    })
    const slow = watched(vault, (subject) => (subject === 'p1' ? gate : undefined))
    const seen: number[] = []
    const options = { name: 'test', model: MODEL, basis: () => basis(), width: 4 }
    for await (const { doneTo } of importEmbeddings(slow, fake(people(8)), options)) {
      seen.push(doneTo)
      if (seen.length === 5) release()
    }
    expect(seen.slice(0, 5).every((doneTo) => doneTo <= 1)).toBe(true)
    expect(seen.at(-1)).toBe(8)
  })

  test('what is wrong with the file as a whole ends the import', async () => {
    const { vault } = await testVault()
    const line = new DatasetError('ERR_DATASET_LINE', 'the line is blank', { file: 'fake', line: 4 })
    expect(await codeOf(run(vault, fake([...people(2), { subject: '', person: 0, bad: line }])))).toBe(
      'ERR_DATASET_LINE',
    )
    const passed = [...people(2), badRow(0)]
    expect(await codeOf(run(vault, fake(passed)))).toBe('ERR_DATASET_VALUE')
    const endless = Array.from({ length: 1002 }, (_, row) => badRow(row))
    expect(await codeOf(run(vault, fake(endless)))).toBe('ERR_DATASET_VALUE')
    const fault = { subject: '', person: 0, bad: new TypeError('a bug') }
    await expect(run(vault, fake([fault]))).rejects.toThrow('a bug')
  })

  test('a fault of the caller ends it too, and vectors are wiped', async () => {
    const { vault } = await testVault()
    const dataset = fake(people(5))
    const broken = (): never => {
      throw new RangeError('no such person')
    }
    await expect(run(vault, dataset, { basis: broken })).rejects.toThrow('no such person')
    expect(wiped(dataset)).toBe(true)
    expect(outcomes(await run(vault, fake(people(1)), { basis: (() => null) as never }))).toEqual({
      0: 'ERR_INTAKE_INPUT',
    })
  })

  test.each(['first', 'fuse'] as const)(
    'who stops early or aborts leaves no vector behind (%s)',
    async (rows) => {
      const { vault } = await testVault()
      const dataset = fake(people(30))
      const options = { name: 'test', model: MODEL, basis: () => basis(), width: 3, rows }
      for await (const _ of importEmbeddings(vault, dataset, options)) break
      expect(dataset.given.length).toBeLessThan(10)
      expect(wiped(dataset)).toBe(true)
      const controller = new AbortController()
      const other = fake(people(30))
      const aborted = (async () => {
        const call = { ...options, name: 'aborted', signal: controller.signal }
        for await (const _ of importEmbeddings(vault, other, call)) controller.abort(new Error('enough'))
      })()
      await expect(aborted).rejects.toThrow('enough')
      expect(wiped(other)).toBe(true)
      const whole = await run(vault, fake(people(30)), { signal: new AbortController().signal, rows })
      expect(whole.every(({ outcome }) => outcome !== 'failed')).toBe(true)
      const dry = { dryRun: true, signal: new AbortController().signal }
      expect(await run(vault, fake(people(2)), dry)).toHaveLength(2)
    },
  )

  test.each([
    ['no name', { name: '' }],
    ['a long name', { name: 'x'.repeat(65) }],
    ['no basis', { basis: undefined as never }],
    ['a width of none', { width: 0 }],
    ['a row below zero', { from: -1 }],
    ['half a row', { from: 0.5 }],
    ['an unknown way', { rows: 'all' as never }],
    ['a dry run of sorts', { dryRun: 1 as never }],
    ['other dimensions', { model: { ...MODEL, dimensions: 64 } }],
  ])('%s is refused before anything is read', async (_, options) => {
    const { vault } = await testVault()
    const dataset = fake(people(1))
    expect(await codeOf(run(vault, dataset, options))).toBe('ERR_INTAKE_INPUT')
    expect(dataset.readings).toEqual([])
  })
})
