/** Requirement POLICY-76 of SPEC.md: what a version stored, this one opens, decides on as that one did, and goes on with. @module */
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { memoryStore, type Store, verifyErasureReceipt } from 'guise'
import { lmdbStore } from 'guise/lmdb'
import { exportSubject, fsck } from 'guise/node'
import { migratePostgres, postgresStore } from 'guise/postgres'
import { afterEach, expect, test } from 'vitest'
import { fromHex } from '../../src/base/bytes.ts'
import { freshSchema, poolOf, testServer } from '../support/postgres.ts'
import {
  deviceOf,
  openStored,
  PURPOSE,
  putKeyFiles,
  putRows,
  REALMS,
  rowsFrom,
  type StoredFile,
  type StoredPerson,
  type StoredRealm,
  sampleFrom,
} from '../support/stored.ts'

/** Every file that a version once wrote. A sum that differs is a file that somebody wrote again: put it back. */
const SUMS: Readonly<Record<string, string>> = {
  '1.json': '05ad5a8c88a9229de77b8042a693b350277c5c6bf15c5e64f0a7baf4ff689cb2',
}
const FOLDER = 'test/vectors/stores'
const DAY_MS = 86_400_000
const ends: (() => unknown)[] = []

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

const bytesOf = (text: string): Uint8Array<ArrayBuffer> => fromHex(text) as Uint8Array<ArrayBuffer>
const fileOf = (name: string): StoredFile =>
  JSON.parse(readFileSync(`${FOLDER}/${name}`, 'utf8')) as StoredFile

/** One that says that it keeps nothing, so that the clock of the file's day can be used. */
function undurable(store: Store): Store {
  return {
    durable: false,
    get: (table, key, options) => store.get(table, key, options),
    commit: (steps, options) => store.commit(steps, options),
    scan: (table, from, options) => store.scan(table, from, options),
    close: () => store.close(),
    [Symbol.asyncDispose]: () => store.close(),
  }
}

async function emptyStore(kind: string, folder: string): Promise<Store> {
  if (kind === 'memory') return memoryStore()
  if (kind === 'LMDB') return undurable(await lmdbStore({ path: join(folder, 'store') }))
  const server = await testServer()
  ends.push(() => server.stop())
  const pool = poolOf(server.url, 8)
  ends.push(() => pool.end())
  const schema = freshSchema()
  await migratePostgres(pool, { schema })
  return undurable(await postgresStore({ pool, schema }))
}

/** A store with the rows of a file, and its realms a day later. */
async function placed(file: StoredFile, kind: string, rows = file.rows) {
  const folder = mkdtempSync(join(tmpdir(), 'guise-stored-'))
  ends.push(() => rmSync(folder, { recursive: true, force: true }))
  const store = await emptyStore(kind, folder)
  ends.push(() => store.close())
  await putRows(store, rows)
  const keys = join(folder, 'keys')
  putKeyFiles(keys, file.keys)
  const [providerKey, logSeed] = [bytesOf(file.providerKey), bytesOf(file.logSeed)]
  const open = async (realm: StoredRealm) => {
    const opened = await openStored({ store, keys, providerKey, logSeed, atMs: file.at + DAY_MS }, realm)
    ends.push(opened.close)
    const share = realm === 'ward' ? { holderShare: deviceOf(bytesOf(file.deviceSecret)) } : {}
    const verify = async (subject: string, vector: string): Promise<string> => {
      const decision = await opened.vault.verify({ subject, ...sampleFrom(vector), ...share })
      return decision.outcome === 'refused' ? `refused: ${decision.reason}` : decision.outcome
    }
    const people = file.people.filter((one) => one.realm === realm)
    return { ...opened, share, verify, people }
  }
  return { store, open }
}

const EXPECTED: Readonly<Record<string, string>> = {
  active: 'match',
  revoked: 'refused: revoked',
  suspended: 'refused: suspended',
  held: 'refused: held',
  erased: 'refused: unknown-subject',
  expired: 'refused: expired',
}

const basisAt = (atMs: number) =>
  ({
    kind: 'consent',
    purpose: PURPOSE,
    grantedAt: new Date(atMs),
    expiresAt: new Date(atMs + 100 * DAY_MS),
    noticeVersion: 'new',
    evidence: new Uint8Array(32).fill(1),
    separateConsent: true,
  }) as const

test('POLICY-76 every file is as it was written', () => {
  expect(
    readdirSync(FOLDER)
      .filter((name) => name.endsWith('.json'))
      .toSorted(),
  ).toEqual(Object.keys(SUMS))
  for (const [name, sum] of Object.entries(SUMS)) {
    const bytes = readFileSync(`${FOLDER}/${name}`)
    expect([name, createHash('sha256').update(bytes).digest('hex')]).toEqual([name, sum])
    expect(bytes.length).toBeLessThan(200_000)
  }
})

const cases = Object.keys(SUMS).flatMap((name) =>
  ['memory', 'LMDB', 'PostgreSQL'].map((kind) => [name, kind] as const),
)

test.each(cases)(
  'POLICY-76 %s on %s: opens without a fault, decides as before, and goes on',
  { timeout: 120_000 },
  async (name, kind) => {
    const file = fileOf(name)
    const { store, open } = await placed(file, kind)
    for (const realm of REALMS) {
      const { vault, keyring, verify, people, share, close } = await open(realm)
      for await (const fault of fsck({ keyring, store })) throw new Error(`a fault: ${fault.kind}`)
      const [first, second] = people as unknown as readonly [StoredPerson, StoredPerson]
      for (const { subject, state, probe } of people)
        expect([subject, await verify(subject, probe)]).toEqual([subject, EXPECTED[state]])
      expect(await verify(first.subject, second.probe)).toBe('nonmatch')
      expect((await vault.describe(first.subject))?.state).toBe('active')
      const told = await exportSubject({ keyring, store, subject: first.subject })
      expect([told.held, told.templates[0]?.madeAt, told.comparisons[0]?.outcome]).toEqual([
        'template',
        new Date(file.at).toISOString(),
        'match',
      ])

      for await (const { ok } of vault.rotate()) expect(ok).toBe(true)
      await vault.revoke(first.subject, 'other')
      expect(await verify(first.subject, first.probe)).toBe('refused: revoked')
      await vault.reissue({
        subject: first.subject,
        basis: basisAt(file.at),
        ...sampleFrom(first.enrolled),
        ...share,
      })
      expect(await verify(first.subject, first.probe)).toBe('match')
      const receipt = await vault.erase(second.subject)
      verifyErasureReceipt(receipt, await keyring.receiptPublicKey())
      expect(await verify(second.subject, second.probe)).toBe('refused: unknown-subject')
      await vault.enroll({
        subject: second.subject,
        basis: basisAt(file.at),
        ...sampleFrom(second.enrolled),
        ...share,
      })
      await close()
      const again = await open(realm)
      expect(await again.verify(first.subject, first.probe)).toBe('match')
      expect(await again.verify(second.subject, second.probe)).toBe('match')
      for await (const fault of fsck({ keyring: again.keyring, store }))
        throw new Error(`a fault: ${fault.kind}`)
      await again.close()
    }
  },
)

test.each(Object.keys(SUMS))(
  'POLICY-76 %s: its gallery finds who was in it, its receipt verifies, its rows stay as they are when nothing changes them',
  async (name) => {
    const file = fileOf(name)
    const { store, open } = await placed(file, 'memory')
    expect(await rowsFrom(store)).toEqual(file.rows)
    const { statement, signature, publicKey } = file.receipt
    const { vault, keyring, people } = await open('clinic')
    expect(await keyring.receiptPublicKey()).toEqual(bytesOf(publicKey))
    verifyErasureReceipt({ statement: bytesOf(statement), signature: bytesOf(signature) }, bytesOf(publicKey))
    for (const { subject, state, probe } of people) {
      const decision = await vault.identify({ limit: 3, ...sampleFrom(probe) })
      const found = decision.outcome === 'candidates' ? decision.candidates.map((one) => one.subject) : []
      const described = await vault.describe(subject)
      expect([subject, found]).toEqual([subject, state === 'active' ? [described?.subject] : []])
    }
  },
)

test('POLICY-76 control: one byte of a code, a wrap, a state and a keyring that differs is seen', async () => {
  const file = fileOf('1.json')
  const [person] = file.people as readonly [StoredPerson]
  const outcomeWith = async (table: string): Promise<string> => {
    const rows = {
      ...file.rows,
      [table]: (file.rows[table] ?? []).map(([key, bytes]) => [key, flipped(bytes)] as const),
    }
    const { open } = await placed(file, 'memory', rows)
    try {
      const { verify } = await open('clinic')
      return await verify(person.subject, person.probe)
    } catch (error) {
      return String((error as { code?: unknown }).code)
    }
  }
  for (const table of ['references', 'secrets', 'states', 'keyrings'])
    expect(await outcomeWith(table)).toMatch(/^ERR_(?:SEAL|RECORD|KEYS|VAULT)_/)
})

function flipped(bytes: string): string {
  const at = bytes.length - 3
  return `${bytes.slice(0, at)}${bytes[at] === '0' ? '1' : '0'}${bytes.slice(at + 1)}`
}
