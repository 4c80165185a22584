/** `guise records`: its files, its exit codes, and that the same input gives the same bytes. @module */
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { encodeOperatingPoint } from 'guise/evaluate'
import { lmdbStore } from 'guise/lmdb'
import { localKeyProvider, type ProcessingRecords } from 'guise/node'
import { beforeAll, expect, test } from 'vitest'
import { recordsCommand } from '../../src/cli/records.ts'
import { basis, point, sample, testVault } from '../support/vault.ts'
import { type Ran, ran, temporaryFolder } from './cli-support.ts'

const { at } = temporaryFolder()
const key = new Uint8Array(32).fill(7)

beforeAll(async () => {
  writeFileSync(at('key'), key)
  writeFileSync(at('policies'), JSON.stringify([{ purpose: 'login', afterExpiryDays: 30 }]))
  writeFileSync(at('settings'), JSON.stringify({ attempts: { total: 20 }, anchor: 'a witness' }))
  writeFileSync(at('point'), encodeOperatingPoint(point()))
  const provider = localKeyProvider({ path: at('provider'), key })
  const store = await lmdbStore({ path: at('store') })
  const { vault, keyring } = await testVault({ provider, store })
  await vault.enroll({ subject: 'anna', basis: basis(), ...sample(1) })
  await vault.close()
  keyring.close()
  await store.close()
  provider.close()
})

function records(...more: readonly string[]): Promise<Ran> {
  const where = ['--realm', 'clinic', '--store', at('store'), '--provider', at('provider')]
  return ran(recordsCommand, [...where, '--key-file', at('key'), ...more])
}

test('three files, the same again, and what they were made of', async () => {
  const given = ['--policies', at('policies'), '--settings', at('settings'), '--point', at('point')]
  const when = ['--at', '2026-01-31T08:00:00Z']
  const first = await records(...given, ...when, '--out', at('first'), '--json')
  expect(first).toMatchObject({ code: 0, err: '' })
  const made = JSON.parse(first.out) as ProcessingRecords
  const files = ['record-of-processing.md', 'impact-assessment.md', 'records.json']
  expect(readFileSync(`${at('first')}/records.json`, 'utf8')).toBe(first.out)
  const again = await records(...given, ...when, '--out', at('second'))
  expect(again.out).toContain(`${made.blanks} blanks for the controller\n`)
  for (const name of files)
    expect(readFileSync(`${at('second')}/${name}`, 'utf8')).toBe(
      readFileSync(`${at('first')}/${name}`, 'utf8'),
    )
  expect(readFileSync(`${at('first')}/record-of-processing.md`, 'utf8')).toContain('| anchor | a witness |')
  const hash = createHash('sha256')
    .update(readFileSync(at('policies')))
    .digest('hex')
  expect(made.inputs[at('policies')]).toBe(hash)
  expect(Object.keys(made.inputs)).toHaveLength(3)
  expect(await records('--out', at('first'))).toMatchObject({ code: 1 })
  expect(await records('--out', at('first'), '--force')).toMatchObject({ code: 0 })
})

test('usage, help, files that are not what they should be', async () => {
  const help = await ran(recordsCommand, ['--help'])
  expect(help).toMatchObject({ code: 0, err: '' })
  expect(help.out).toMatch(/^Usage: guise records /)
  for (const wrong of [
    [],
    ['--out', at('x'), '--at', 'yesterday'],
    ['--out', at('x'), '--policies', at('key')],
    ['--out', at('x'), '--evaluation', at('key')],
  ])
    expect(await records(...wrong), wrong.join(' ')).toMatchObject({ code: 2, out: '' })
  for (const [wrong, code] of [
    [['--point', at('policies')], 'ERR_EVALUATE_FILE'],
    [['--evaluation', at('settings')], 'ERR_VAULT_INPUT'],
    [['--settings', at('policies')], 'ERR_VAULT_INPUT'],
  ] as const) {
    const refused = await records('--out', at('x'), ...wrong)
    expect(refused).toMatchObject({ code: 1, out: '' })
    expect(refused.err).toContain(code)
  }
})
