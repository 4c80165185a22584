/** `node bench/dist/halves.js`: does what calibration promises on half of the people hold for the other half? @module */

import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { countGrades, falseMatchRate, thresholdAt } from '../../dist/evaluate/accuracy.js'
import { loadPeople, type People } from '../../dist/evaluate/people.js'
import { crowdOf, otherPeople, resampleSubjects } from '../../dist/evaluate/resample.js'
import { type Streamed, streamScores } from '../../dist/evaluate/stream.js'
import { planStream, type StreamPlan } from '../../dist/evaluate/stream-plan.js'
import type { Bits } from '../../dist/index.js'
import { type Dataset, openDataset } from '../../dist/node.js'
import { defaultBits } from '../../dist/template/bits.js'
import { drawHalf, within } from './split.js'

const USAGE = `node bench/dist/halves.js --data DIR --set NAMES [options]
  --data DIR     folder of data sets
  --set NAMES    folders below it, separated by commas
  --fmr RATES    default 1e-2,1e-3,1e-4
  --splits N     halves of the people drawn by seed, each of which calibrates once (default 10)
  --seed TEXT    default "halves"
`

/** What one half promised and the other measured. */
interface Trial {
  readonly threshold: number
  readonly high: number
  readonly exactHigh: number
  readonly measured: number
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      data: { type: 'string' },
      set: { type: 'string' },
      fmr: { type: 'string', default: '1e-2,1e-3,1e-4' },
      splits: { type: 'string', default: '10' },
      seed: { type: 'string', default: 'halves' },
    },
  })
  const { data, set } = values
  if (data === undefined || set === undefined) throw new RangeError(USAGE)
  const targets = values.fmr.split(',').map(Number)
  for (const name of set.split(',')) {
    const dataset = await openDataset(join(data, name))
    const trials = targets.map((): Trial[] => [])
    for (let split = 0; split < Number(values.splits); split++) {
      const halves = await divide(dataset, `${values.seed} ${split}`)
      const seen = [await compare(halves[0], values.seed), await compare(halves[1], values.seed)] as const
      for (const [calibrating, other] of [seen, [seen[1], seen[0]] as const]) {
        for (const [i, trial] of (await tryTargets(calibrating, other, targets, values.seed)).entries()) {
          if (trial !== undefined) trials[i]?.push(trial)
        }
      }
      for (const half of halves) half.dispose()
    }
    for (const [i, target] of targets.entries()) process.stdout.write(lineOf(name, target, trials[i] ?? []))
  }
}

interface Seen {
  readonly plan: StreamPlan
  readonly streamed: Streamed
}

async function compare(people: People, seed: string): Promise<Seen> {
  const bits: Bits = defaultBits(people.dimensions)
  const sides = {
    dimensions: people.dimensions,
    references: people,
    probes: people,
    within: true,
    twinOf: null,
  }
  const targets = [{ way: 'asymmetric', bits }] as const
  const plan = planStream(sides, { suite: 'B4', seed, targets, draws: 1, sampled: 'all' })
  const [streamed] = await streamScores(plan, {})
  return { plan, streamed: streamed as Streamed }
}

/** What `calibrate` does with the comparisons of one half, and what the other half measures at its threshold. */
async function tryTargets(
  { plan, streamed }: Seen,
  other: Seen,
  targets: readonly number[],
  seed: string,
): Promise<readonly (Trial | undefined)[]> {
  const thresholds = targets.map((target) =>
    target * streamed.nonMated < 3 ? undefined : thresholdAt(streamed.counts, target),
  )
  const set = { streamed, thresholds: thresholds.map((threshold) => threshold ?? 1) }
  const [resampled] = await resampleSubjects(crowdOf(plan), [set], { seed, replicates: 1000 })
  return thresholds.map((threshold, i) => {
    const replicates = resampled?.at[i]?.replicates
    if (threshold === undefined || replicates === undefined) return undefined
    const exact = falseMatchRate({ mated: countGrades(streamed.mated), nonMated: streamed.counts }, threshold)
    const measured = falseMatchRate(
      { mated: countGrades(other.streamed.mated), nonMated: other.streamed.counts },
      threshold,
    )
    return {
      threshold,
      high: Math.max(exact.high, otherPeople(exact.value, replicates).high),
      exactHigh: exact.high,
      measured: measured.value,
    }
  })
}

async function divide(dataset: Dataset, seed: string): Promise<readonly [People, People]> {
  const first = await drawHalf(dataset, seed)
  const model = { id: 'measured@1', dimensions: dataset.dimensions, metric: 'cosine' } as const
  return [
    await loadPeople(within(dataset, first, true), { model }),
    await loadPeople(within(dataset, first, false), { model }),
  ]
}

function lineOf(name: string, target: number, trials: readonly Trial[]): string {
  if (trials.length === 0) return `${name} at ${target}: too few comparisons\n`
  const held = (high: (trial: Trial) => number): number =>
    trials.filter((trial) => trial.measured <= high(trial)).length
  const sorted = trials.map(({ measured }) => measured).toSorted((a, b) => a - b)
  const [low, high] = [sorted[0] as number, sorted.at(-1) as number]
  const bound = trials.map((trial) => trial.high).toSorted((a, b) => a - b)[
    Math.floor(trials.length / 2)
  ] as number
  return (
    `${name} at ${target.toExponential()}: held ${held((trial) => trial.high)} of ${trials.length}` +
    ` (exact interval of comparisons alone: ${held((trial) => trial.exactHigh)});` +
    ` measured ${low.toExponential(2)} to ${high.toExponential(2)}, median bound ${bound.toExponential(2)}\n`
  )
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof RangeError ? error.message : String((error as Error).stack)}\n`)
  process.exitCode = 1
})
