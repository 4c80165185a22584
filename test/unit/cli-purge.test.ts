/** `guise purge`: what it prints and keeps, its exit codes, two stores, a file that a crash cut. @module */
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { lmdbStore } from 'guise/lmdb'
import { localKeyProvider, type PurgeSummary } from 'guise/node'
import { beforeAll, expect, test } from 'vitest'
import { purgeCommand } from '../../src/cli/purge.ts'
import { overwrite, rowsOf } from '../support/rows.ts'
import { basis, sample, testVault } from '../support/vault.ts'
import { type Ran, ran, temporaryFolder } from './cli-support.ts'

const { at } = temporaryFolder()
const key = new Uint8Array(32).fill(7)

async function inRealm(task: (made: Awaited<ReturnType<typeof testVault>>) => Promise<void>): Promise<void> {
  const provider = localKeyProvider({ path: at('provider'), key })
  const store = await lmdbStore({ path: at('store') })
  const secrets = await lmdbStore({ path: at('secrets') })
  const made = await testVault({ provider, store, secrets })
  await task(made)
  await made.vault.close()
  made.keyring.close()
  await store.close()
  await secrets.close()
  provider.close()
}

beforeAll(async () => {
  writeFileSync(at('key'), key)
  writeFileSync(at('log-key'), new Uint8Array(32).fill(5))
  writeFileSync(at('short'), new Uint8Array(31))
  writeFileSync(at('policies'), JSON.stringify([{ purpose: 'login', afterRevocationDays: 0 }]))
  await inRealm(async ({ vault, store }) => {
    for (let person = 0; person < 5; person++) {
      await vault.enroll({ subject: `person ${person}`, basis: basis(), ...sample(person) })
    }
    await vault.withdraw('person 0')
    await vault.revoke('person 1', 'other')
    await vault.hold('person 2')
    const [row] = await rowsOf(store, 'states')
    expect(row).toBeDefined()
  })
})

const SIGNED = (): readonly string[] => ['--origin', 'test.example/guise', '--log-key-file', at('log-key')]

function purge(...more: readonly string[]): Promise<Ran> {
  const where = ['--realm', 'clinic', '--store', at('store'), '--secrets', at('secrets')]
  const keys = ['--provider', at('provider'), '--key-file', at('key'), '--policies', at('policies')]
  return ran(purgeCommand, [...where, ...keys, ...more])
}

test('dry run, then the purge, then nothing is left to do', async () => {
  const dry = await purge('--dry-run', ...SIGNED())
  expect(dry).toMatchObject({ code: 0, err: '' })
  expect(dry.out).toBe(`5 records, 1 under a legal hold, 0 of a purpose without a policy
2 due, 0 erased, 0 failed; 3 people remain
`)
  const more = ['--receipts', at('receipts'), '--per-second', '1000', '--actor', 'job', '--json', ...SIGNED()]
  const real = await purge('--anchor', at('anchor'), ...more)
  expect(real).toMatchObject({ code: 0, err: '' })
  expect(JSON.parse(real.out) as PurgeSummary).toMatchObject({ due: 2, erased: 2, failed: 0, people: 3 })
  const lines = readFileSync(at('receipts'), 'utf8').trim().split('\n')
  const told = lines.map((line) => JSON.parse(line) as { outcome: string; subject: string; reason?: string })
  expect(told.map(({ outcome }) => outcome)).toEqual(['due', 'due', 'erased', 'erased'])
  expect(told.map(({ reason }) => reason).slice(0, 2)).toEqual(['withdrawal', 'revocation'])
  // A crash before the receipt: the line is not whole, and the next run writes it.
  writeFileSync(at('receipts'), lines.slice(0, 3).join('\n'))
  appendFileSync(at('receipts'), `\n${(lines[3] ?? '').slice(0, 40)}`)
  expect(JSON.parse((await purge('--anchor', at('anchor'), ...more)).out)).toMatchObject({
    due: 0,
    erased: 0,
  })
  expect(readFileSync(at('receipts'), 'utf8').trim().split('\n')).toEqual(lines)
})

test('usage, help, wrong files', async () => {
  const help = await ran(purgeCommand, ['--help'])
  expect(help).toMatchObject({ code: 0, err: '' })
  expect(help.out).toMatch(/^Usage: guise purge /)
  expect(await purge()).toMatchObject({ code: 2, out: '' })
  expect(await purge('--dry-run', '--origin', 'x')).toMatchObject({ code: 2 })
  expect((await purge('--dry-run', '--origin', 'x', '--log-key-file', at('short'))).err).toContain('32 bytes')
  expect((await purge('--dry-run', '--policies', at('key'))).err).toContain('must name a JSON file')
  expect((await purge('--dry-run', '--policies', at('nowhere'))).code).toBe(1)
  writeFileSync(at('none'), '{}')
  expect((await purge('--dry-run', '--policies', at('none'))).err).toContain('ERR_POLICY_RETENTION')
  for (const text of ['{}\n', 'text\n']) {
    writeFileSync(at('strange'), text)
    const strange = await purge('--receipts', at('strange'), ...SIGNED())
    expect(strange).toMatchObject({ code: 2 })
    expect(strange.err).toContain('no purge wrote')
    expect(readFileSync(at('strange'), 'utf8')).toBe(text)
  }
})

test('what cannot be erased ends with 1, and is told by its code', async () => {
  const provider = localKeyProvider({ path: at('provider'), key })
  const store = await lmdbStore({ path: at('store') })
  const states = await rowsOf(store, 'states')
  const tables = await rowsOf(store, 'index')
  for (const row of tables) await overwrite(store, 'index', row.key, new Uint8Array(9))
  expect(states).toHaveLength(5)
  await store.close()
  provider.close()
  writeFileSync(at('policies'), JSON.stringify([{ purpose: 'login', afterEnrolmentDays: 0 }]))
  const failed = await purge('--receipts', at('receipts-2'), '--json', ...SIGNED())
  expect(failed.code).toBe(1)
  expect(JSON.parse(failed.out)).toMatchObject({ due: 2, erased: 0, failed: 2 })
  expect(readFileSync(at('receipts-2'), 'utf8')).toContain('"error":"ERR_RECORD_MISSING"')
})
