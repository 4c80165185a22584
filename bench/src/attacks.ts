/** `node bench/dist/attacks.js`: the attack suite of test/attack against the built library, measured beside expected (SPEC §15.7). @module */

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import ts from 'typescript'
import { type Dataset, openDataset } from '../../dist/node.js'

const USAGE = `node bench/dist/attacks.js [options]
  --only NAMES   scenarios, separated by commas
  --full         more people, pairs and targets: minutes instead of seconds
  --data DIR     folder of sets of your own, each with embeddings.f32 and labels.csv: attacks on people are run on them too
  --set NAMES    folders below it, separated by commas (default: all)
  --seed TEXT    default "attacks"
  --json         prints the figures as JSON
`

const root = fileURLToPath(new URL('../../', import.meta.url))
const out = join(root, 'bench', 'dist', 'from-test')

interface Line {
  readonly name: string
  readonly value: number
  readonly low: number
  readonly high: number
  readonly n: number
  readonly expectation?: { readonly why: string }
  readonly holds?: boolean
}

interface Circumstances {
  readonly seed: string
  readonly tier: 'smoke' | 'slow'
}

/** What the suite exports; the text that is run is the tests' own. */
interface Suite {
  readonly SCENARIOS: Readonly<
    Record<string, { readonly attack: string; readonly title: string; readonly ofPeople: boolean }>
  >
  syntheticCircumstances(tier: 'smoke' | 'slow', seed: string): Circumstances
  circumstancesOf(dataset: Dataset, tier: 'smoke' | 'slow', seed: string): Circumstances
  linesOf(scenario: string, circumstances: Circumstances): Promise<readonly Line[]>
  textOf(line: Line): string
  holdersText(): string
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      full: { type: 'boolean', default: false },
      data: { type: 'string' },
      set: { type: 'string' },
      seed: { type: 'string', default: 'attacks' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    process.stdout.write(USAGE)
    return
  }
  const suite = await loadSuite()
  const names = values.only?.split(',') ?? Object.keys(suite.SCENARIOS)
  const unknown = names.filter((name) => suite.SCENARIOS[name] === undefined)
  if (unknown.length > 0) {
    throw new RangeError(
      `no scenario ${unknown.join(', ')}; there are ${Object.keys(suite.SCENARIOS).join(', ')}\n${USAGE}`,
    )
  }
  const tier = values.full ? 'slow' : 'smoke'
  const print = values.json ? () => {} : (text: string) => process.stdout.write(`${text}\n`)
  const results: object[] = []
  let missed = 0
  print(suite.holdersText())
  const runs: { readonly dataset: string; readonly real: boolean; readonly circumstances: Circumstances }[] =
    [{ dataset: 'synthetic', real: false, circumstances: suite.syntheticCircumstances(tier, values.seed) }]
  for (const set of setsOf(values.data, values.set)) {
    const dataset = await openDataset(join(values.data ?? '', set))
    runs.push({ dataset: set, real: true, circumstances: suite.circumstancesOf(dataset, tier, values.seed) })
  }
  for (const { dataset, real, circumstances } of runs) {
    for (const scenario of names) {
      const { attack, title, ofPeople } = suite.SCENARIOS[scenario] as Suite['SCENARIOS'][string]
      if (real && !ofPeople) continue
      const begin = process.cpuUsage()
      const measured = await suite.linesOf(scenario, circumstances)
      const { user, system } = process.cpuUsage(begin)
      // The table is of synthetic people: beside a real set it is a comparison, and no verdict.
      const lines = real ? measured.map(withoutVerdict) : measured
      missed += lines.filter(({ holds }) => holds === false).length
      const cpuMs = Math.round((user + system) / 1000)
      print(`\n## ${attack} on ${dataset}: ${title} (${cpuMs} ms of processor time)`)
      for (const line of lines) print(suite.textOf(line))
      results.push({ dataset, scenario, attack, title, cpuMs, figures: lines })
    }
  }
  const command = ['node bench/dist/attacks.js', ...process.argv.slice(2)].join(' ')
  if (values.json)
    process.stdout.write(
      `${JSON.stringify({ command, seed: values.seed, tier, missed, results }, undefined, 2)}\n`,
    )
  print(`\n${missed} of the expected values missed`)
  if (missed > 0) process.exitCode = 1
}

function withoutVerdict({ expectation: _, holds: __, ...line }: Line): Line {
  return line
}

function setsOf(data: string | undefined, sets: string | undefined): readonly string[] {
  if (data === undefined) return []
  return (
    sets?.split(',') ?? readdirSync(data).filter((name) => existsSync(join(data, name, 'embeddings.f32')))
  )
}

/** The suite’s files, translated beside this one with the built library in place of the source. */
async function loadSuite(): Promise<Suite> {
  rmSync(out, { recursive: true, force: true })
  const attack = join(root, 'test', 'attack')
  const files = [
    ...readdirSync(attack).filter((name) =>
      /^(?:expected.*|matrix|shard-population|shard-estimators)\.ts$/.test(name),
    ),
    ...readdirSync(join(attack, 'suite'))
      .filter((name) => name !== 'check.ts')
      .map((name) => `suite/${name}`),
  ].map((name) => join('attack', name))
  for (const file of [...files, join('support', 'vault.ts')]) {
    const target = join(out, file.replace(/\.ts$/, '.js'))
    mkdirSync(dirname(target), { recursive: true })
    writeFileSync(target, translated(join(root, 'test', file), dirname(target)))
  }
  const load = (name: string): Promise<object> =>
    import(pathToFileURL(join(out, 'attack', 'suite', `${name}.js`)).href)
  const parts = await Promise.all(['scenarios', 'synthetic', 'table'].map(load))
  const { cryptoReady } = await import('../../dist/crypto/sodium.js')
  await cryptoReady()
  return Object.assign({}, ...parts) as Suite
}

function translated(path: string, folder: string): string {
  const options: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    rewriteRelativeImportExtensions: true,
    verbatimModuleSyntax: true,
  }
  const { outputText } = ts.transpileModule(readFileSync(path, 'utf8'), { compilerOptions: options })
  const library = (file: string): string => `from '${pathToFileURL(join(root, 'dist', file)).href}'`
  if (!folder.startsWith(out)) throw new RangeError('outside the folder')
  return outputText
    .replace(/from ['"](?:\.\.\/)+src\/(.*)\.js['"]/g, (_, file: string) => library(`${file}.js`))
    .replace(/from ['"]guise['"]/g, () => library('index.js'))
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof RangeError ? error.message : String((error as Error).stack)}\n`)
  process.exitCode = 1
})
