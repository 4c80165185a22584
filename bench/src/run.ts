/** `npm run bench`: measures, prints a table, keeps the figures. @module */

import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { type Result, resultOf } from './figures.ts'
import { circumstances, currentLoad, goalsText, headerText, resultText } from './report.ts'
import { runRounds } from './rounds.ts'
import type { Plan } from './scenario.ts'
import { SCENARIOS } from './scenarios.ts'

const USAGE = `npm run bench -- [options]
  --only NAMES   of ${SCENARIOS.map(({ name }) => name).join(', ')}; separated by commas
  --rounds N     processes for each variant (default 7)
  --quick        little of everything: shows that it works, measures nothing
  --seed TEXT    of the synthetic vectors (default "bench")
  --name NAME    keeps the figures as results/NAME.json (default: date and time); never over an older file
  --folder DIR   on the disk to measure (default: results)
  --json         prints the figures as JSON
`

const results = new URL('../results/', import.meta.url).pathname

const FULL = { batches: 100, batchMs: 2, warmMs: 600, calls: 400, people: 256 }
const QUICK = { batches: 5, batchMs: 0.2, warmMs: 10, calls: 10, people: 4 }

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      rounds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      seed: { type: 'string', default: 'bench' },
      name: { type: 'string', default: new Date().toISOString().replaceAll(':', '').slice(0, 17) },
      folder: { type: 'string', default: results },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    process.stdout.write(USAGE)
    return
  }
  const chosen = choose(values.only)
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 7))
  if (!Number.isInteger(rounds) || rounds < 1) throw new RangeError('--rounds is a positive integer')
  if (!/^[\w.-]+$/.test(values.name)) throw new RangeError('--name is a file name without its ending')
  const file = `${results}${values.name}.json`
  if (existsSync(file)) throw new RangeError(`${file} exists: figures are not overwritten`)
  mkdirSync(results, { recursive: true })
  const plan: Plan = { ...(values.quick ? QUICK : FULL), seed: values.seed, folder: values.folder }
  const loadAtBegin = currentLoad()
  const measured: Result[] = []
  for (const scenario of chosen) {
    const runs = await runRounds(scenario, plan, rounds, ({ variant, round }) => {
      process.stderr.write(`${scenario.name}, round ${round + 1}: ${variant}\n`)
    })
    measured.push(resultOf(scenario, runs))
  }
  const command = ['node bench/dist/run.js', ...process.argv.slice(2)].join(' ')
  const at = circumstances(command, rounds, plan, loadAtBegin)
  const json = `${JSON.stringify({ ...at, results: measured }, undefined, 2)}\n`
  writeFileSync(file, json, { flag: 'wx' })
  process.stdout.write(
    values.json
      ? json
      : `${[headerText(at), ...measured.map(resultText), goalsText(measured)].join('\n\n')}\n`,
  )
  process.stderr.write(`kept in ${file}\n`)
}

function choose(only: string | undefined): typeof SCENARIOS {
  if (only === undefined) return SCENARIOS
  const names = only.split(',')
  const unknown = names.filter((name) => !SCENARIOS.some((scenario) => scenario.name === name))
  if (unknown.length > 0) throw new RangeError(`no scenario ${unknown.join(', ')}\n${USAGE}`)
  return SCENARIOS.filter(({ name }) => names.includes(name))
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof RangeError ? error.message : String((error as Error).stack)}\n`)
  process.exitCode = 1
})
