/** Copies of a store: of one instant, whole or not there, without what was deleted. @module */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openKeyring } from 'guise'
import { lmdbStore, restoreLmdb } from 'guise/lmdb'
import { fsck } from 'guise/node'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { backupCommand, restoreCommand } from '../../src/cli/backup.ts'
import { makeCopy } from '../../src/store/lmdb-backup.ts'
import { dump, rowsOf } from '../support/rows.ts'
import { basis, codeOf, memoryProvider, sample, testVault } from '../support/vault.ts'

let folder = ''
const at = (name: string): string => join(folder, name)
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'guise-backup-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function world(name: string) {
  const provider = memoryProvider()
  const store = await lmdbStore({ path: at(`${name}-store`) })
  const secrets = await lmdbStore({ path: at(`${name}-secrets`) })
  return { ...(await testVault({ provider, store, secrets })), provider, store, secrets }
}

async function faultsIn(made: Awaited<ReturnType<typeof world>>, copies: string): Promise<readonly string[]> {
  const store = await lmdbStore({ path: at(`${copies}/store`) })
  const secrets = await lmdbStore({ path: at(`${copies}/secrets`) })
  const keyring = await openKeyring({ realm: 'clinic', provider: made.provider, store })
  const faults: string[] = []
  for await (const { kind, table } of fsck({ keyring, store, secrets })) faults.push(`${kind} ${table}`)
  keyring.close()
  await store.close()
  await secrets.close()
  return faults
}

test('a copy holds the rows and versions of the store, for its owner only', async () => {
  const made = await world('plain')
  for (let person = 0; person < 5; person++) {
    await made.vault.enroll({ subject: `person ${person}`, basis: basis(), ...sample(person) })
  }
  await made.store.backup(at('plain/store'))
  await made.secrets.backup(at('plain/secrets'))
  expect(readdirSync(at('plain/store'))).toEqual(['data.mdb'])
  expect(statSync(at('plain/store/data.mdb')).mode & 0o777).toBe(0o600)
  expect(statSync(at('plain/store')).mode & 0o777).toBe(0o700)
  const copy = await lmdbStore({ path: at('plain/store') })
  expect(await dump(copy)).toEqual(await dump(made.store))
  await copy.close()
  expect(await faultsIn(made, 'plain')).toEqual([])
})

test('a store that is closed meanwhile waits for its copy', async () => {
  const made = await world('closing')
  await made.vault.enroll({ subject: 'anna', basis: basis(), ...sample(1) })
  const rows = await dump(made.store)
  let copied = false
  const copying = made.store.backup(at('closing/store')).then(() => {
    copied = true
  })
  await made.store.close()
  expect(copied).toBe(true)
  await copying
  const copy = await lmdbStore({ path: at('closing/store') })
  expect(await dump(copy)).toEqual(rows)
  await copy.close()
})

test('what was erased is not in it', async () => {
  const made = await world('erased')
  for (let person = 0; person < 200; person++) {
    await made.vault.enroll({ subject: `person ${person}`, basis: basis(), ...sample(person) })
  }
  const gone = (await rowsOf(made.store, 'references')).map(({ bytes }) => Buffer.from(bytes.subarray(-60)))
  await Promise.all(gone.map((_, person) => made.vault.erase(`person ${person}`)))
  await made.store.backup(at('erased/store'))
  const file = readFileSync(at('erased-store/data.mdb'))
  const copy = readFileSync(at('erased/store/data.mdb'))
  expect(gone.filter((bytes) => file.includes(bytes)).length).toBeGreaterThan(0)
  expect(gone.filter((bytes) => copy.includes(bytes))).toEqual([])
})

test('taken while the vault is at work: whatever it holds fits together, codes before wraps', async () => {
  const made = await world('busy')
  const stop = new AbortController()
  const work = (async () => {
    for (let turn = 0; !stop.signal.aborted; turn++) {
      await made.vault.enroll({ subject: `new ${turn}`, basis: basis(), ...sample(turn) })
      if (turn % 3 === 1) await made.vault.erase(`new ${turn}`)
    }
  })()
  for (let round = 0; round < 5; round++) {
    await made.store.backup(at(`busy ${round}/store`))
    await made.secrets.backup(at(`busy ${round}/secrets`))
  }
  stop.abort()
  await work
  for (let round = 0; round < 5; round++) {
    // A wrap of a later enrolment has no code yet; a code whose wrap was erased meanwhile is refused.
    for (const fault of await faultsIn(made, `busy ${round}`)) {
      expect(['orphan secrets', 'missing secrets']).toContain(fault)
    }
  }
}, 30_000)

describe('a place that is taken, or a fault on the way', () => {
  test('leave nothing', async () => {
    const made = await world('faults')
    mkdirSync(at('taken'))
    expect(await codeOf(made.store.backup(at('taken')))).toBe('ERR_STORE_INPUT')
    expect(await codeOf(made.store.backup(''))).toBe('ERR_STORE_INPUT')
    const broken = makeCopy(at('broken/copy'), () => Promise.reject(new Error('planted')))
    expect(await codeOf(broken)).toBe('ERR_STORE_FAILED')
    expect(readdirSync(at('broken'))).toEqual([])
    await made.store.close()
    expect(await codeOf(made.store.backup(at('late')))).toBe('ERR_STORE_CLOSED')
    expect(existsSync(at('late'))).toBe(false)
    expect(await codeOf(restoreLmdb(at('nowhere'), at('restored')))).toBe('ERR_STORE_INPUT')
    expect(existsSync(at('restored'))).toBe(false)
  })
})

describe('guise backup, guise restore', () => {
  async function run(command: typeof backupCommand, ...argv: string[]) {
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
    result.code = await command(argv, io)
    return result
  }

  test('there and back', async () => {
    const made = await world('cli')
    await made.vault.enroll({ subject: 'anna', basis: basis(), ...sample(1) })
    const rows = await dump(made.store)
    await made.store.close()
    await made.secrets.close()
    const stores = ['--store', at('cli-store'), '--secrets', at('cli-secrets')]
    expect(await run(backupCommand, ...stores, '--out', at('cli'))).toEqual({
      code: 0,
      out: 'copied: store, secrets\n',
      err: '',
    })
    expect((await run(backupCommand, ...stores, '--out', at('cli'))).code).toBe(1)
    expect((await run(restoreCommand, '--from', at('cli'), ...stores)).code).toBe(1)
    const places = ['--store', at('back/store'), '--secrets', at('back/secrets')]
    expect(await run(restoreCommand, '--from', at('cli'), ...places, '--json')).toMatchObject({
      code: 0,
      out: '{"restored":["store","secrets"]}\n',
    })
    const store = await lmdbStore({ path: at('back/store') })
    expect(await dump(store)).toEqual(rows)
    await store.close()
    expect(await faultsIn(made, 'back')).toEqual([])
    const one = ['--store', at('one')]
    expect((await run(restoreCommand, '--from', at('cli'), ...one)).code).toBe(2)
    const half = ['--store', at('half'), '--secrets', at('back/secrets')]
    expect((await run(restoreCommand, '--from', at('cli'), ...half)).code).toBe(1)
    expect(existsSync(at('one')) || existsSync(at('half'))).toBe(false)
    const alone = ['--store', at('back/store')]
    expect((await run(backupCommand, ...alone, '--out', at('one copy'))).out).toBe('copied: store\n')
    expect((await run(restoreCommand, '--from', at('one copy'), ...one)).out).toBe('restored: store\n')
    expect((await run(restoreCommand, '--from', at('one copy'), ...half)).code).toBe(2)
  })

  test('usage', async () => {
    expect(await run(backupCommand, '--help')).toMatchObject({ code: 0, err: '' })
    expect(await run(restoreCommand, '--help')).toMatchObject({ code: 0, err: '' })
    expect(await run(backupCommand, '--store', at('cli-store'))).toMatchObject({ code: 2, out: '' })
    expect(await run(backupCommand, '--store', at('none'), '--out', at('x'))).toMatchObject({ code: 1 })
  })
})
