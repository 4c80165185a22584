/** What does one comparison compute, part by part, against a plaintext vector and its cosine? @module */

import { join } from 'node:path'
import { memoryStore, openVault } from '../../dist/index.js'
import { lmdbStore } from '../../dist/lmdb.js'
import { quantile } from './figures.ts'
import { cosine, openPlainLmdb, openSqlite } from './peers.ts'
import {
  enrollRequest,
  makePeople,
  type Person,
  pick,
  vaultOptions,
  verifyRequest,
  withFolder,
} from './people.ts'
import { oursTwice, type Plan, type Scenario, type Series } from './scenario.ts'
import { timeBatches, timeCalls } from './timing.ts'
import { VerifyParts } from './verify-parts.ts'
import { encrypted, plainPostgres } from './verify-peers.ts'

const POSTGRES = 'plaintext in PostgreSQL, cosine'
const WITH_READS = 'compute and five reads'

const SHAPE = { bits: 512, dimensions: 512, custody: 'operator' } as const

export const verifyScenario: Scenario = {
  name: 'verify',
  question: 'one comparison of 512 bits: what is computed between reading the rows and writing one',
  notes: [
    'compute: unwrap, derive, open, rotate, quantise and score, from parsed rows to the decision',
    'whole: compute, and the tags and encodings of the five rows around it',
    'parts: the functions that the vault calls, in batches that alternate with the whole; the probe matches, and its attempt is encoded nevertheless',
    'five reads: the rows from LMDB through the store; the peers read one row; with compute, their median is added',
    'PostgreSQL: one connection to a server on this machine; BFV: both vectors encrypted, n = 4096, key material of 3.6 MB not counted',
    'vault.verify: the whole call over a store in memory, with promises, locks, limits and the check that nothing changed; nothing is written',
  ],
  repeats: true,
  claims: [
    { series: 'compute', most: 20 },
    { series: WITH_READS, over: { variant: POSTGRES, series: 'read and cosine' }, most: 0.4 },
  ],
  variants: [
    ...oursTwice(ours),
    { name: 'guise, whole call in memory', role: 'peer', run: wholeCall },
    { name: 'plaintext in LMDB, cosine', role: 'peer', run: plainLmdb },
    { name: 'plaintext in SQLite, cosine', role: 'peer', run: plainSqlite },
    { name: POSTGRES, role: 'peer', run: plainPostgres },
    { name: 'encrypted, BFV of node-seal', role: 'peer', run: encrypted },
  ],
}

function ours(plan: Plan): Promise<readonly Series[]> {
  return withFolder(plan.folder, async (folder) => {
    const store = await lmdbStore({ path: folder })
    const options = await vaultOptions(store, SHAPE)
    const people = await makePeople(plan.seed, plan.people)
    const vault = await openVault(options)
    for await (const result of vault.enrollMany(people.map((person) => enrollRequest(person)))) {
      if (!result.ok) throw result.error
    }
    const parts = await VerifyParts.open(options, people)
    const series = timeBatches([parts.compute(), parts.whole(), ...parts.parts()], plan)
    const sum = plan.batches === 0 ? [] : sumOf(series.slice(2))
    const count = Math.max(plan.calls, plan.batches) * 10
    const reads = await timeCalls('five reads from LMDB', count, none, (_, turn) => parts.read(turn))
    await vault.close()
    await store.close()
    const median = quantile(
      reads.values.toSorted((a, b) => a - b),
      0.5,
    )
    const withReads = (series[0]?.values ?? []).map((value) => value + median)
    return [
      ...series,
      { name: 'sum of the parts', unit: 'µs', values: sum },
      reads,
      { name: WITH_READS, unit: 'µs', values: withReads },
    ]
  })
}

/** Batch by batch, so that it has a spread of its own. */
function sumOf(parts: readonly Series[]): readonly number[] {
  return (parts[0]?.values ?? []).map((_, i) =>
    parts.reduce((sum, { values }) => sum + (values[i] ?? Number.NaN), 0),
  )
}

async function wholeCall(plan: Plan): Promise<readonly Series[]> {
  const people = await makePeople(plan.seed, plan.people)
  const vault = await openVault(await vaultOptions(memoryStore(), SHAPE))
  for (const person of people) await vault.enroll(enrollRequest(person))
  const prepare = (turn: number): ReturnType<typeof verifyRequest> => {
    const person = pick(people, turn)
    return verifyRequest(person.subject, person)
  }
  const count = Math.max(plan.calls, plan.batches) * 10
  const series = await timeCalls('vault.verify', count, prepare, async (request) => {
    const { outcome } = await vault.verify(request)
    if (outcome !== 'match') throw new Error(`a mate is no ${outcome}`)
  })
  await vault.close()
  return [series]
}

function plainLmdb(plan: Plan): Promise<readonly Series[]> {
  return withFolder(plan.folder, async (folder) => {
    const people = await makePeople(plan.seed, plan.people)
    const database = openPlainLmdb(folder)
    await Promise.all(people.map(({ vector }, i) => database.put(keyOf(i), bytesOf(vector))))
    const call = (turn: number): number => {
      const bytes = database.getBinaryFast(keyOf(turn % people.length)) as Uint8Array
      return cosine(vectorOf(bytes), pick(people, turn).vector)
    }
    const series = timeBatches([{ name: 'read and cosine', call }], plan)
    await database.close()
    return series
  })
}

function plainSqlite(plan: Plan): Promise<readonly Series[]> {
  return withFolder(plan.folder, async (folder) => {
    const people = await makePeople(plan.seed, plan.people)
    const database = openSqlite(join(folder, 'vectors.db'))
    const insert = database.prepare('INSERT INTO vectors VALUES (?, ?)')
    const fill = database.transaction((all: readonly Person[]) => {
      for (const [i, { vector }] of all.entries()) insert.run(keyOf(i), bytesOf(vector))
    })
    fill(people)
    const select = database.prepare('SELECT vector FROM vectors WHERE id = ?')
    const call = (turn: number): number => {
      const row = select.get(keyOf(turn % people.length)) as { readonly vector: Uint8Array }
      return cosine(vectorOf(row.vector), pick(people, turn).vector)
    }
    const series = timeBatches([{ name: 'read and cosine', call }], plan)
    database.close()
    return series
  })
}

/** 16 bytes, as long as a handle. */
function keyOf(person: number): Buffer {
  const key = Buffer.alloc(16)
  key.writeUInt32BE(person)
  return key
}

function bytesOf(vector: Float32Array): Buffer {
  return Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength)
}

/** A view where the bytes lie on a multiple of four, a copy elsewhere. */
function vectorOf(bytes: Uint8Array): Float32Array {
  const { buffer, byteOffset, length } = bytes
  if (byteOffset % 4 === 0) return new Float32Array(buffer, byteOffset, length / 4)
  return new Float32Array(buffer.slice(byteOffset, byteOffset + length))
}

function none(): undefined {
  return undefined
}
