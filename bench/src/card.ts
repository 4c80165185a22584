/** `node bench/dist/card.js`: one page of figures from evaluation files and the results of the benchmarks. @module */

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Evaluation } from '../../dist/evaluate.js'
import { type GoalsFile, renderCard } from '../../dist/report/card.js'

const USAGE = `node bench/dist/card.js [--bench FOLDER] EVALUATION.json… > docs/card.md
  --bench FOLDER  default bench/results
`

function main(): void {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { bench: { type: 'string', default: 'bench/results' } },
  })
  if (positionals.length === 0) throw new RangeError(USAGE)
  const evaluations = positionals.map((path) => read<Evaluation>(path))
  const wrong = evaluations.findIndex(({ format }) => format !== 'guise-evaluation/1')
  if (wrong >= 0) throw new RangeError(`${positionals[wrong]} is no evaluation file\n`)
  // Runs of parts of one scenario keep their figures in other forms.
  const goals = readdirSync(values.bench)
    .filter((name) => name.endsWith('.json'))
    .map((name) => read<GoalsFile>(join(values.bench, name)))
    .filter(({ results }) => Array.isArray(results))
  process.stdout.write(renderCard(evaluations, goals))
}

function read<File>(path: string): File {
  return JSON.parse(readFileSync(path, 'utf8')) as File
}

try {
  main()
} catch (error) {
  process.stderr.write(`${error instanceof RangeError ? error.message : String((error as Error).stack)}\n`)
  process.exitCode = 1
}
