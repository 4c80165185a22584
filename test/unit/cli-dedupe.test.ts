/** `guise dedupe`, and `guise import` into a gallery, as they are typed (SPEC §16.8). @module */
import { rmSync, writeFileSync } from 'node:fs'
import { beforeAll, expect, test } from 'vitest'
import { toHex } from '../../src/base/bytes.ts'
import { dedupeCommand } from '../../src/cli/dedupe.ts'
import { importCommand } from '../../src/cli/import.ts'
import { keysCommand } from '../../src/cli/keys.ts'
import { checkModel } from '../../src/embedding/model.ts'
import { encodeOperatingPoint } from '../../src/evaluate/operating-file.ts'
import { BITS, gallery, idPoint, range } from '../support/gallery.ts'
import { face, MODEL, point } from '../support/vault.ts'
import { type Ran, ran, temporaryFolder } from './cli-support.ts'

const folder = temporaryFolder()
const BASIS = {
  kind: 'consent',
  grantedAt: '2026-01-31T00:00:00Z',
  expiresAt: '2030-01-31',
  noticeVersion: '2026-01',
  evidence: 'ab'.repeat(32),
  separateConsent: true,
}

const lines = (rows: readonly (readonly [subject: string, person: number, index: number])[]): string =>
  rows.map(([subject, person, index]) => [subject, ...face(person, index)].join(',')).join('\n')

beforeAll(async () => {
  const { at } = folder
  const shown = { ...point(MODEL, BITS), meanHash: toHex(checkModel(MODEL).meanHash) }
  writeFileSync(at('point.json'), encodeOperatingPoint(shown))
  writeFileSync(at('basis.json'), JSON.stringify(BASIS))
  writeFileSync(at('key'), new Uint8Array(32).fill(5))
  writeFileSync(at('gallery.json'), JSON.stringify(gallery()))
  writeFileSync(at('broken.json'), '{')
  writeFileSync(at('people.csv'), lines(range(1, 20).map((person) => [`p${person}`, person, 0])))
  // Two of the batch are members, one of them under another name; the third is nobody yet.
  writeFileSync(
    at('batch.csv'),
    lines([
      ['p3', 3, 4],
      ['new', 7, 4],
      ['stranger', 500, 4],
    ]),
  )
  rmSync(at('keys'), { recursive: true, force: true })
  expect((await ran(keysCommand, ['init', ...where()])).code).toBe(0)
  const fill = [
    '--data',
    at('people.csv'),
    '--basis',
    at('basis.json'),
    '--purpose',
    'login',
    '--point',
    at('point.json'),
  ]
  const imported = await ran(importCommand, [...where(), ...fill, '--gallery', at('gallery.json'), '--json'])
  expect(imported.err).toBe('')
  expect(JSON.parse(imported.out)).toMatchObject({ enrolled: 20, failed: 0 })
}, 60_000)

function where(): string[] {
  const { at } = folder
  return ['--realm', 'clinic', '--store', at('store'), '--provider', at('keys'), '--key-file', at('key')]
}

function search(declared: string, ...more: readonly string[]): Promise<Ran> {
  const { at } = folder
  const batch = ['--data', at('batch.csv'), '--purpose', 'login', '--point', at('point.json')]
  return ran(dedupeCommand, [...where(), ...batch, '--gallery', at(declared), ...more])
}

test('whoever resembles a member under another name is told, with the row', async () => {
  const { code, out, err } = await search('gallery.json', '--json')
  expect([code, err]).toEqual([0, ''])
  const [duplicate, tally, ...rest] = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown)
  expect(duplicate).toMatchObject({ row: 1, outcome: 'duplicate', candidates: [{ rank: 1 }] })
  expect(tally).toEqual({ unique: 2, duplicate: 1, failed: 0, refused: 0 })
  expect(rest).toEqual([])
  const plain = await search('gallery.json', '--from', '1')
  expect(plain.out).toMatch(/^row 1: [\w-]{22}\n/)
  expect(plain.out).toMatch(/unique +1\nduplicate +1\n/)
})

test('progress shows on a terminal', async () => {
  const { at } = folder
  const batch = ['--data', at('batch.csv'), '--purpose', 'login', '--point', at('point.json')]
  const { err } = await ran(dedupeCommand, [...where(), ...batch, '--gallery', at('gallery.json')], true)
  expect(err).toContain('loading the gallery')
  expect(err).toContain('searching')
})

test('a budget that is used up ends the batch, and says where to go on', async () => {
  const { at } = folder
  writeFileSync(at('tight.json'), JSON.stringify(gallery({ queriesPerHour: 1 })))
  const { code, err, out } = await search('tight.json')
  expect([code, err]).toEqual([1, 'row 0: throttled; begin again with --from 0\n'])
  expect(out).toMatch(/refused +1\n/)
})

test('a gallery that outgrew its point ends the batch; a bad row does not', async () => {
  const { at } = folder
  writeFileSync(at('small.json'), JSON.stringify(gallery({ points: [idPoint({ gallerySize: 19 })] })))
  const { code, err } = await search('small.json', '--json')
  expect([code, err]).toEqual([1, ''])
  writeFileSync(at('bad.csv'), `${lines([['p3', 3, 4]])}\nx,1,2\n`)
  const batch = ['--data', at('bad.csv'), '--purpose', 'login', '--point', at('point.json')]
  const bad = await ran(dedupeCommand, [...where(), ...batch, '--gallery', at('gallery.json')])
  expect([bad.code, bad.err]).toEqual([1, expect.stringMatching(/^row 1: ERR_DATASET_/)])
})

test('usage', async () => {
  expect(await search('broken.json')).toMatchObject({ code: 2, out: '' })
  expect((await search('missing.json')).code).toBe(1)
  expect((await ran(dedupeCommand, ['--help'])).out).toMatch(/^Usage: guise dedupe/)
  expect((await ran(dedupeCommand, [...where()])).code).toBe(2)
})
