/** Nothing in queue and log tells who somebody is, what their face is like, or how alike two faces were (I-47). @module */
import { memoryStore, type StoreStep } from 'guise'
import { decodeEntry, encodeEntry } from 'guise/audit'
import { expect, test } from 'vitest'
import { embedding, toIntegers } from '../../src/embedding/embedding.ts'
import { hookedStore, rowsOf } from '../support/rows.ts'
import { basis, face, MODEL, numbers, sample, testVault } from '../support/vault.ts'
import { entriesOf } from '../support/vault-log.ts'
import { addEncodings, addName } from './memory-canaries.ts'
import { Pieces } from './memory-scan.ts'
import { people, perform, pick } from './rollback.ts'

const OPERATIONS = 1000
const PEOPLE = 12

/** Every row that the queue was ever given, and the log as it stands at the end. */
async function written(
  operations: number,
): Promise<{ readonly rows: readonly Uint8Array[]; readonly names: readonly string[] }> {
  const inner = memoryStore()
  const store = hookedStore(inner)
  const rows: Uint8Array[] = []
  const keep = (step: StoreStep): void => {
    if (step.step === 'append' || (step.step === 'put' && step.table === 'log')) rows.push(step.bytes)
  }
  store.fault = { before: ({ steps }) => steps.forEach(keep) }
  const { vault } = await testVault({ store, attempts: { realmPerHour: 1_000_000 } })
  const random = numbers(47_001)
  const known = people(PEOPLE).map((person) => ({
    ...person,
    name: `Äugusta.Canary-${person.face}@example.org`,
  }))
  for (let i = 0; i < operations; i++) await perform(vault, pick(known, random), random)
  await vault.close()
  rows.push(...(await rowsOf(inner, 'log')).map(({ bytes }) => bytes))
  expect(rows.length).toBeGreaterThan(operations)
  return { rows, names: known.map(({ name }) => name) }
}

/** What must not be there: names in eight encodings, faces and probes in fourteen. */
function canaries(names: readonly string[]): Pieces {
  const pieces = new Pieces()
  for (const name of names) addName(pieces, name)
  for (let person = 0; person < PEOPLE; person++) {
    for (const index of [0, 1]) {
      const vector = face(person, index)
      addEncodings(pieces, vector, toIntegers(embedding(vector, MODEL)))
    }
  }
  return pieces
}

function search(pieces: Pieces, rows: readonly Uint8Array[]): Readonly<Record<string, number>> {
  const found = new Map<string, number>()
  for (const row of rows) pieces.countIn(row, found)
  return Object.fromEntries(found)
}

test(`after ${OPERATIONS} operations no row of queue or log holds a name or a face; what is planted is found`, {
  timeout: 120_000,
}, async () => {
  const { rows, names } = await written(OPERATIONS)
  const pieces = canaries(names)
  console.info(`${pieces.count} pieces of ${pieces.kinds.size} kinds in ${rows.length} rows`)
  expect(search(pieces, rows)).toEqual({})
  for (const kind of pieces.kinds) {
    const row = rows[rows.length >> 1] as Uint8Array
    const planted = Uint8Array.from([...row.subarray(0, 9), ...pieces.sample(kind), ...row.subarray(9)])
    expect([kind, (search(pieces, [planted])[kind] ?? 0) > 0]).toEqual([kind, true])
  }
})

test('entries of matches of every likeness are the same bytes, but for place and time: no score is told', async () => {
  const { vault, store } = await testVault()
  await vault.enroll({ subject: 'anna', basis: basis(), ...sample(1) })
  for (let index = 0; index < 60; index++) await vault.verify({ subject: 'anna', ...sample(1, index) })
  await vault.close()
  const matches = (await entriesOf(store)).filter(({ outcome }) => outcome === 'match')
  expect(matches.length).toBeGreaterThan(50)
  const blank = { writer: new Uint8Array(16), sequence: 0, previous: new Uint8Array(32), timeMs: 0 }
  const forms = new Set(
    matches.map((entry) => Buffer.from(encodeEntry({ ...entry, ...blank })).toString('hex')),
  )
  expect(forms.size).toBe(1)
  const [form = ''] = forms
  expect(decodeEntry(Uint8Array.from(Buffer.from(form, 'hex')))).toMatchObject({
    state: null,
    attempts: null,
  })
})
