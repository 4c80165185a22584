/** `guise campaign` and `guise breach-report`: what they print, their exit codes, files. @module */
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import type { SubjectId } from 'guise'
import { lmdbStore } from 'guise/lmdb'
import { type BreachReport, localKeyProvider } from 'guise/node'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { breachReportCommand } from '../../src/cli/breach-report.ts'
import { campaignCommand } from '../../src/cli/campaign.ts'
import { keysCommand } from '../../src/cli/keys.ts'
import { overwrite, rowsOf } from '../support/rows.ts'
import { basis, sample, testVault } from '../support/vault.ts'
import { type Ran, ran, temporaryFolder } from './cli-support.ts'

const folder = temporaryFolder()
let round = 0
const at = (name: string): string => folder.at(`${round}-${name}`)
let handles: SubjectId[] = []

beforeEach(async () => {
  round += 1
  const key = new Uint8Array(32).fill(7)
  await writeFile(at('key'), key)
  const provider = localKeyProvider({ path: at('provider'), key })
  const store = await lmdbStore({ path: at('store') })
  const { vault, keyring } = await testVault({ provider, store })
  handles = []
  for (let person = 0; person < 3; person++) {
    handles.push(
      (await vault.enroll({ subject: `person ${person}`, basis: basis(), ...sample(person) })).subject,
    )
  }
  await vault.erase('person 2')
  await keyring.promote(await keyring.add())
  await vault.close()
  keyring.close()
  await store.close()
  provider.close()
})

afterEach(() => vi.restoreAllMocks())

const where = (): string[] => [
  '--realm',
  'clinic',
  '--store',
  at('store'),
  '--provider',
  at('provider'),
  '--key-file',
  at('key'),
]
const campaign = (...words: string[]): Promise<Ran> => ran(campaignCommand, words)
const breach = (...words: string[]): Promise<Ran> => ran(breachReportCommand, [...where(), ...words])

test('status, dry run, rotation', async () => {
  const status = await campaign('status', ...where())
  expect(status).toMatchObject({ code: 3, err: '' })
  expect(status.out).toContain('rotate of realm clinic, dry run: nothing was written')
  expect(status.out).toMatch(/epoch 1 +2\n/)
  expect(status.out).toMatch(/2 left, which takes at least \d+\.\d s/)
  expect(status.out).toMatch(
    /erasures of realm clinic: 1 pending, the first to be irrecoverable by 20.*; 0 overdue\nnext: nothing before 20/,
  )
  expect(JSON.parse((await campaign('status', ...where(), '--json')).out)).toMatchObject({
    rotation: { complete: false, before: { left: 2 } },
    erasures: { pending: 1 },
  })
  const rotated = await campaign('rotate', ...where(), '--retire', '--actor', 'nightly', '--rate', '1000')
  expect(rotated).toMatchObject({ code: 0, err: '' })
  expect(rotated.out).toMatch(/epoch 2 +0 +2\n/)
  expect(rotated.out).toMatch(/2 changed in \d+\.\d s; 0 left\ncomplete\n$/)
  const again = await campaign('rotate', ...where(), '--json')
  expect(again.code).toBe(0)
  expect(JSON.parse(again.out)).toMatchObject({ changed: 0, complete: true, stragglers: [] })
  expect(JSON.parse((await ran(keysCommand, ['status', ...where(), '--json'])).out)).toMatchObject({
    minAccepted: 2,
  })
  expect(await campaign('status', ...where())).toMatchObject({ code: 0 })
})

test('a straggler is printed by its pseudonym and ends with 3; progress goes to the terminal', async () => {
  const store = await lmdbStore({ path: at('store') })
  const [row] = await rowsOf(store, 'secrets')
  await overwrite(store, 'secrets', row?.key as Uint8Array, new Uint8Array(3))
  await store.close()
  const { code, out, err } = await ran(campaignCommand, ['rotate', ...where()], true)
  expect(code).toBe(3)
  expect(out).toMatch(/1 could not be done\n\nkind +name +why\n/)
  expect(out).toMatch(/record +[\w-]{22} +ERR_RECORD_FORMAT\n/)
  expect(err).toContain('changed')
})

test('a worker with a grant and the store, and nothing else', async () => {
  const made = await campaign('grant', ...where(), '--out', at('grant'))
  expect(made).toEqual({ code: 0, err: '', out: 'a grant to re-wrap under epoch 2\n' })
  expect(statSync(at('grant')).mode & 0o077).toBe(0)
  expect(await campaign('grant', ...where(), '--out', at('grant'))).toMatchObject({ code: 1, out: '' })
  const worker = (...more: string[]): Promise<Ran> => campaign('rewrap', '--store', at('store'), ...more)
  const dry = await worker('--grant', at('grant'), '--dry-run')
  expect(dry).toMatchObject({ code: 3 })
  const done = await worker('--grant', at('grant'))
  expect(done).toMatchObject({ code: 0, err: '' })
  expect(done.out).toContain('rewrap of realm clinic')
  const small = await campaign('grant', ...where(), '--out', at('small'), '--no-gallery', '--json')
  expect(JSON.parse(small.out)).toEqual({ primary: 2 })
  expect(readFileSync(at('small')).length).toBeLessThan(readFileSync(at('grant')).length)
  await ran(keysCommand, ['add', ...where()])
  expect(await worker('--grant', at('grant'))).toMatchObject({
    code: 1,
    err: expect.stringContaining('ERR_VAULT_GRANT'),
  })
  writeFileSync(at('large'), new Uint8Array(70_000))
  for (const words of [
    [],
    ['--grant', at('grant'), '--grant-fd', '0'],
    ['--grant', at('large')],
    ['--grant-fd', 'x'],
  ]) {
    expect(await worker(...words)).toMatchObject({ code: 2, out: '' })
  }
  expect(await worker('--grant', at('nowhere'))).toMatchObject({ code: 1, out: '' })
})

test('the bound of erasures, at its time', async () => {
  expect(await campaign('erase-bound', ...where())).toMatchObject({
    code: 0,
    out: expect.stringContaining('next: nothing before'),
  })
  const now = Date.now()
  vi.spyOn(Date, 'now').mockReturnValue(now + 25 * 86_400_000)
  const dry = await campaign('erase-bound', ...where(), '--dry-run')
  expect(dry).toMatchObject({ code: 3, out: expect.stringContaining('to do: rotation\n') })
  const done = await campaign('erase-bound', ...where())
  expect(done).toMatchObject({ code: 0, err: '' })
  expect(done.out).toBe(
    'erasures of realm clinic: 0 pending; 0 overdue\ndone: rotation\ndone: disable epoch 1\ndone: destroy epoch 1\nnext: nothing\n',
  )
  expect(JSON.parse((await campaign('erase-bound', ...where(), '--json')).out)).toMatchObject({ pending: 0 })
})

test('a bound that is shorter, and what blocks it', async () => {
  const store = await lmdbStore({ path: at('store') })
  for (const { key } of await rowsOf(store, 'secrets'))
    await overwrite(store, 'secrets', key, new Uint8Array(3))
  await store.close()
  const { code, out } = await campaign('erase-bound', ...where(), '--bound', '1', '--lead', '1')
  expect(code).toBe(3)
  expect(out).toContain('next: wraps cannot be read')
  await ran(keysCommand, ['promote', '1', ...where()])
  expect(
    (await campaign('erase-bound', ...where(), '--bound', '1', '--lead', '1', '--dry-run')).out,
  ).toContain('to do: another primary epoch')
})

test('over two stores', async () => {
  const key = new Uint8Array(32).fill(7)
  const provider = localKeyProvider({ path: at('provider'), key })
  const [store, secrets] = [await lmdbStore({ path: at('codes') }), await lmdbStore({ path: at('wraps') })]
  const { vault, keyring } = await testVault({ provider, store, secrets, realm: 'apart' })
  await vault.enroll({ subject: 'anna', basis: basis(), ...sample(1) })
  await keyring.promote(await keyring.add())
  await vault.close()
  keyring.close()
  await store.close()
  await secrets.close()
  provider.close()
  const stores = ['--store', at('codes'), '--secrets', at('wraps'), '--provider', at('provider')]
  const done = await campaign('rotate', '--realm', 'apart', ...stores, '--key-file', at('key'), '--retire')
  expect(done).toMatchObject({ code: 0, err: '', out: expect.stringContaining('1 changed') })
})

describe('a breach report', () => {
  test('in Markdown and JSON', async () => {
    const { code, out, err } = await breach('--stolen', 'rows,secrets,keyring')
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(out).toMatch(/^# Breach report: realm clinic\n/)
    expect(out).toContain('| template | 3 | 3 |')
    for (const handle of handles) expect(out).toContain(handle)
    expect(out).not.toMatch(/person \d/)
    const json = JSON.parse((await breach('--stolen', 'rows', '--json')).out) as BreachReport
    expect(json).toMatchObject({ sound: true, templates: { metadata: 3, template: 0 } })
  })

  test('of a time, of epochs, of shares', async () => {
    const of = async (...words: string[]): Promise<BreachReport> =>
      JSON.parse((await breach('--stolen', 'rows,secrets,keyring', '--json', ...words)).out) as BreachReport
    expect((await of('--until', '2020-01-31')).affected).toEqual([])
    expect((await of('--since', '2020-01-31T08:00:00Z')).affected).toHaveLength(3)
    expect((await of('--epochs', '2')).templates).toMatchObject({ template: 0, sealed: 3 })
    expect((await of('--epochs', '1..2')).templates.template).toBe(3)
    writeFileSync(at('handles'), `${handles[0]}\n\n`)
    expect((await of('--shares', at('handles'))).stolen.shares).toEqual([handles[0]])
    expect((await of('--shares', 'all')).stolen.shares).toBe('all')
    const keysOnly = await breach('--epochs', '1..1', '--json')
    expect((JSON.parse(keysOnly.out) as BreachReport).affected).toEqual([])
  })

  test('marks', async () => {
    const { code, out } = await breach(
      '--stolen',
      'rows,secrets,keyring',
      '--mark',
      '--actor',
      'dpo',
      '--rate',
      '1000',
    )
    expect(code).toBe(0)
    expect(out).toMatch(/breach of realm clinic/)
    expect(out).toMatch(/2 changed in \d+\.\d s; 0 left\ncomplete\n$/)
    const again = await breach('--stolen', 'rows,secrets,keyring', '--mark', '--json')
    expect(JSON.parse(again.out)).toMatchObject({ marking: { changed: 0, complete: true } })
  })

  test('ends with 3 when somebody may be missing', async () => {
    const store = await lmdbStore({ path: at('store') })
    const [row] = await rowsOf(store, 'states')
    await overwrite(store, 'states', row?.key as Uint8Array, new Uint8Array(3))
    await store.close()
    expect(await breach('--stolen', 'rows')).toMatchObject({
      code: 3,
      out: expect.stringContaining('guise fsck'),
    })
  })
})

test('usage and help', async () => {
  for (const command of [campaignCommand, breachReportCommand]) {
    expect(await ran(command, ['--help'])).toMatchObject({
      code: 0,
      err: '',
      out: expect.stringMatching(/^Usage: guise /),
    })
  }
  for (const words of [
    [],
    ['dance'],
    ['rotate', 'twice', ...where()],
    ['rotate', '--realm', 'clinic'],
    ['rotate', ...where(), '--grant', 'x'],
    ['rotate', ...where(), '--rate', '0'],
    ['grant', ...where()],
    ['status', ...where(), '--retire'],
  ]) {
    expect(await campaign(...words)).toMatchObject({ code: 2, out: '' })
  }
  for (const words of [
    [],
    ['more', '--stolen', 'rows'],
    ['--stolen', 'rows,cars'],
    ['--stolen', 'rows', '--epochs', '3..1'],
    ['--stolen', 'rows', '--epochs', 'one'],
    ['--stolen', 'rows', '--since', 'yesterday'],
    ['--stolen', 'rows', '--bound', '3'],
  ]) {
    expect(await breach(...words)).toMatchObject({ code: 2, out: '' })
  }
  expect(await campaign('rotate', '--realm', 'other', ...where().slice(2))).toMatchObject({ code: 1 })
  expect(existsSync(at('nowhere'))).toBe(false)
})
