/** `node bench/dist/accuracy.js`: what protection costs a search, on labelled embeddings of your own. @module */

import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type IdentificationReport, identificationReport } from '../../dist/evaluate.js'
import type { Bits } from '../../dist/index.js'
import { type Dataset, openDataset } from '../../dist/node.js'

const USAGE = `node bench/dist/accuracy.js --data DIR [options]
  --data DIR       folder with embeddings.f32 and labels.csv
  --set NAMES      folders below it, separated by commas
  --bits M         of the templates that confirm (default 512)
  --gallery-bits G of the codes that are scanned (default 512)
  --scan N         threshold of the scan, ten-thousandths (default 1)
  --draws N        galleries of other people and keys (default 5)
  --seed TEXT      default "identification"
  --without NAMES  subjects to leave out, separated by commas
  --json           prints the figures as JSON
`

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      data: { type: 'string' },
      set: { type: 'string', default: '.' },
      bits: { type: 'string', default: '512' },
      'gallery-bits': { type: 'string', default: '512' },
      scan: { type: 'string', default: '1' },
      draws: { type: 'string', default: '5' },
      seed: { type: 'string', default: 'identification' },
      without: { type: 'string', default: '' },
      json: { type: 'boolean', default: false },
    },
  })
  const { data } = values
  if (data === undefined) throw new RangeError(USAGE)
  const reports: IdentificationReport[] = []
  for (const set of values.set.split(',')) {
    const dataset = without(await openDataset(join(data, set)), new Set(values.without.split(',')))
    const report = await identificationReport(dataset, {
      model: { id: 'measured@1', dimensions: dataset.dimensions, metric: 'cosine' },
      bits: Number(values.bits) as Bits,
      galleryBits: Number(values['gallery-bits']) as Bits,
      scanThreshold: Number(values.scan),
      draws: Number(values.draws),
      seed: values.seed,
    })
    reports.push(report)
    if (!values.json) process.stdout.write(`${textOf(report)}\n`)
  }
  if (values.json) process.stdout.write(`${JSON.stringify(reports, undefined, 2)}\n`)
}

function without(dataset: Dataset, subjects: ReadonlySet<string>): Dataset {
  const read: Dataset['read'] = async function* (options) {
    for await (const labelled of dataset.read(options)) if (!subjects.has(labelled.subject)) yield labelled
  }
  return { ...dataset, rows: undefined, read }
}

/** Rates and differences in percent, intervals of 95 % in brackets. */
function textOf(report: IdentificationReport): string {
  const { searches, subjects } = report
  const of = (kind: keyof typeof searches): string => `${searches[kind]} of ${subjects[kind]} people`
  const lines = [
    `## ${report.dataset}: d = ${report.dimensions}, m = ${report.bits}, g = ${report.galleryBits}, ${report.gallerySize} enrolled, ${report.shardMembers} a shard`,
    `   searches in ${report.draws} draws: mated ${of('mated')}, non-mated ${of('nonMated')}, calibration ${of('calibration')}; seed "${report.seed}"`,
  ]
  for (const [way, figures] of Object.entries(report.ways)) {
    const at = Object.entries(figures.at).map(([name, one]) =>
      one === null
        ? `${name} –`
        : `at ${name} T ${one.threshold}: FPIR ${interval(one.falsePositiveRate)}, FNIR ${interval(one.falseNegativeRate)}`,
    )
    lines.push(`   ${way.padEnd(8)} rank 1 ${interval(figures.rank1)}; ${at.join('; ')}`)
  }
  for (const [way, { rank1, falseNegativeRate }] of Object.entries(report.differences)) {
    const rates = Object.entries(falseNegativeRate).map(([name, one]) =>
      one === null ? '' : `; FNIR at ${name} ${interval(one)}`,
    )
    lines.push(`   ${way} − cosine: rank 1 ${interval(rank1)}${rates.join('')}`)
  }
  for (const { scanThreshold, matesKept, meanMembers } of report.shortlists) {
    const { mated, nonMated } = meanMembers
    lines.push(
      `   scan at ${scanThreshold}: mates kept ${interval(matesKept)}; to confirm ${mated.toFixed(2)} mated, ${nonMated.toFixed(2)} non-mated`,
    )
  }
  return lines.join('\n')
}

function interval({ value, low, high }: { value: number; low: number; high: number }): string {
  return `${percent(value)} [${percent(low)}, ${percent(high)}]`
}

function percent(value: number): string {
  return (100 * value).toFixed(2)
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof RangeError ? error.message : String((error as Error).stack)}\n`)
  process.exitCode = 1
})
