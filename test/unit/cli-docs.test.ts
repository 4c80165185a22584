/** The shell lines of docs/ run as they stand, one text after the other in a folder of its own. @module */
import { execSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import process from 'node:process'
import { afterEach, expect, test } from 'vitest'
import { backupCommand, restoreCommand } from '../../src/cli/backup.ts'
import { breachReportCommand } from '../../src/cli/breach-report.ts'
import { calibrateCommand } from '../../src/cli/calibrate.ts'
import { campaignCommand } from '../../src/cli/campaign.ts'
import { demoCommand } from '../../src/cli/demo.ts'
import { drillCommand } from '../../src/cli/drill.ts'
import { evaluateCommand } from '../../src/cli/evaluate.ts'
import { fsckCommand } from '../../src/cli/fsck.ts'
import { holderCommand } from '../../src/cli/holder.ts'
import { importCommand } from '../../src/cli/import.ts'
import type { Io } from '../../src/cli/io.ts'
import { keysCommand } from '../../src/cli/keys.ts'
import { migrateCommand } from '../../src/cli/migrate.ts'
import { peopleCommand } from '../../src/cli/people.ts'
import { purgeCommand } from '../../src/cli/purge.ts'
import { recordsCommand } from '../../src/cli/records.ts'
import { statusCommand } from '../../src/cli/status.ts'
import { subjectCommand } from '../../src/cli/subject.ts'
import { syntheticPeople } from '../../src/dataset/synthetic.ts'
import { examplesIn } from '../tidy/readme.ts'
import { ran, temporaryFolder } from './cli-support.ts'

type Command = (argv: readonly string[], io: Io) => Promise<number>
const COMMANDS = new Map<string, Command>([
  ['backup', backupCommand],
  ['breach-report', breachReportCommand],
  ['calibrate', calibrateCommand],
  ['campaign', campaignCommand],
  ['demo', demoCommand],
  ['drill', drillCommand],
  ['evaluate', evaluateCommand],
  ['fsck', fsckCommand],
  ['holder', holderCommand],
  ['import', importCommand],
  ['keys', keysCommand],
  ['migrate', migrateCommand],
  ['people', peopleCommand],
  ['purge', purgeCommand],
  ['records', recordsCommand],
  ['restore', restoreCommand],
  ['status', statusCommand],
  ['subject', subjectCommand],
])
const D = 64
const folder = temporaryFolder()
const home = process.cwd()
const texts = readdirSync('docs').filter((name) => name.endsWith('.md'))

afterEach(() => process.chdir(home))

/** Commands of the text in order; a comment ends a line, a backslash does not. */
function shellLines(text: string): string[] {
  return examplesIn(text, 'sh').flatMap(({ code }) =>
    code
      .replaceAll('\\\n', ' ')
      .split('\n')
      .map((line) => line.replace(/\s+#.*$/, '').trim())
      .filter((line) => line !== ''),
  )
}

/** `seed` draws the people, so that two folders may hold the same; a `cover` adds as much to every other value. */
async function writeMatrix(path: string, subjects: number, seed = path, cover = 0): Promise<void> {
  mkdirSync(path)
  const floats: number[] = []
  const labels = ['row,subject,region']
  const people = syntheticPeople({ seed, subjects, samples: 2, dimensions: D })
  for await (const { row, subject, vector } of people.read()) {
    floats.push(...vector.map((value, i) => value + (i % 2) * cover))
    labels.push(`${row},${subject},${row % 4 < 2 ? 'north' : 'south'}`)
  }
  writeFileSync(`${path}/embeddings.f32`, new Uint8Array(Float32Array.from(floats).buffer))
  writeFileSync(`${path}/labels.csv`, labels.join('\n'))
}

/** What the texts take as given. */
async function prepare(text: string): Promise<void> {
  mkdirSync('node_modules')
  symlinkSync(home, 'node_modules/guise')
  await writeMatrix('embeddings', 130)
  await writeMatrix('others', 130)
  if (text.includes('--class')) {
    await writeMatrix('people', 250)
    await writeMatrix('masked', 250, 'people', 0.02)
  }
  writeFileSync('passphrase.txt', 'correct horse battery staple\n')
  const lines: string[] = []
  for await (const { subject, vector } of syntheticPeople({
    seed: 'people',
    subjects: 10,
    samples: 2,
    dimensions: D,
  }).read()) {
    lines.push([subject, ...vector].join(','))
  }
  writeFileSync('people.csv', lines.join('\n'))
  const [basis] = examplesIn(text, 'json')
  if (basis !== undefined) writeFileSync('basis.json', basis.code)
}

test.each(texts)(
  'docs/%s',
  async (name) => {
    const text = readFileSync(`docs/${name}`, 'utf8')
    mkdirSync(folder.at(name))
    process.chdir(folder.at(name))
    const lines = shellLines(text)
    if (lines.length > 0) await prepare(text)
    for (const line of lines) {
      const [program, verb = '', ...words] = line.split(/\s+/)
      // Needs a server; the tests of the store run the same texts on one.
      if (program === 'psql') continue
      if (program !== 'guise') {
        execSync(line)
        continue
      }
      const { code, err } = await ran(COMMANDS.get(verb) as Command, words)
      expect({ line, code, err }).toEqual({ line, code: 0, err: '' })
    }
  },
  180_000,
)

test('the texts hold shell lines', () => {
  const found = texts.flatMap((name) => shellLines(readFileSync(`docs/${name}`, 'utf8')))
  expect(found.filter((line) => line.startsWith('guise '))).toHaveLength(81)
})
