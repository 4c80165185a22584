/** `guise fsck`: what it prints, its exit codes, two stores. @module */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { lmdbStore } from 'guise/lmdb'
import { localKeyProvider } from 'guise/node'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { fsckCommand } from '../../src/cli/fsck.ts'
import { overwrite, remove, rowsOf } from '../support/rows.ts'
import { basis, sample, testVault } from '../support/vault.ts'

let folder = ''
const at = (name: string): string => join(folder, name)

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'guise-cli-fsck-'))
  const key = new Uint8Array(32).fill(7)
  await writeFile(at('key'), key)
  const provider = localKeyProvider({ path: at('provider'), key })
  const store = await lmdbStore({ path: at('store') })
  const secrets = await lmdbStore({ path: at('secrets') })
  const { vault, keyring } = await testVault({ provider, store, secrets })
  for (let person = 0; person < 3; person++) {
    await vault.enroll({ subject: `person ${person}`, basis: basis(), ...sample(person) })
  }
  await vault.close()
  keyring.close()
  await store.close()
  await secrets.close()
  provider.close()
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function run(...more: string[]): Promise<{ code: number; out: string; err: string }> {
  const result = { code: 0, out: '', err: '' }
  const io = {
    out: (text: string): void => {
      result.out += text
    },
    err: (text: string): void => {
      result.err += text
    },
    interactive: false,
  }
  const where = ['--realm', 'clinic', '--store', at('store'), '--secrets', at('secrets')]
  const keys = ['--provider', at('provider'), '--key-file', at('key')]
  result.code = await fsckCommand(more[0] === 'alone' ? more.slice(1) : [...where, ...keys, ...more], io)
  return result
}

test('a sound store', async () => {
  const { code, out, err } = await run()
  expect(err).toBe('')
  expect(out).toBe('15 rows, 3 records, 0 notes of unfinished work\nno fault\n')
  expect(code).toBe(0)
  const json = await run('--json')
  expect(JSON.parse(json.out)).toEqual({ rows: 15, records: 3, unfinished: 0, faults: 0, listed: [] })
})

test('faults are listed and end with 1', async () => {
  const store = await lmdbStore({ path: at('store') })
  const [state, gone] = await rowsOf(store, 'states')
  if (state === undefined || gone === undefined) throw new Error('too few rows')
  await overwrite(store, 'states', state.key, state.bytes.slice(1))
  await remove(store, 'states', gone.key)
  await store.close()
  const { code, out } = await run()
  expect(code).toBe(1)
  expect(out).toContain('damaged  states')
  expect(out).toContain('orphan   index')
  const json = JSON.parse((await run('--json')).out) as { faults: number; listed: unknown[] }
  expect(json.faults).toBe(json.listed.length)
  expect(json.faults).toBeGreaterThan(3)
})

test('usage, help, and a store that is not there', async () => {
  expect(await run('alone', '--help')).toMatchObject({ code: 0, err: '' })
  expect(await run('alone', '--realm', 'clinic')).toMatchObject({ code: 2, out: '' })
  expect(await run('--store', at('nowhere'))).toMatchObject({ code: 1, out: '' })
  expect(await run('--realm', 'other')).toMatchObject({ code: 1, out: '' })
})
