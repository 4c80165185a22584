/** `guise drill`: what each stolen set yields, from real vaults in a temporary folder (SPEC §15.8). @module */
/// <reference types="node" />

import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import type { DrillReport, TheftFigures } from '../evaluate/figures.ts'
import { decodeOperatingPoint } from '../evaluate/operating-file.ts'
import type { Bits, Rate } from '../policy/operating-point.ts'
import { BITS } from '../transform/suite.ts'
import { asPromised } from './drill-promise.ts'
import { drillReport, MOST_PEOPLE, USUAL_PEOPLE } from './drill-report.ts'
import { count, exitCode, type Io, Progress, percent, runCommand, table, UsageError, wrap } from './io.ts'
import { meanUsage, readModel } from './model.ts'
import { needed } from './secret.ts'
import { columnsOptions, columnsUsage, openColumns } from './source.ts'

const usage = `
Usage: guise drill --data PATH [--operating-point FILE] [--bits M] [--people N] [options]

Opens vaults in a temporary folder, enrols people of a data set, gives each a new template, erases them, and tries to open
everything with each set that a thief may have copied on the way. Says how many templates opened, how near the thief
comes to the faces, and how often the new templates accept what he made.

  --data PATH             folder with embeddings.f32 or one .npy, labels.csv and perhaps meta.json; or a .f32,
                          .npy, .csv or .jsonl file
  --operating-point FILE  of guise calibrate: what the vaults decide by; default: chosen on people not enrolled
  ${columnsUsage.replaceAll(/^( *--\w+ [A-Z]+) +/gm, (_, option: string) => option.padEnd(option.startsWith(' ') ? 26 : 24))}
  ${meanUsage.replace('FILE        ', 'FILE             ')}
  --bits M                stored bits: ${BITS.join(', ')}; default: of the point, or the largest at most d and 512
  --people N              10 to ${MOST_PEOPLE}; default ${USUAL_PEOPLE}, or as many as there are
  --seed TEXT             default "drill"
  --json                  print JSON

Exit code 1 when a set opens templates that must stay closed.
`

const OPTIONS = {
  data: { type: 'string' },
  'operating-point': { type: 'string' },
  mean: { type: 'string' },
  ...columnsOptions,
  bits: { type: 'string' },
  people: { type: 'string', default: String(USUAL_PEOPLE) },
  seed: { type: 'string', default: 'drill' },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const

/** Runs `guise drill …`; `argv` is what follows `drill`. Resolves with the exit code. */
export function drillCommand(argv: readonly string[], io: Io): Promise<number> {
  return runCommand(io, usage, async () => {
    const { values } = parseArgs({ args: [...argv], options: OPTIONS })
    if (values.help) {
      io.out(usage.trimStart())
      return exitCode.ok
    }
    const bits = values.bits === undefined ? undefined : bitsOf(values.bits)
    const people = peopleOf(values.people)
    const file = values['operating-point']
    const point = file === undefined ? undefined : decodeOperatingPoint(readFileSync(file, 'utf8'))
    if (bits !== undefined && point !== undefined && bits !== point.bits)
      throw new UsageError('--bits must be those of the operating point')
    const dataset = await openColumns(needed(values.data, '--data'), values)
    const model = readModel(point?.model ?? 'measured@1', dataset.dimensions, values.mean)
    const progress = new Progress(io, `robbing vaults of ${dataset.name}`)
    const report = await drillReport(dataset, {
      model,
      bits,
      people,
      operatingPoint: point,
      seed: values.seed,
      onProgress: (done, total) => progress.update(done, total),
    }).finally(() => progress.finish())
    const ok = asPromised(report)
    io.out(values.json ? `${JSON.stringify({ ...report, ok }, undefined, 2)}\n` : describe(report, ok))
    return ok ? exitCode.ok : exitCode.failure
  })
}

/** `--bits` as one of the sizes. */
export function bitsOf(text: string): Bits {
  const bits = BITS.find((known) => String(known) === text)
  if (bits === undefined) throw new UsageError(`--bits is one of ${BITS.join(', ')}`)
  return bits
}

/** `--people` as a number that a drill takes. */
export function peopleOf(text: string): number {
  const people = Number(text)
  if (/^\d+$/.test(text) && people >= 10 && people <= MOST_PEOPLE) return people
  throw new UsageError(`--people is a whole number from 10 to ${MOST_PEOPLE}`)
}

function describe(report: DrillReport, ok: boolean): string {
  const { dataset, synthetic, subjects, bits, dimensions, thefts, genuine } = report
  const kind = synthetic ? ' Synthetic people, no evidence about real faces.' : ''
  const rows = thefts.map((theft) => [
    theft.stolen,
    theft.measured ? `${theft.opened} of ${theft.templates}` : '–',
    theft.ends.map((code) => code.replace('ERR_', '')).join(', '),
    theft.cosine === null ? '–' : theft.cosine.toFixed(3),
    areaText(theft),
    accepted(theft.prar?.['1e-3'] ?? null),
    accepted(theft.prar?.['1e-4'] ?? null),
  ])
  const heading = ['stolen', 'opened', 'ends in', 'cosine', 'AUC', 'PRAR@1e-3', 'PRAR@1e-4']
  const own = `The person's enrolled sample instead: ${accepted(genuine['1e-3'])}, ${accepted(genuine['1e-4'])}`
  return `${dataset}: ${count(subjects)} people, m = ${bits}, d = ${dimensions}.${kind}
${report.protocol.flatMap((sentence) => wrap(sentence, 116)).join('\n')}

${table([heading, ...rows], 30)}
PRAR: share of what the thief made that templates accept which were issued afterwards, with Wilson's 95 % interval.
${own}

${ok ? 'Opened as promised.' : 'NOT as promised: see the column "opened".'}
`
}

function areaText({ auc }: TheftFigures): string {
  return auc === null ? '–' : `${auc.value.toFixed(3)} (${auc.low.toFixed(3)}–${auc.high.toFixed(3)})`
}

function accepted(rate: Rate | null): string {
  if (rate === null) return '–'
  return `${percent(rate.value, 0)} (${(100 * rate.low).toFixed(0)}–${(100 * rate.high).toFixed(0)})`
}
