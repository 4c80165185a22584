import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import {
  allowUnattestedCapture,
  embedding,
  logSigner,
  type Model,
  openKeyring,
  openVault,
  revealReason,
} from 'guise'
import { lmdbStore } from 'guise/lmdb'
import { localKeyProvider } from 'guise/node'
import { beforeAll, describe, expect, test } from 'vitest'
import { calibrateCommand } from '../../src/cli/calibrate.ts'
import { importCommand } from '../../src/cli/import.ts'
import { keysCommand } from '../../src/cli/keys.ts'
import { syntheticPeople } from '../../src/dataset/synthetic.ts'
import { decodeOperatingPoint } from '../../src/evaluate/operating-file.ts'
import { allowHighFalseMatchRate } from '../../src/vault/symbols.ts'
import { type Ran, ran, temporaryFolder } from './cli-support.ts'

const D = 64
const folder = temporaryFolder()
const KEY = new Uint8Array(32).fill(5)
const MEAN = Float32Array.from({ length: D }, (_, i) => (i % 3) / 100)
/** Rows of people to be imported: two samples each. */
const vectors: Float32Array[] = []

function floats(values: readonly Float32Array[]): Uint8Array {
  return new Uint8Array(Float32Array.from(values.flatMap((vector) => [...vector])).buffer)
}

function npy(values: readonly Float32Array[]): Uint8Array {
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (${values.length}, ${D}), }`
  const header = `${text.padEnd(117)}\n`
  const head = Uint8Array.from([0x93, ...new TextEncoder().encode('NUMPY'), 1, 0, header.length & 255, 0])
  return new Uint8Array([...head, ...new TextEncoder().encode(header), ...floats(values)])
}

const BASIS = {
  kind: 'consent',
  grantedAt: '2026-01-31T00:00:00Z',
  expiresAt: '2030-01-31',
  noticeVersion: '2026-01',
  evidence: 'ab'.repeat(32),
  separateConsent: true,
}

beforeAll(async () => {
  const dataset = syntheticPeople({ seed: 'import', subjects: 6, samples: 2, dimensions: D })
  for await (const { vector } of dataset.read()) vectors.push(vector)
  const { at } = folder
  writeFileSync(at('key'), KEY)
  writeFileSync(at('mean.f32'), floats([MEAN]))
  writeFileSync(at('basis.json'), JSON.stringify(BASIS))
  const lines = vectors.map((vector, row) => [`s${row >> 1}`, ...vector].join(','))
  writeFileSync(at('people.csv'), lines.join('\n'))
  const mapped = vectors.map((vector, row) => `x,${row},"s${row >> 1}","[${[...vector].join(',')}]"`)
  writeFileSync(at('mapped.csv'), ['note,id,who,face', ...mapped].join('\n'))
  const objects = vectors.map((vector, row) => JSON.stringify({ who: `s${row >> 1}`, face: [...vector] }))
  writeFileSync(at('people.jsonl'), objects.join('\n'))
  writeFileSync(at('people.npy'), npy(vectors))
  writeFileSync(at('people.f32'), floats(vectors))
  writeFileSync(
    at('labels.csv'),
    ['row,subject', ...vectors.map((_, row) => `${row},s${row >> 1}`)].join('\n'),
  )
  writeFileSync(at('names.csv'), vectors.map((_, row) => `s${row >> 1}`).join('\n'))
  const others = syntheticPeople({ seed: 'others', subjects: 60, samples: 2, dimensions: D })
  const rows: string[] = []
  for await (const { subject, vector } of others.read()) rows.push([subject, ...vector].join(','))
  writeFileSync(at('others.csv'), rows.join('\n'))
  const calibrated = ['--data', at('others.csv'), '--fmr', '0.01', '--model', 'import@1']
  expect((await ran(calibrateCommand, [...calibrated, '--out', at('point.json')])).code).toBe(0)
  const centred = [...calibrated, '--mean', at('mean.f32'), '--out', at('centred.json')]
  expect((await ran(calibrateCommand, centred)).code).toBe(0)
}, 60_000)

function keysAt(store: string): string[] {
  const { at } = folder
  return ['--realm', 'clinic', '--store', at(store), '--provider', at('keys'), '--key-file', at('key')]
}

/** Makes the store when it is new. */
async function newStore(store: string): Promise<string[]> {
  rmSync(folder.at('keys'), { recursive: true, force: true })
  expect((await ran(keysCommand, ['init', ...keysAt(store)])).code).toBe(0)
  return keysAt(store)
}

function importInto(where: readonly string[], data: string, ...more: readonly string[]): Promise<Ran> {
  const { at } = folder
  const fixed = [
    '--data',
    at(data),
    '--purpose',
    'login',
    '--point',
    at('point.json'),
    '--basis',
    at('basis.json'),
  ]
  return ran(importCommand, [...where, ...fixed, ...more])
}

async function outcomes(run: Promise<Ran>): Promise<unknown> {
  const { code, out, err } = await run
  expect(err).toBe('')
  return { code, ...(JSON.parse(out) as object) }
}

/** What the vault in a store says to each person's second sample. */
async function verifyAll(store: string, point = 'point.json', mean?: Float32Array): Promise<string[]> {
  const { at } = folder
  const model: Model = { id: 'import@1', dimensions: D, metric: 'cosine', ...(mean && { mean }) }
  const opened = await lmdbStore({ path: at(store) })
  const provider = localKeyProvider({ path: at('keys'), key: KEY })
  const keyring = await openKeyring({ realm: 'clinic', provider, store: opened })
  const vault = await openVault({
    keyring,
    store: opened,
    model,
    purpose: 'login',
    operatingPoints: [decodeOperatingPoint(readFileSync(at(point), 'utf8'))],
    custody: { profile: 'operator' },
    logSigner: await logSigner('clinic.example/guise', KEY),
    [allowHighFalseMatchRate]: true,
    [revealReason]: true,
  })
  const said: string[] = []
  for (let person = 0; person < 6; person++) {
    const sample = {
      embedding: embedding(vectors[2 * person + 1] as Float32Array, model),
      [allowUnattestedCapture]: true,
    } as const
    said.push((await vault.verify({ subject: `s${person}`, ...sample })).outcome)
  }
  await vault.close()
  keyring.close()
  provider.close()
  await opened.close()
  return said
}

const matching = (said: readonly string[]): number => said.filter((outcome) => outcome === 'match').length

describe('formats and columns', () => {
  const counts = { enrolled: 6, valid: 0, present: 6, failed: 0, dryRun: false, from: 0 }
  test.each([
    ['csv', 'people.csv', []],
    ['csv with columns by name', 'mapped.csv', ['--subject', 'who', '--vector', 'face']],
    ['csv with columns by number', 'mapped.csv', ['--subject', '2', '--vector', '3']],
    ['jsonl', 'people.jsonl', ['--subject', 'who', '--vector', 'face']],
    ['npy', 'people.npy', []],
    ['f32', 'people.f32', []],
    ['f32 with labels elsewhere', 'people.f32', ['--labels', 'names.csv']],
  ])(
    '%s',
    async (name, data, options) => {
      const store = `store-${name}`
      const where = await newStore(store)
      const more = options.map((word) => (word === 'names.csv' ? folder.at(word) : word))
      const expected = { code: 0, ...counts, errors: {}, failures: [] }
      expect(await outcomes(importInto(where, data, '--json', ...more))).toEqual(expected)
      expect(await outcomes(importInto(where, data, '--json', ...more))).toEqual(expected)
      expect(matching(await verifyAll(store))).toBeGreaterThan(4)
    },
    60_000,
  )

  test('a model with a mean takes it, and refuses a point of another', async () => {
    const where = await newStore('centred')
    const { at } = folder
    const centred = ['--point', at('centred.json'), '--mean', at('mean.f32')]
    const fixed = ['--data', at('people.csv'), '--purpose', 'login', '--basis', at('basis.json')]
    const run = (...more: string[]): Promise<Ran> => ran(importCommand, [...where, ...fixed, ...more])
    const refused = /^ERR_POLICY_OPERATING_POINT: .*mean/
    expect(await run('--point', at('centred.json'))).toMatchObject({
      code: 1,
      err: expect.stringMatching(refused),
    })
    const plain = await run('--point', at('point.json'), '--mean', at('mean.f32'), '--dry-run')
    expect(plain).toMatchObject({ code: 1, err: expect.stringMatching(refused) })
    const parity = ['--parity', '0.4', '--data', at('people.csv')]
    const compared = await ran(importCommand, [...parity, '--point', at('centred.json')])
    expect(compared).toMatchObject({ code: 1, err: expect.stringMatching(refused) })
    expect((await ran(importCommand, [...parity, ...centred])).code).toBe(0)
    expect((await run(...centred)).code).toBe(0)
    expect(matching(await verifyAll('centred', 'centred.json', MEAN))).toBeGreaterThan(4)
  }, 60_000)
})

describe('a run', () => {
  test('checks first, fuses, says what to do next, and shows where it is on a terminal', async () => {
    const where = await newStore('words')
    const checked = await importInto(where, 'people.csv', '--dry-run', '--fuse')
    expect(checked.out).toMatch(/valid +6\n/)
    expect(checked.out).not.toContain('plaintext')
    expect(await verifyAll('words')).toEqual(Array(6).fill('refused'))
    const done = await importInto(where, 'people.csv', '--fuse')
    expect(done.out).toMatch(/enrolled +6\n/)
    expect(done.out).toContain('Before the plaintext is removed')
    const { at } = folder
    const words = [...where, '--data', at('people.f32'), '--purpose', 'login', '--point', at('point.json')]
    const again = await ran(importCommand, [...words, '--basis', at('basis.json'), '--fuse'], true)
    expect(again.err).toContain('importing ')
  }, 60_000)

  test('bases differ by subject; who has a bad one fails, by row, and is taken up again', async () => {
    const where = await newStore('bases')
    const { at } = folder
    writeFileSync(
      at('table.csv'),
      'subject,expiresAt,under14,guardianEvidence\ns1,2020-01-01,,\n"s2",,true,\n',
    )
    const table = ['--basis-table', at('table.csv'), '--checkpoint', at('bases.checkpoint')]
    const first = await importInto(where, 'people.csv', '--fuse', ...table)
    expect(first.code).toBe(1)
    expect(first.out).toMatch(/enrolled +4\n[\s\S]*failed +2\n/)
    expect(first.err).toMatch(
      /^row 2: ERR_POLICY_BASIS: [^\n]*\nrow 4: ERR_POLICY_BASIS: [^\n]*\n2 × ERR_POLICY_BASIS\n$/,
    )
    expect(JSON.parse(readFileSync(at('bases.checkpoint'), 'utf8'))).toMatchObject({ row: 2 })
    writeFileSync(at('table.csv'), `subject,under14,guardianEvidence\ns2,true,${'cd'.repeat(32)}\n`)
    const second = await importInto(where, 'people.csv', '--fuse', ...table)
    expect([second.code, second.err]).toEqual([0, ''])
    expect(second.out).toMatch(/^Rows below 2 were done before.\n\noutcome[\s\S]*enrolled +5\n/)
    expect(JSON.parse(readFileSync(at('bases.checkpoint'), 'utf8'))).toMatchObject({ row: 12 })
    expect(matching(await verifyAll('bases'))).toBeGreaterThan(4)
  }, 60_000)

  test('a malformed row fails by its number, without its values', async () => {
    const where = await newStore('malformed')
    const lines = readFileSync(folder.at('people.csv'), 'utf8').split('\n')
    lines[4] = String(lines[4]).replace(/,[^,]*$/, ',4.2e99')
    lines[7] = 's3,1,2,3'
    writeFileSync(folder.at('bad.csv'), lines.join('\n'))
    const { code, out, err } = await importInto(where, 'bad.csv', '--json')
    expect([code, err]).toEqual([1, ''])
    expect(JSON.parse(out)).toMatchObject({
      enrolled: 6,
      present: 4,
      failed: 2,
      errors: { ERR_DATASET_VALUE: 1, ERR_DATASET_LINE: 1 },
      failures: [
        { row: 4, code: 'ERR_DATASET_VALUE', message: expect.stringContaining('bad.csv, row 4, line 5: ') },
        { row: 7, code: 'ERR_DATASET_LINE' },
      ],
    })
    expect(out).not.toContain('4.2e99')
    writeFileSync(folder.at('blank.csv'), `${lines.slice(0, 3).join('\n')}\n\n${lines[3]}\n`)
    const checkpoint = folder.at('blank.checkpoint')
    const blank = await importInto(where, 'blank.csv', '--name', 'blank', '--checkpoint', checkpoint)
    expect(blank).toMatchObject({ code: 1, err: 'ERR_DATASET_LINE: blank.csv, line 4: the line is blank\n' })
    expect(JSON.parse(readFileSync(checkpoint, 'utf8'))).toMatchObject({ row: expect.any(Number) })
  }, 60_000)

  test('a checkpoint of another import, or none at all, is refused', async () => {
    const where = await newStore('checkpoint')
    const file = folder.at('import.checkpoint')
    const run = (...more: string[]): Promise<Ran> =>
      importInto(where, 'people.csv', '--checkpoint', file, '--json', ...more)
    expect(await outcomes(run('--dry-run'))).toMatchObject({ valid: 6, from: 0 })
    expect(() => readFileSync(file)).toThrow('ENOENT')
    expect(await outcomes(run())).toMatchObject({ enrolled: 6, from: 0 })
    expect(await outcomes(run())).toMatchObject({ enrolled: 0, present: 0, from: 12 })
    const other = /^ERR_INTAKE_CHECKPOINT: .*another import/
    expect(await run('--name', 'other')).toMatchObject({ code: 1, err: expect.stringMatching(other) })
    expect(await run('--fuse')).toMatchObject({ code: 1, err: expect.stringMatching(other) })
    const { import: digest } = JSON.parse(readFileSync(file, 'utf8')) as { import: string }
    for (const text of ['', 'null', '{', '{"row":1}', JSON.stringify({ import: digest, row: -1 })]) {
      writeFileSync(file, text)
      expect((await run()).err).toMatch(/^ERR_INTAKE_CHECKPOINT: /)
    }
    writeFileSync(file, JSON.stringify({ import: digest, row: '1' }))
    expect((await run()).err).toMatch(/^ERR_INTAKE_CHECKPOINT: the checkpoint holds no row/)
  }, 60_000)

  test('a file of bases that is malformed is refused with its line', async () => {
    const where = await newStore('malformed-bases')
    const { at } = folder
    const run = async (file: string, text: string, option = '--basis-table'): Promise<string> => {
      writeFileSync(at(file), text)
      const { code, err } = await importInto(where, 'people.csv', option, at(file))
      expect(code).toBe(1)
      return err
    }
    const common = (value: unknown): Promise<string> => run('b.json', JSON.stringify(value), '--basis')
    expect(await run('b.json', '{', '--basis')).toBe('ERR_INTAKE_BASIS: b.json is not JSON\n')
    expect(await common([])).toMatch('does not hold an object')
    expect(await common(null)).toMatch('does not hold an object')
    expect(await common({ ...BASIS, kind: 1 })).toMatch('a field is not a text')
    expect(await common({ ...BASIS, purpose: 'x' })).toMatch('a basis has the fields kind, ')
    expect(await common({ ...BASIS, separateConsent: 'yes' })).toMatch('separateConsent is true or false')
    expect(await common({ ...BASIS, grantedAt: '2026-01-31T00:00:00' })).toMatch('with a zone')
    expect(await common({})).toMatch('\n12 × ERR_POLICY_BASIS')
    expect(await run('t.csv', 'name\nx\n')).toMatch('t.csv, line 1: there is no column subject')
    expect(await run('t.csv', 'subject,kind\nx\n')).toMatch('t.csv, line 2: another number of fields')
    expect(await run('t.csv', 'subject,kind\nx,law\nx,law\n')).toMatch(
      't.csv, line 3: the subject has a line already',
    )
    expect(await run('t.csv', 'subject,kind\n"x,law\n')).toMatch('ERR_DATASET_LINE: t.csv, line 2')
    expect(await importInto(where, 'people.csv', '--basis', at('nowhere'))).toMatchObject({
      code: 1,
      err: expect.stringContaining('ENOENT'),
    })
  }, 60_000)
})

describe('parity', () => {
  const parity = (...more: string[]): Promise<Ran> => {
    const { at } = folder
    return ran(importCommand, ['--data', at('others.csv'), '--point', at('point.json'), ...more], true)
  }
  test('is a table or JSON, and needs no store', async () => {
    const { code, out } = await parity('--parity', '0.35')
    expect(code).toBe(0)
    expect(out).toMatch(/^pairs +n +both accept +both reject +only before +only after\n/)
    expect(out).toMatch(/\nof one person +60 +/)
    const json = JSON.parse((await parity('--parity', '0.35', '--json')).out) as {
      mated: { pairs: number }
    }
    expect(json).toMatchObject({ cosineThreshold: 0.35, mated: { pairs: 60 }, nonMated: { pairs: 7080 } })
    writeFileSync(
      folder.at('single.csv'),
      readFileSync(folder.at('others.csv'), 'utf8')
        .split('\n')
        .filter((_, row) => row % 2 === 0)
        .join('\n'),
    )
    expect((await parity('--data', folder.at('single.csv'), '--parity', '1')).out).toMatch(
      /\nof one person +0 +– +– +– +–\n/,
    )
  })

  test.each(['0', '1.1', 'x', ''])('a threshold of %j is wrong usage', async (cosine) => {
    expect(await parity(`--parity=${cosine}`)).toMatchObject({ code: 2 })
  })
})

describe('what is missing', () => {
  const all = '--realm r --store s --provider p --key-fd 3 --purpose u --point o --basis b --data d'.split(
    ' ',
  )
  test.each(['--realm', '--store', '--provider', '--key-fd', '--purpose', '--point', '--basis', '--data'])(
    '%s is wrong usage',
    async (name) => {
      const at = all.indexOf(name)
      const { code, out, err } = await ran(importCommand, all.toSpliced(at, 2))
      expect([code, out]).toEqual([2, ''])
      expect(err).toContain('Usage: guise import')
    },
  )

  test('a store that is not there is not made; an unknown option is wrong usage', async () => {
    const { at } = folder
    const where = ['--realm', 'r', '--store', at('none'), '--provider', at('keys'), '--key-file', at('key')]
    const { code, err } = await importInto(where, 'people.csv')
    expect([code, err]).toEqual([1, expect.stringContaining('ENOENT')])
    expect((await ran(importCommand, ['--everything'])).code).toBe(2)
    expect(await ran(importCommand, ['--help'])).toMatchObject({ code: 0, err: '' })
  })
})
