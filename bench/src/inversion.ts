/** `node bench/dist/inversion.js`: what a thief of templates and keys gains, on labelled embeddings of your own. @module */

import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type AcceptedAt, type InversionReport, inversionReport } from '../../dist/evaluate.js'
import type { Bits } from '../../dist/index.js'
import { openDataset } from '../../dist/node.js'

const USAGE = `node bench/dist/inversion.js --data DIR [options]
  --data DIR     folder with embeddings.f32 and labels.csv
  --set NAMES    folders below it, separated by commas
  --bits NUMBERS separated by commas (default all)
  --targets N    stolen templates (default 400)
  --keys N       fresh keys (default 40)
  --accumulated N targets whose old templates are put together (default 200)
  --seed TEXT    default "inversion"
  --json         prints the figures as JSON
`

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      data: { type: 'string' },
      set: { type: 'string', default: '.' },
      bits: { type: 'string', default: '64,128,256,512,1024' },
      targets: { type: 'string', default: '400' },
      keys: { type: 'string', default: '40' },
      accumulated: { type: 'string', default: '200' },
      seed: { type: 'string', default: 'inversion' },
      json: { type: 'boolean', default: false },
    },
  })
  const { data } = values
  if (data === undefined) throw new RangeError(USAGE)
  const reports: InversionReport[] = []
  for (const set of values.set.split(',')) {
    const dataset = await openDataset(join(data, set))
    const begin = process.cpuUsage()
    const report = await inversionReport(dataset, {
      model: { id: 'measured@1', dimensions: dataset.dimensions, metric: 'cosine' },
      bits: values.bits.split(',').map(Number) as Bits[],
      targets: Number(values.targets),
      keys: Number(values.keys),
      accumulated: Number(values.accumulated),
      seed: values.seed,
    })
    reports.push(report)
    const seconds = process.cpuUsage(begin).user / 1e6
    if (!values.json) process.stdout.write(`${textOf(report, seconds)}\n`)
  }
  if (values.json) process.stdout.write(`${JSON.stringify(reports, undefined, 2)}\n`)
}

/** Rates in percent at 1 in 1,000 and 1 in 10,000; in brackets Wilson's interval, then the bootstrap's over subjects. */
function textOf(report: InversionReport, seconds: number): string {
  const { known } = report
  const lines = [
    `## ${report.dataset}: d = ${report.dimensions}, ${report.subjects} people, ${known.subjects} known (shrinkage ${known.shrinkage}, ${known.nonMated} non-mated pairs × ${known.draws} draws); ${seconds.toFixed(0)} s of processor time`,
  ]
  for (const one of report.inversions) {
    const { cosine, sar, prar } = one
    lines.push(
      `   m ${one.bits} ${one.attack.padEnd(6)} (${one.disclosed}, ${one.targets} of ${one.subjects}) cos ${cosine.mean.toFixed(3)} [${cosine.q05.toFixed(2)} ${cosine.q50.toFixed(2)} ${cosine.q95.toFixed(2)}], to other ${one.cosineToOther.toFixed(3)}; SAR-I ${short(sar.I)} II ${short(sar.II)} III ${short(sar.III)}; PRAR ${long(prar.mean)}, worst key ${short(prar.worst)}`,
    )
  }
  for (const one of report.accumulation) {
    lines.push(
      `   m ${one.bits}, ${one.generations} old (${one.targets} of ${one.subjects}) cos to other ${one.cosineToOther.toFixed(3)}; PRAR ${long(one.prar)}`,
    )
  }
  for (const { bits, accepted } of report.genuine) lines.push(`   m ${bits} genuine ${long(accepted)}`)
  return lines.join('\n')
}

function short(accepted: AcceptedAt): string {
  return (['1e-3', '1e-4'] as const).map((name) => percent(accepted[name]?.value)).join(' / ')
}

function long(accepted: AcceptedAt): string {
  return (['1e-3', '1e-4'] as const)
    .map((name) => {
      const one = accepted[name]
      if (one === null) return '–'
      const { low, high, bySubject } = one
      return `${percent(one.value)} [${percent(low)} ${percent(high)}] [${percent(bySubject?.low)} ${percent(bySubject?.high)}]`
    })
    .join(' / ')
}

function percent(value: number | undefined): string {
  return value === undefined ? '–' : (100 * value).toFixed(1)
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof RangeError ? error.message : String((error as Error).stack)}\n`)
  process.exitCode = 1
})
