import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { calibrateCommand } from '../../src/cli/calibrate.ts'
import {
  count,
  exitCode,
  type Io,
  Progress,
  percent,
  runCommand,
  table,
  UsageError,
} from '../../src/cli/io.ts'
import { syntheticPeople } from '../../src/dataset/synthetic.ts'
import { EvaluateError } from '../../src/evaluate/errors.ts'
import { decodeIdentificationPoint, decodeOperatingPoint } from '../../src/evaluate/operating-file.ts'

interface Recorded extends Io {
  readonly output: string[]
  readonly errors: string[]
}

function record(interactive = false): Recorded {
  const output: string[] = []
  const errors: string[] = []
  return {
    output,
    errors,
    interactive,
    out: (text) => void output.push(text),
    err: (text) => void errors.push(text),
  }
}

describe('how a command ends', () => {
  test.each([
    ['as it says', async (): Promise<number> => 7, 7, ''],
    [
      'wrong usage',
      (): Promise<number> => Promise.reject(new UsageError('no such verb')),
      2,
      'no such verb\n\nUsage: x\n',
    ],
    [
      'a typed error',
      (): Promise<number> => Promise.reject(new EvaluateError('ERR_EVALUATE_INPUT', 'too few')),
      1,
      'ERR_EVALUATE_INPUT: too few\n',
    ],
    [
      'a system error',
      async (): Promise<number> => Number(readFileSync('/nonexistent/x')),
      1,
      expect.stringContaining('ENOENT'),
    ],
  ])('%s', async (_, command, code, text) => {
    const io = record()
    expect(await runCommand(io, '\nUsage: x\n', command)).toBe(code)
    expect(io.errors.join('')).toEqual(text)
    expect(io.output).toEqual([])
  })

  test('a fault of the program is thrown on', async () => {
    const fault = (): Promise<number> => Promise.reject(new TypeError('a bug'))
    await expect(runCommand(record(), '', fault)).rejects.toThrow('a bug')
  })
})

describe('progress', () => {
  function clockAt(): {
    nowMs: number
    clock: { nowMs(): number; steady(): { origin: Uint8Array; ms: number } }
  } {
    const state = {
      nowMs: 0,
      clock: { nowMs: () => 0, steady: () => ({ origin: new Uint8Array(16), ms: state.nowMs }) },
    }
    return state
  }

  test('rewrites one line, at most ten times a second, with the time left', () => {
    const io = record(true)
    const time = clockAt()
    const progress = new Progress(io, 'work', time.clock)
    progress.update(1, 100)
    progress.update(2, 100)
    time.nowMs = 10_000
    progress.update(25, 100)
    time.nowMs = 100_000
    progress.update(25, 100)
    time.nowMs = 100_100
    progress.update(12_345)
    progress.finish()
    progress.finish()
    const line = (text: string): string => `\r\u001b[K${text}`
    expect(io.errors).toEqual([
      line('work 1 %'),
      line('work 25 %, 30 s left'),
      line('work 25 %, 5 min 0 s left'),
      line('work 12,345'),
      '\r\u001b[K',
    ])
  })

  test('says nothing where nobody watches', () => {
    const io = record()
    const progress = new Progress(io, 'work')
    progress.update(1, 2)
    progress.finish()
    expect(io.errors).toEqual([])
  })
})

describe('tables and figures', () => {
  test('figures stand right, words left, cells may be missing', () => {
    expect(
      table([
        ['name', 'rate', 'note'],
        ['a', '1.5 %', 'x'],
        ['longer', '–', ''],
        ['b', '12.25 %'],
      ]),
    ).toBe(
      'name    rate     note\n──────  ───────  ────\na         1.5 %  x\nlonger        –\nb       12.25 %\n'.replace(
        'name    rate   ',
        'name       rate',
      ),
    )
    expect(table([])).toBe('\n\n')
  })

  test('counts and percentages', () => {
    expect(count(999)).toBe('999')
    expect(count(13_010_741)).toBe('13,010,741')
    expect(percent(0.00452)).toBe('0.45 %')
    expect(percent(1, 0)).toBe('100 %')
  })
})

describe('guise calibrate', () => {
  let folder: string
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'guise-calibrate-'))
    const labels = ['row,subject']
    const vectors: number[] = []
    for await (const { row, subject, vector } of syntheticPeople({
      seed: 'cli',
      subjects: 40,
      samples: 2,
      dimensions: 64,
    }).read()) {
      labels.push(`${row},${subject}`)
      vectors.push(...vector)
    }
    writeFileSync(join(folder, 'embeddings.f32'), new Uint8Array(Float32Array.from(vectors).buffer))
    writeFileSync(join(folder, 'labels.csv'), `${labels.join('\n')}\n`)
    writeFileSync(join(folder, 'meta.json'), JSON.stringify({ name: 'counted', dims: 64 }))
    writeFileSync(join(folder, 'mean.f32'), new Uint8Array(new Float32Array(64).fill(0.5).buffer))
  })
  afterAll(() => {
    rmSync(folder, { recursive: true })
  })
  const run = (io: Io, ...argv: string[]): Promise<number> => calibrateCommand(argv, io)

  test('writes the file, prints a table, warns of a high rate', async () => {
    const io = record()
    const out = join(folder, 'point.json')
    expect(await run(io, '--data', folder, '--fmr', '1e-2', '--out', out)).toBe(exitCode.ok)
    const point = decodeOperatingPoint(readFileSync(out, 'utf8'))
    expect(point).toMatchObject({ model: 'counted@1', bits: 64, suite: 'B4', probeClass: 'any' })
    expect(io.output.join('')).toContain(`${point.threshold} of 10000`)
    expect(io.output.join('')).toContain('40 subjects, 80 samples')
    expect(io.errors.join('')).toContain('1 in 10,000')
    expect(await run(io, '--data', folder, '--fmr', '1e-2', '--out', out)).toBe(exitCode.failure)
    expect(await run(io, '--data', folder, '--fmr', '1e-2', '--out', out, '--force')).toBe(exitCode.ok)
  })

  test('takes model, mean, bits, suite, class, pairs and seed, and prints JSON', async () => {
    const io = record()
    const out = join(folder, 'other.json')
    const given = `--data ${folder} --fmr 0.05 --model other@2 --bits 128 --suite B6 --class masked --impostors 1000`
    const more = ['--seed', 's', '--mean', join(folder, 'mean.f32'), '--json', '--out', out]
    expect(await run(io, ...given.split(' '), ...more)).toBe(exitCode.ok)
    const printed = JSON.parse(io.output.join('')) as { operatingPoint: unknown; subjects: number }
    const point = decodeOperatingPoint(readFileSync(out, 'utf8'))
    expect(printed.operatingPoint).toEqual(point)
    expect(point).toMatchObject({ model: 'other@2', bits: 128, suite: 'B6', probeClass: 'masked' })
    // Of 3,120 every 5th of a reference.
    expect(point.falseMatchRate.trials).toBe(624)
    expect(point.meanHash).not.toBe(
      decodeOperatingPoint(readFileSync(join(folder, 'point.json'), 'utf8')).meanHash,
    )
  })

  test('measures classes, groups and a gallery, each into a file of its own', async () => {
    const io = record()
    const labels = readFileSync(join(folder, 'labels.csv'), 'utf8').split('\n')
    const grouped = labels.map((line, i) => {
      if (line === '') return line
      return i === 0 ? `${line},age` : `${line},${Number(line.split('-')[1]) % 2 === 0 ? 'old' : 'young'}`
    })
    writeFileSync(join(folder, 'ages.csv'), grouped.join('\n'))
    mkdirSync(join(folder, 'aged'))
    for (const [from, to] of [
      ['embeddings.f32', 'embeddings.f32'],
      ['ages.csv', 'labels.csv'],
      ['meta.json', 'meta.json'],
    ])
      copyFileSync(join(folder, from!), join(folder, 'aged', to!))
    const out = join(folder, 'all.json')
    const words = `--data ${folder}/aged --fmr 0.02 --class plain --class same=${folder} --group age --every-group`
    const search = `--gallery 20 --fpir 0.05 --draws 3 --gallery-bits 64 --scan 10 --threads 1 --out ${out}`
    expect(await run(io, ...words.split(' '), ...search.split(' '))).toBe(exitCode.ok)
    const read = (name: string): string => readFileSync(join(folder, name), 'utf8')
    expect(decodeOperatingPoint(read('all.json')).probeClass).toBe('plain')
    expect(decodeOperatingPoint(read('all.same.json')).probeClass).toBe('same')
    const point = decodeIdentificationPoint(read('all.gallery.json'))
    expect(point).toMatchObject({ gallerySize: 20, scanThreshold: 10, galleryBits: 64, probeClass: 'plain' })
    expect(point.falsePositiveRate.trials).toBe(3 * 20 * 2)
    const printed = io.output.join('')
    for (const text of [
      'promised at most',
      'worst group',
      'all.same.json',
      'all.gallery.json',
      '120 searches',
    ])
      expect(printed).toContain(text)
    expect(printed).toMatch(/worst group +(old|young): /)
    // One of the files is there: nothing is measured, nothing is written.
    rmSync(out)
    const again = record()
    expect(await run(again, ...words.split(' '), ...search.split(' '))).toBe(exitCode.failure)
    expect(again.errors.join('')).toContain('all.same.json')
    expect(existsSync(out)).toBe(false)
  })

  test('people with one sample each have no true match rate', async () => {
    const io = record()
    const rows = Array.from(
      { length: 12 },
      (_, r) => `s${r},${Array.from({ length: 64 }, (_, i) => ((r * 31 + i * 17) % 23) - 11)}`,
    )
    writeFileSync(join(folder, 'single.csv'), rows.join('\n'))
    const out = join(folder, 'single.json')
    expect(
      await run(io, '--data', join(folder, 'single.csv'), '--fmr', '0.5', '--impostors', 'all', '--out', out),
    ).toBe(0)
    expect(io.output.join('')).toContain('unknown: no subject has two samples')
  })

  test.each([
    ['nothing', []],
    ['no rate', ['--data', '.', '--out', 'x']],
    ['a rate of one', ['--data', '.', '--out', 'x', '--fmr', '1']],
    ['no file', ['--data', '.', '--fmr', '0.1']],
    ['unknown bits', ['--data', '.', '--out', 'x', '--fmr', '0.1', '--bits', '100']],
    ['unknown suite', ['--data', '.', '--out', 'x', '--fmr', '0.1', '--suite', 'B5']],
    ['half a pair', ['--data', '.', '--out', 'x', '--fmr', '0.1', '--impostors', '0.5']],
    [
      'two classes of the data set',
      ['--data', '.', '--out', 'x', '--fmr', '0.1', '--class', 'a', '--class', 'b'],
    ],
    ['a class twice', ['--data', '.', '--out', 'x', '--fmr', '0.1', '--class', 'a', '--class', 'a=.']],
    ['a class called gallery', ['--data', '.', '--out', 'x', '--fmr', '0.1', '--class', 'gallery=.']],
    ['a class that is a path', ['--data', '.', '--out', 'x', '--fmr', '0.1', '--class', '../a=.']],
    ['searches without a gallery', ['--data', '.', '--out', 'x', '--fmr', '0.1', '--fpir', '0.1']],
    ['a gallery of one', ['--data', '.', '--out', 'x', '--fmr', '0.1', '--gallery', '1']],
    [
      'a rate of searches of two',
      ['--data', '.', '--out', 'x', '--fmr', '0.1', '--gallery', '9', '--fpir', '2'],
    ],
    ['no threads', ['--data', '.', '--out', 'x', '--fmr', '0.1', '--threads', '0']],
    ['an unknown option', ['--nothing']],
    ['a stray word', ['folder']],
  ])('%s is wrong usage', async (_, argv) => {
    const io = record()
    expect(await run(io, ...argv.map((word) => (word === '.' ? folder : word)))).toBe(exitCode.usage)
    expect(io.errors.join('')).toContain('Usage: guise calibrate')
  })

  test('a rate that the people cannot show, and a folder that is not there, are failures', async () => {
    const io = record()
    expect(await run(io, '--data', folder, '--fmr', '1e-6', '--out', 'x')).toBe(exitCode.failure)
    expect(await run(io, '--data', join(folder, 'none'), '--fmr', '0.1', '--out', 'x')).toBe(exitCode.failure)
    expect(io.errors.join('')).toContain('ERR_EVALUATE_TOO_FEW')
    expect(io.errors.join('')).toContain('ERR_DATASET_FILE')
  })

  test('--help', async () => {
    const io = record()
    expect(await run(io, '--help')).toBe(exitCode.ok)
    expect(io.output.join('')).toContain('Usage: guise calibrate')
  })
})
