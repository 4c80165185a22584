/** `guise status`: what it prints, its exit codes, two stores. @module */
import { writeFile } from 'node:fs/promises'
import { lmdbStore } from 'guise/lmdb'
import { localKeyProvider, type VaultStatus } from 'guise/node'
import { afterEach, beforeAll, expect, test, vi } from 'vitest'
import { statusCommand } from '../../src/cli/status.ts'
import { overwrite, rowsOf } from '../support/rows.ts'
import { basis, sample, testVault } from '../support/vault.ts'
import { type Ran, ran, temporaryFolder } from './cli-support.ts'

const folder = temporaryFolder()
const { at } = folder

beforeAll(async () => {
  const key = new Uint8Array(32).fill(7)
  await writeFile(at('key'), key)
  const provider = localKeyProvider({ path: at('provider'), key })
  const store = await lmdbStore({ path: at('store') })
  const secrets = await lmdbStore({ path: at('secrets') })
  const { vault, keyring } = await testVault({ provider, store, secrets })
  for (let person = 0; person < 3; person++) {
    await vault.enroll({ subject: `person ${person}`, basis: basis(), ...sample(person) })
  }
  await vault.revoke('person 2', 'other')
  await keyring.add()
  await vault.close()
  keyring.close()
  await store.close()
  await secrets.close()
  provider.close()
})

afterEach(() => vi.restoreAllMocks())

function status(...more: string[]): Promise<Ran> {
  const where = ['--realm', 'clinic', '--store', at('store'), '--secrets', at('secrets')]
  return ran(statusCommand, [...where, '--provider', at('provider'), '--key-file', at('key'), ...more])
}

test('a sound realm', async () => {
  expect(await status()).toEqual({
    code: 0,
    err: '',
    out: `realm clinic: 2 people, 0 notes of unfinished work
log of 6 entries, 6 of them signed, 0 waiting

state    records
───────  ───────
active         2
revoked        1

epoch  status   days  wraps
─────  ───────  ────  ─────
    1  primary     0      2
    2  enabled     0      0

nothing to do
`,
  })
  const { out } = await status('--json')
  expect(JSON.parse(out)).toMatchObject({ ok: true, realm: 'clinic', people: 2, notices: [] })
})

test('an old key is a warning first, and a fault then', async () => {
  const nowMs = Date.now()
  const afterDays = (days: number): unknown =>
    vi.spyOn(Date, 'now').mockReturnValue(nowMs + days * 86_400_000)
  afterDays(600)
  const soon = await status()
  expect(soon.code).toBe(0)
  expect(soon.out).toContain('warning: epoch 1 has wrapped for 82 % of two years')
  // The bases have ended meanwhile; the codes are still kept.
  expect(soon.out).toContain('expired        2')
  expect(soon.out).toContain('2 people')
  afterDays(731)
  const late = await status()
  expect(late.code).toBe(1)
  expect(late.out).toContain('fault: epoch 1')
})

test('usage, help, and a store that is not there', async () => {
  const help = await ran(statusCommand, ['--help'])
  expect(help).toMatchObject({ code: 0, err: '' })
  expect(help.out).toMatch(/^Usage: guise status /)
  expect(await ran(statusCommand, ['--realm', 'clinic'])).toMatchObject({ code: 2, out: '' })
  expect(await status('--store', at('nowhere'))).toMatchObject({ code: 1, out: '' })
  expect(await status('--realm', 'other')).toMatchObject({ code: 1, out: '' })
  expect(await status('extra')).toMatchObject({ code: 2, out: '' })
})

test('a row that cannot be read is a fault', async () => {
  const store = await lmdbStore({ path: at('store') })
  const [row] = await rowsOf(store, 'states')
  await overwrite(store, 'states', row?.key as Uint8Array, new Uint8Array(3))
  await store.close()
  const { code, out } = await status('--json')
  expect(code).toBe(1)
  expect((JSON.parse(out) as VaultStatus).notices).toMatchObject([{ level: 'fault', kind: 'unreadable' }])
})
