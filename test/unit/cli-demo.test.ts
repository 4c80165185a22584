import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { demoCommand } from '../../src/cli/demo.ts'
import { castOf } from '../../src/cli/demo-cast.ts'
import type { Finding } from '../../src/cli/demo-stage.ts'
import { temporaryFolder as newFolder } from '../../src/cli/temporary-folder.ts'
import { codeOf, cosine, guessFrom, hammingShare } from '../../src/cli/thief.ts'
import { syntheticPeople } from '../../src/dataset/synthetic.ts'
import { EvaluateError } from '../../src/evaluate/errors.ts'
import { ran, temporaryFolder } from './cli-support.ts'
import { type FakeRow, fake, wiped } from './intake-support.ts'

const D = 64
const folder = temporaryFolder()

interface Story {
  readonly ok: boolean
  readonly people: number
  readonly findings: readonly Finding[]
}

function finding(story: Story, step: string, what: string): Finding {
  const found = story.findings.find((each) => each.step === step && each.what.includes(what))
  if (found === undefined) throw new Error(`no finding ${step}: ${what}`)
  return found
}

function left(): string[] {
  return readdirSync(tmpdir()).filter((name) => name.startsWith('guise-demo-'))
}

/** A folder with one .npy and labels. */
async function npyFolder(name: string, subjects: number, samples: number): Promise<string> {
  const rows = subjects * samples
  const description = `{'descr': '<f4', 'fortran_order': False, 'shape': (${rows}, ${D}), }`
  const header = `${description.padEnd(117)}\n`
  const text = new TextEncoder().encode(header)
  const floats: number[] = []
  const labels: string[] = []
  for await (const { subject, vector } of syntheticPeople({
    seed: name,
    subjects,
    samples,
    dimensions: D,
  }).read()) {
    floats.push(...vector)
    labels.push(subject)
  }
  const path = folder.at(name)
  mkdirSync(path)
  const start = Uint8Array.from([0x93, ...new TextEncoder().encode('NUMPY'), 1, 0, text.length & 255, 0])
  const data = new Uint8Array(Float32Array.from(floats).buffer)
  writeFileSync(`${path}/faces.npy`, new Uint8Array([...start, ...text, ...data]))
  writeFileSync(`${path}/labels.csv`, labels.join('\n'))
  return path
}

describe('with synthetic people', () => {
  let story: Story
  beforeAll(async () => {
    // Other tests make demos in the machine's own.
    const temporary = folder.at('temporary')
    mkdirSync(temporary)
    vi.stubEnv('TMPDIR', temporary)
    const before = left()
    const { code, out, err } = await ran(demoCommand, ['--people', '60', '--json'], true)
    expect(code).toBe(0)
    for (const label of [
      'drawing synthetic people',
      'calibrating on other people',
      'enrolling',
      'verifying',
    ]) {
      expect(err).toContain(label)
    }
    story = JSON.parse(out) as Story
    expect(left()).toEqual(before)
  }, 120_000)

  test('everything is as promised, and every finding has figures', () => {
    expect(story).toMatchObject({ synthetic: true, people: 60, seed: 'demo', ok: true })
    expect(story.findings.every(({ figures }) => Object.keys(figures).length > 0)).toBe(true)
    expect(story.findings.map(({ step }) => step)).toEqual(
      'calibrate enroll verify thief thief revoke reissue revoke thief rollback rotate rotate erase log scan'.split(
        ' ',
      ),
    )
  })

  test('the copied database without the key is useless, with it it is not', () => {
    expect(finding(story, 'thief', 'key not').figures).toMatchObject({
      accepted: 0,
      n: 30,
      opening: 'ERR_KEYS_PASSPHRASE',
    })
    expect(finding(story, 'thief', 'the same copy with').figures).toMatchObject({ opened: 30, n: 30 })
    expect(finding(story, 'thief', 'the same copy with').figures['accepted']).toBeGreaterThan(0.5)
  })

  test('stolen codes open under nothing that the live store holds, nor under the keys of later', () => {
    expect(finding(story, 'revoke', 'secrets of the live store').figures).toEqual({
      opened: 0,
      codes: 30,
      secrets: 60,
    })
    expect(finding(story, 'rotate', 'the old copy').figures).toEqual({
      opened: 0,
      n: 30,
      opening: 'ERR_KEYS_DESTROYED',
    })
    expect(finding(story, 'thief', 'presented to the new').figures).toMatchObject({ exposed: 30, n: 30 })
  })

  test('the scan covers the copy and finds the control, and nothing else', () => {
    const { figures } = finding(story, 'scan', 'the stolen copy too')
    expect(figures).toMatchObject({ hits: 0, control: 513, planted: 513, people: 60 })
    expect(figures['files']).toBeGreaterThan(5)
  })

  test('as a table it is at most 120 columns wide', async () => {
    vi.resetModules()
    vi.doMock('../../src/cli/demo-story.ts', () => ({ tellStory: () => story.findings }))
    vi.doMock('../../src/cli/demo-cast.ts', () => ({ syntheticCast: async () => ({ people: [] }) }))
    const mocked = await import('../../src/cli/demo.ts')
    const { code, out } = await ran(mocked.demoCommand, [])
    expect(code).toBe(0)
    expect(out).toMatch(/^Synthetic people, no evidence about real faces\.\n\nstep +what +result\n/)
    expect(out).toMatch(/\nAll as promised\.\n$/)
    expect(Math.max(...out.split('\n').map((line) => line.length))).toBeLessThanOrEqual(120)
  })

  afterEach(() => {
    vi.doUnmock('../../src/cli/demo-story.ts')
    vi.doUnmock('../../src/cli/demo-cast.ts')
  })

  test('what is not as promised ends with 1, also in JSON', async () => {
    vi.resetModules()
    const [first, ...rest] = story.findings
    const findings = [{ ...(first as Finding), expected: false }, ...rest]
    vi.doMock('../../src/cli/demo-story.ts', () => ({ tellStory: () => findings }))
    const cast = async () => ({ people: [] })
    vi.doMock('../../src/cli/demo-cast.ts', () => ({ syntheticCast: cast, castOf: cast }))
    const mocked = await import('../../src/cli/demo.ts')
    const words = await ran(mocked.demoCommand, [])
    expect(words.code).toBe(1)
    expect(words.out).toContain('NOT AS PROMISED: threshold')
    expect(words.out).toMatch(/\nNOT as promised: see the table\.\n$/)
    const json = await ran(mocked.demoCommand, ['--json'])
    expect([json.code, (JSON.parse(json.out) as Story).ok]).toEqual([1, false])
    const data = await npyFolder('not-as-promised', 10, 2)
    expect((await ran(mocked.demoCommand, ['--data', data, '--keys', '1'])).code).toBe(1)
  })
})

describe('with embeddings of your own', () => {
  test('reports accuracy and runs the vault on half of the people', async () => {
    const path = await npyFolder('set', 60, 3)
    const { code, out, err } = await ran(demoCommand, ['--data', path, '--keys', '2', '--json'], true)
    expect(code).toBe(0)
    expect(err).toContain('scoring set')
    const report = JSON.parse(out) as { accuracy: Record<string, unknown>; vault: Story }
    expect(Object.keys(report.accuracy)).toEqual(['cosine', 'm64', 'm128', 'm256', 'm512', 'm1024'])
    for (const [name, figures] of Object.entries(report.accuracy)) {
      expect(figures).toEqual({
        eer: expect.any(Number),
        tmr: { '1e-2': expect.any(Number), '1e-3': expect.any(Number), '1e-4': null },
        genuine: 180,
        impostor: 15_930,
        keys: name === 'cosine' ? 0 : 2,
      })
    }
    expect(report.vault).toMatchObject({ people: 30, ok: true })
    // 90 samples of 30 people can show 3 in 3,915.
    expect(finding(report.vault, 'calibrate', '30 other people').figures['target']).toBeCloseTo(
      3.001 / 3915,
      10,
    )
    expect(finding(report.vault, 'verify', '').figures).toMatchObject({ n: 30, refused: 0 })
    expect(finding(report.vault, 'scan', '').figures).toMatchObject({ hits: 0, control: 65 })
  }, 120_000)

  test('prints tables, takes a mean, and does without a vault when there are too few people', async () => {
    const path = await npyFolder('few', 8, 2)
    writeFileSync(folder.at('mean.f32'), new Uint8Array(4 * D).fill(0))
    const words = ['--data', path, '--keys', '1', '--impostors', 'all', '--mean', folder.at('mean.f32')]
    const { code, out } = await ran(demoCommand, words)
    expect(code).toBe(0)
    expect(out).toMatch(/^few: 8 subjects, 16 samples, d = 64\n/)
    expect(out).toMatch(/\n +EER +over keys +TMR@1e-2 +TMR@1e-3 +TMR@1e-4 +mated +non-mated\n/)
    expect(out).toMatch(/\ncosine, unprotected +\d/)
    expect(out).toMatch(/\nEER at 512 bits less that of the cosine: /)
    expect(out).toMatch(/\nToo few people with two samples for a vault\.\n$/)
    expect(Math.max(...out.split('\n').map((line) => line.length))).toBeLessThanOrEqual(120)
    const json = await ran(demoCommand, ['--data', path, '--keys', '1', '--json'])
    expect(JSON.parse(json.out)).toMatchObject({ dataset: 'few', vault: null })
  }, 60_000)

  test('a story of such people is printed below the accuracy', async () => {
    const path = await npyFolder('words', 30, 2)
    const { code, out } = await ran(demoCommand, ['--data', path, '--keys', '1', '--impostors', '300'])
    expect(code).toBe(0)
    expect(out).toContain(
      'The vault itself with 15 of these people, calibrated on others of the set:\n\nstep ',
    )
    expect(existsSync(path)).toBe(true)
  }, 60_000)

  test('people with few samples use some twice; others are kept apart and wiped', async () => {
    const rows: FakeRow[] = Array.from({ length: 200 }, (_, row) => {
      const subject = Math.floor(row / 5)
      return { subject: `s${subject}`, person: subject, sample: row % 5 }
    }).filter((_, row) => row % 5 < 2 + (Math.floor(row / 10) % 4))
    const dataset = fake(rows)
    const cast = await castOf(dataset, { id: 'x@1', dimensions: 128, metric: 'cosine' })
    expect(cast?.people).toHaveLength(20)
    const [two, three, four] = cast?.people ?? []
    expect(two?.samples[2]).toBe(two?.samples[1])
    expect(two?.samples[3]).toBe(two?.samples[0])
    expect(three?.samples[2]).not.toBe(three?.samples[1])
    expect(three?.samples[3]).toBe(three?.samples[0])
    expect(new Set(four?.samples).size).toBe(4)
    const enrolled = new Set((cast?.people ?? []).flatMap(({ samples }) => samples))
    const others = dataset.given.filter((vector) => !enrolled.has(vector))
    expect(others.every((vector) => vector.every((value) => value === 0))).toBe(true)
    const before = dataset.given.length
    const subjects = new Set<string>()
    for await (const { subject, vector } of cast?.others.read() ?? []) {
      subjects.add(subject)
      vector.fill(0)
    }
    expect(subjects.size).toBe(20)
    expect([...subjects].every((subject) => Number(subject.slice(1)) % 2 === 1)).toBe(true)
    expect(wiped({ ...dataset, given: dataset.given.slice(before) })).toBe(true)
  })
})

test.each([
  ['--people', '49'],
  ['--people', '1e3'],
  ['--people', '20001'],
  ['--keys', '0'],
  ['--impostors', 'some'],
  ['--nothing', ''],
])('%s %s is wrong usage', async (option, value) => {
  const { code, err } = await ran(
    demoCommand,
    [option, value].filter((word) => word !== ''),
  )
  expect(code).toBe(2)
  expect(err).toContain('Usage: guise demo')
})

test('data that is not there is a failure; --help is none', async () => {
  expect(await ran(demoCommand, ['--data', folder.at('nowhere')])).toMatchObject({
    code: 1,
    err: expect.stringMatching(/^ERR_DATASET_FILE: /),
  })
  expect(await ran(demoCommand, ['--help'])).toMatchObject({ code: 0, err: '' })
})

test('an interrupted demo leaves no folder behind', () => {
  const { path } = newFolder('guise-demo-')
  expect(statSync(path).mode & 0o777).toBe(0o700)
  writeFileSync(`${path}/vector`, 'x')
  const kill = vi.spyOn(process, 'kill').mockReturnValue(true)
  const count = process.listenerCount('SIGINT')
  const [interrupt] = process.listeners('SIGTERM').slice(-1)
  interrupt?.('SIGTERM')
  expect(existsSync(path)).toBe(false)
  expect(kill).toHaveBeenCalledWith(process.pid, 'SIGTERM')
  expect(process.listenerCount('SIGINT')).toBe(count - 1)
  kill.mockRestore()
})

test("the thief's tools", async () => {
  expect(hammingShare(Uint8Array.of(0b1010, 0xff), Uint8Array.of(0b0110, 0xff))).toBe(2 / 16)
  expect(cosine([1, 0, 2], [2, 0, 4])).toBeCloseTo(1, 12)
  expect(cosine([1, 0], [0, 1])).toBe(0)
  expect([...guessFrom(Uint8Array.of(0b101), 10)]).toEqual([1, -1, 1, -1, -1, -1, -1, -1, 1, -1])
  expect(await codeOf(Promise.resolve())).toBeUndefined()
  expect(await codeOf(Promise.reject(new EvaluateError('ERR_EVALUATE_INPUT', 'x')))).toBe(
    'ERR_EVALUATE_INPUT',
  )
  await expect(codeOf(Promise.reject(new TypeError('a bug')))).rejects.toThrow('a bug')
})
