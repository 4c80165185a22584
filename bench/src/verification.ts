/** `node bench/dist/verification.js`: accuracy of verification on labelled embeddings of your own, and how long it takes. @module */

import { join } from 'node:path'
import { parseArgs } from 'node:util'
import {
  type VerificationReport,
  verificationReport,
  type Way,
  type WayAccuracy,
} from '../../dist/evaluate.js'
import type { Bits } from '../../dist/index.js'
import { type Dataset, openDataset } from '../../dist/node.js'
import { syntheticPeople } from '../../dist/testing.js'

const USAGE = `node bench/dist/verification.js --data DIR --set NAMES | --synthetic SUBJECTS,SAMPLES,DIMENSIONS [options]
  --data DIR       folder of data sets
  --set NAMES      folders below it, separated by commas
  --synthetic N    people who do not exist: for times, not for accuracy
  --ways NAMES     default cosine,asymmetric,hamming
  --bits M         default 64,128,256,512,1024
  --draws N        draws of record keys (default 1)
  --sampled N|all  non-mated comparisons under larger rotations (default 2000000)
  --threads N      default 2, where there are two processors
  --replicates N   default 1000
  --json           prints the figures as JSON
`

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      data: { type: 'string' },
      set: { type: 'string', default: '.' },
      synthetic: { type: 'string' },
      ways: { type: 'string', default: 'cosine,asymmetric,hamming' },
      bits: { type: 'string', default: '64,128,256,512,1024' },
      draws: { type: 'string', default: '1' },
      sampled: { type: 'string', default: '2000000' },
      threads: { type: 'string' },
      replicates: { type: 'string', default: '1000' },
      json: { type: 'boolean', default: false },
    },
  })
  const { data, synthetic } = values
  const sets: Dataset[] = []
  if (synthetic !== undefined) {
    const [subjects = 0, samples = 0, dimensions = 0] = synthetic.split(',').map(Number)
    sets.push(syntheticPeople({ seed: 'verification', subjects, samples, dimensions }))
  } else {
    if (data === undefined) throw new RangeError(USAGE)
    for (const name of values.set.split(',')) sets.push(await openDataset(join(data, name)))
  }
  for (const dataset of sets) {
    const begin = performance.now()
    const report = await verificationReport(dataset, {
      model: { id: 'measured@1', dimensions: dataset.dimensions, metric: 'cosine' },
      ways: values.ways.split(',') as Way[],
      bits: values.bits.split(',').map(Number) as Bits[],
      draws: Number(values.draws),
      sampled: values.sampled === 'all' ? 'all' : Number(values.sampled),
      replicates: Number(values.replicates),
      ...(values.threads !== undefined && { threads: Number(values.threads) }),
    })
    const seconds = (performance.now() - begin) / 1000
    const { userCPUTime, maxRSS } = process.resourceUsage()
    if (values.json) process.stdout.write(`${JSON.stringify(report)}\n`)
    else process.stdout.write(`${textOf(report)}\n`)
    process.stderr.write(
      `${report.dataset}: ${seconds.toFixed(1)} s, ${(userCPUTime / 1e6).toFixed(1)} s of processor time so far, peak ${Math.round(maxRSS / 1024)} MiB\n`,
    )
  }
}

/** Rates in percent, intervals of 95 % over subjects in brackets. */
function textOf(report: VerificationReport): string {
  const { dataset, dimensions, subjects, samples, protocol, ways } = report
  const heading = `## ${dataset}: d = ${dimensions}, ${subjects} subjects, ${samples} samples`
  return [heading, ...protocol.map((sentence) => `   ${sentence}`), ...ways.map(lineOf)].join('\n')
}

function lineOf({ way, bits, nonMated, mated, eer, at }: WayAccuracy): string {
  const { low, high } = eer.bySubject
  const rates = Object.entries(at).map(([name, one]) => {
    if (one === null) return `${name} –`
    const { value, bySubject } = one.trueMatchRate
    const interval = bySubject === undefined ? '' : ` [${percent(bySubject.low)}, ${percent(bySubject.high)}]`
    return `TMR at ${name} ${percent(value)}${interval} (T ${one.threshold})`
  })
  const name = `${way}${bits === null ? '' : ` ${bits}`}`.padEnd(16)
  return `   ${name} EER ${percent(eer.value)} [${percent(low)}, ${percent(high)}]; ${rates.join('; ')}; ${mated} mated, ${nonMated} non-mated`
}

function percent(value: number): string {
  return (100 * value).toFixed(2)
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof RangeError ? error.message : String((error as Error).stack)}\n`)
  process.exitCode = 1
})
