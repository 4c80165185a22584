/** `guise subject`: what it prints, its exit codes, two stores, and that its asking stands in the log. @module */
import { writeFileSync } from 'node:fs'
import { lmdbStore } from 'guise/lmdb'
import { localKeyProvider, type SubjectExport } from 'guise/node'
import { beforeAll, expect, test } from 'vitest'
import { subjectCommand } from '../../src/cli/subject.ts'
import { logOf } from '../support/people.ts'
import { basis, sample, testVault } from '../support/vault.ts'
import { type Ran, ran, temporaryFolder } from './cli-support.ts'

const { at } = temporaryFolder()
const key = new Uint8Array(32).fill(7)
let pseudonym = ''

beforeAll(async () => {
  writeFileSync(at('key'), key)
  writeFileSync(at('log-key'), new Uint8Array(32).fill(5))
  writeFileSync(at('anna'), 'anna\r\nsecond line\n')
  writeFileSync(at('nobody'), 'nobody\n')
  writeFileSync(at('empty'), '\n')
  writeFileSync(at('policies'), JSON.stringify([{ purpose: 'login', afterExpiryDays: 1 }]))
  const provider = localKeyProvider({ path: at('provider'), key })
  const store = await lmdbStore({ path: at('store') })
  const secrets = await lmdbStore({ path: at('secrets') })
  const { vault, keyring } = await testVault({ provider, store, secrets })
  await vault.enroll({ subject: 'anna', basis: basis(), ...sample(1) })
  await vault.verify({ subject: 'anna', ...sample(1, 1) }, { actor: 'gate-7' })
  pseudonym = (await vault.describe('anna'))?.subject ?? ''
  await vault.close()
  keyring.close()
  await store.close()
  await secrets.close()
  provider.close()
})

function subject(what: string, ...more: readonly string[]): Promise<Ran> {
  const where = ['--realm', 'clinic', '--store', at('store'), '--secrets', at('secrets')]
  const keys = ['--provider', at('provider'), '--key-file', at('key')]
  const signed = ['--origin', 'test.example/guise', '--log-key-file', at('log-key')]
  return ran(subjectCommand, [what, ...where, ...keys, ...signed, ...more])
}

test('export and log, as Markdown and as JSON, by identifier and by pseudonym', async () => {
  const whom = ['--subject-file', at('anna')]
  const text = await subject('export', ...whom, '--actor', 'desk-4', '--policies', at('policies'))
  expect(text).toMatchObject({ code: 0, err: '' })
  expect(text.out).toMatch(/^# What is held about you\n/)
  expect(text.out).toContain('because of expiry')
  const json = await subject('export', '--pseudonym', pseudonym, '--json', '--anchor', at('anchor'))
  const told = JSON.parse(json.out) as SubjectExport
  expect(told).toMatchObject({ held: 'template', subject: pseudonym, retention: null })
  expect(told.events.map(({ what, by }) => [what, by])).toEqual([
    ['enroll', null],
    ['export', 'desk-4'],
    ['export', null],
  ])
  const log = await subject('log', ...whom)
  expect(log.out).toMatch(/^## Comparisons with your template\n\n\| when /)
  expect(log.out).toContain('gate-7')
  const short = JSON.parse((await subject('log', ...whom, '--json')).out) as object
  expect(Object.keys(short)).toEqual(['format', 'realm', 'at', 'held', 'subject', 'comparisons'])
  const store = await lmdbStore({ path: at('store') })
  expect((await logOf(store)).filter(({ action }) => action === 'export')).toHaveLength(4)
  await store.close()
})

test('usage, help, nobody', async () => {
  const help = await ran(subjectCommand, ['--help'])
  expect(help).toMatchObject({ code: 0, err: '' })
  expect(help.out).toMatch(/^Usage: guise subject /)
  expect(await subject('export', '--subject-file', at('nobody'))).toMatchObject({ code: 3, err: '' })
  for (const wrong of [
    ['export'],
    ['export', '--subject-file', at('anna'), '--pseudonym', pseudonym],
    ['export', '--subject-file', at('empty')],
    ['export', '--subject-file', at('anna'), '--policies', at('anna')],
    ['tell', '--pseudonym', pseudonym],
    ['log', 'export', '--pseudonym', pseudonym],
  ] as const) {
    const [what, ...more] = wrong
    expect(await subject(what, ...more), wrong.join(' ')).toMatchObject({ code: 2, out: '' })
  }
  const refused = await subject('export', '--pseudonym', 'AAAA')
  expect(refused).toMatchObject({ code: 1, out: '' })
  expect(refused.err).toContain('ERR_VAULT_INPUT')
  expect((await subject('export', '--subject-file', at('nowhere'))).code).toBe(1)
})
