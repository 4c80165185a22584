/** What somebody meets who never saw guise: mistyped places, data that do not fit, files that are in the way. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { decodeOperatingPoint } from 'guise/evaluate'
import { describe, expect, test } from 'vitest'
import { anchorCommand } from '../../src/cli/anchor.ts'
import { auditCommand } from '../../src/cli/audit.ts'
import { backupCommand } from '../../src/cli/backup.ts'
import { calibrateCommand } from '../../src/cli/calibrate.ts'
import { drillCommand } from '../../src/cli/drill.ts'
import { evaluateCommand } from '../../src/cli/evaluate.ts'
import { fsckCommand } from '../../src/cli/fsck.ts'
import { importCommand } from '../../src/cli/import.ts'
import { keysCommand } from '../../src/cli/keys.ts'
import { makeFolder, writeWhole } from '../../src/cli/output.ts'
import { statusCommand } from '../../src/cli/status.ts'
import { syntheticPeople } from '../../src/dataset/synthetic.ts'
import { D, ran, temporaryFolder, writePeople } from './cli-support.ts'

const folder = temporaryFolder()
const { at } = folder

/** One object a line, under names that are not the usual ones. */
async function writeLines(path: string, subjects: number, dimensions = D): Promise<string> {
  const lines: string[] = []
  for await (const { subject, vector } of syntheticPeople({
    seed: 'lines',
    subjects,
    samples: 2,
    dimensions,
  }).read())
    lines.push(JSON.stringify({ id: subject, face: [...vector] }))
  writeFileSync(path, `${lines.join('\n')}\n`)
  return path
}

const columns = ['--subject', 'id', '--vector', 'face']
const calibrated = (data: string, out: string, ...more: string[]) =>
  ran(calibrateCommand, ['--data', data, '--fmr', '0.05', '--out', out, ...more])

describe('a folder without a store', () => {
  const where = ['--realm', 'clinic', '--provider', 'keys', '--passphrase-file', 'secret']
  test.each([
    ['backup', backupCommand, ['--out', 'copy']],
    ['status', statusCommand, where],
    ['fsck', fsckCommand, where],
    ['keys status', keysCommand, ['status', ...where]],
    ['audit export', auditCommand, ['export', '--realm', 'clinic', '--log', 'log']],
    [
      'anchor accept',
      anchorCommand,
      ['accept', ...where, '--anchor', 'a', '--origin', 'o', '--log-key-file', 'k', '--actor', 'me'],
    ],
  ] as const)('%s names it, and makes none', async (name, command, words) => {
    const place = at(name.replace(' ', '-'))
    mkdirSync(place)
    const { code, out, err } = await ran(command, [...words, '--store', place])
    expect([code, out, err]).toEqual([1, '', `ERR_STORE_INPUT: there is no store in ${place}\n`])
    expect(readdirSync(place)).toEqual([])
  })

  test('import names it too, and a place that does not exist', async () => {
    const data = await writeLines(at('import.jsonl'), 30)
    const point = at('import-point.json')
    expect((await calibrated(data, point, ...columns)).code).toBe(0)
    mkdirSync(at('empty'))
    const import_ = (store: string) =>
      ran(importCommand, [
        ...where,
        ...columns,
        '--data',
        data,
        '--store',
        store,
        '--purpose',
        'login',
        '--point',
        point,
        '--basis',
        'basis.json',
      ])
    expect(await import_(at('empty'))).toMatchObject({
      code: 1,
      err: expect.stringMatching(/there is no store in/),
    })
    expect(await import_(at('nowhere'))).toMatchObject({
      code: 1,
      err: expect.stringMatching(/ENOENT.*nowhere/),
    })
    expect(readdirSync(at('empty'))).toEqual([])
    expect(existsSync(at('nowhere'))).toBe(false)
  })
})

describe('what is to be written', () => {
  test('is refused before anything is measured', async () => {
    const data = await writePeople(at('early'), { subjects: 20, samples: 2 })
    mkdirSync(at('taken'))
    writeFileSync(at('there.json'), 'mine')
    for (const [out, said] of [
      [at('gone/point.json'), /ENOENT.*gone/],
      [at('taken'), /EISDIR|a folder, where a file is to be/],
      [at('there.json'), /already exists: .*there\.json; --force replaces it/],
    ] as const) {
      const words = ['--data', data, '--fmr', '0.05', '--out', out]
      // A terminal would show progress, had anything begun.
      const { code, err } = await ran(calibrateCommand, words, true)
      expect({ out, code }).toEqual({ out, code: 1 })
      expect(err).toMatch(said)
      expect(err).not.toContain('\u001b')
    }
    expect(readFileSync(at('there.json'), 'utf8')).toBe('mine')
    const { code, err } = await ran(evaluateCommand, ['--data', data, '--out', at('there.json')], true)
    expect([code, err]).toEqual([1, `not a folder: ${at('there.json')}\n`])
  })

  test('is whole or not there, and replaces nothing without force', () => {
    const files = ['one', 'two'].map((name) => ({ path: at(name), text: name }))
    writeFileSync(at('two'), 'mine')
    const before = readdirSync(folder.path)
    expect(() => writeWhole(files, false)).toThrow(/EEXIST/)
    expect(readdirSync(folder.path)).toEqual(before)
    expect(readFileSync(at('two'), 'utf8')).toBe('mine')
    expect(() => writeWhole([...files, { path: at('gone/three'), text: '' }], true)).toThrow(/ENOENT/)
    expect(readdirSync(folder.path)).toEqual(before)
    writeWhole(files, true)
    expect(files.map(({ path }) => readFileSync(path, 'utf8'))).toEqual(['one', 'two'])
    expect(readdirSync(folder.path)).toEqual([...before, 'one'].sort())
  })
})

test('folders are made one in the other, and what the system refuses ends', () => {
  makeFolder(at('outer/inner'))
  expect(existsSync(at('outer/inner'))).toBe(true)
  writeFileSync(at('outer/file'), '')
  expect(() => makeFolder(at('outer/file/inner'))).toThrow(/ENOTDIR|ENOENT/)
  expect(() => makeFolder('/proc/self/guise/inner')).toThrow(/^E[A-Z]+: /)
})

describe('data that do not fit', () => {
  test('columns are named as for an import', async () => {
    const data = await writeLines(at('named.jsonl'), 30)
    expect((await calibrated(data, at('named.json'))).err).toBe(
      'ERR_DATASET_SUBJECT: named.jsonl, row 0, line 1: there is no field subject\n',
    )
    expect((await calibrated(data, at('named.json'), '--subject', 'id')).err).toBe(
      'ERR_DATASET_LINE: named.jsonl, row 0, line 1: there is no field vector\n',
    )
    expect((await calibrated(data, at('named.json'), ...columns)).code).toBe(0)
    const drill = await ran(drillCommand, ['--data', data, '--bits', '100', ...columns])
    expect([drill.code, drill.err]).toEqual([2, expect.stringMatching(/^--bits is one of/)])
    const evaluated = await ran(evaluateCommand, [
      '--data',
      data,
      '--out',
      at('named'),
      '--only',
      'verification',
      '--bits',
      '64',
      ...columns,
    ])
    expect(evaluated).toMatchObject({ code: 0, err: '' })
  }, 60_000)

  test('too few people are told what their comparisons can show', async () => {
    const one = await writeLines(at('one.jsonl'), 1)
    expect((await calibrated(one, at('one.json'), ...columns)).err).toBe(
      'ERR_EVALUATE_TOO_FEW: there are no two people to compare\n',
    )
    const three = await writeLines(at('three.jsonl'), 3)
    expect((await calibrated(three, at('three.json'), ...columns)).err).toBe(
      'ERR_EVALUATE_TOO_FEW: 12 comparisons of different people can show no rate below 3 / 12\n',
    )
    const evaluated = await ran(evaluateCommand, ['--data', three, '--out', at('three'), ...columns])
    expect(evaluated).toMatchObject({ code: 1, err: expect.stringMatching(/needs 21 samples/) })
    const single = await writePeople(at('single'), { subjects: 40, samples: 1 })
    const nothing = await ran(evaluateCommand, [
      '--data',
      single,
      '--out',
      at('nothing'),
      '--only',
      'verification,drill',
      '--bits',
      '64',
    ])
    expect(nothing.code).toBe(1)
    expect(nothing.err).toMatch(/^ERR_EVALUATE_TOO_FEW: no part could be measured\. Not measured: accuracy: /)
    expect(nothing.err).toContain('Not measured: thefts: a drill needs twenty people')
    expect(existsSync(at('nothing'))).toBe(false)
  }, 60_000)

  test('a model id is made of any name, and a wrong one is wrong usage', async () => {
    const data = await writePeople(at('_My People (2)'), { subjects: 20, samples: 2 })
    expect((await calibrated(data, at('id.json'))).code).toBe(0)
    expect(decodeOperatingPoint(readFileSync(at('id.json'), 'utf8')).model).toBe('my-people-2-@1')
    const { code, err } = await calibrated(data, at('id2.json'), '--model', 'ArcFace')
    expect([code, err]).toEqual([2, expect.stringMatching(/^--model is NAME@VERSION/)])
  })

  test('a mean and a class of another length are named', async () => {
    const data = await writePeople(at('lengths'), { subjects: 20, samples: 2 })
    writeFileSync(at('mean.f32'), new Uint8Array(12))
    expect((await calibrated(data, at('x.json'), '--mean', at('mean.f32'))).err).toMatch(
      /^ERR_EMBEDDING_LENGTH: --mean: /,
    )
    const wide = await writeLines(at('wide.jsonl'), 3, 96)
    const flat = wide.replace('.jsonl', '.csv')
    writeFileSync(flat, `a,${Array.from({ length: 96 }, (_, i) => i).join(',')}\n`)
    expect((await calibrated(data, at('x.json'), '--class', `masked=${flat}`)).err).toBe(
      'ERR_EVALUATE_INPUT: class masked has other dimensions than the data set\n',
    )
    expect(existsSync(at('x.json'))).toBe(false)
  })

  test('what a vault will refuse is said', async () => {
    const data = await writePeople(at('refused'), { subjects: 40, samples: 2 })
    const { code, err } = await calibrated(data, at('refused.json'), '--bits', '128')
    expect(code).toBe(0)
    expect(err).toContain('allowHighFalseMatchRate')
    expect(err).toContain('allowOvercomplete')
  })
})
