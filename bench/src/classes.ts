/** `node bench/dist/classes.js`: probes of another kind, at a threshold of their own and at that of plain ones, on people who calibrated neither. @module */

import { parseArgs } from 'node:util'
import { countGrades, falseMatchRate, thresholdAt, trueMatchRate } from '../../dist/evaluate/accuracy.js'
import { crossSides, loadRoll, type Roll } from '../../dist/evaluate/probe-class.js'
import type { Interval } from '../../dist/evaluate/rates.js'
import { crowdOf, otherPeople, resampleSubjects } from '../../dist/evaluate/resample.js'
import { type Streamed, streamScores } from '../../dist/evaluate/stream.js'
import { planStream, type StreamPlan } from '../../dist/evaluate/stream-plan.js'
import { type Dataset, openDataset } from '../../dist/node.js'
import type { Bits } from '../../dist/policy/operating-point.js'
import { defaultBits } from '../../dist/template/bits.js'
import { drawHalf, within } from './split.js'

const USAGE = `node bench/dist/classes.js --references DIR --probes DIR [options]
  --references DIR  a data set as people are enrolled
  --probes DIR      the same people as they are presented
  --alike           measures references of the probes' class too: other pictures of the same people from that set
  --bits N          default: as many as a vault takes
  --fmr RATES       default 1e-3,1e-4
  --splits N        halves of the people drawn by seed, each of which calibrates once (default 10)
  --seed TEXT       default "classes"
`
const REPLICATES = 1000

interface Seen {
  readonly plan: StreamPlan
  readonly streamed: Streamed
}

/** One half: references with one another, and probes of the class with references. */
interface Half {
  readonly plain: Seen
  readonly other: Seen
  /** Probes of the class with references of the class. */
  readonly alike: Seen | undefined
}

interface Rates {
  readonly threshold: number
  readonly fmr: Interval & { readonly value: number }
  readonly tmr: Interval & { readonly value: number }
}

type Way = 'own' | 'single' | 'plain' | 'alike' | 'alikeOther'

/** `promised`: the upper end of the class's own point. */
interface Trial {
  readonly promised: number
  readonly own: Rates
  readonly single: Rates
  /** Plain probes, at their own threshold. */
  readonly plain: Rates
  /** With references of the class: at the threshold of these pairs, and at that of pairs with plain ones. */
  readonly alike?: Rates
  readonly alikeOther?: Rates
}

interface How {
  readonly seed: string
  readonly alike: boolean
  readonly bits: Bits | undefined
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      references: { type: 'string' },
      probes: { type: 'string' },
      alike: { type: 'boolean', default: false },
      bits: { type: 'string' },
      fmr: { type: 'string', default: '1e-3,1e-4' },
      splits: { type: 'string', default: '10' },
      seed: { type: 'string', default: 'classes' },
    },
  })
  const { references, probes, seed } = values
  if (references === undefined || probes === undefined) throw new RangeError(USAGE)
  const how: How = {
    seed,
    alike: values.alike,
    bits: values.bits === undefined ? undefined : (Number(values.bits) as Bits),
  }
  const targets = values.fmr.split(',').map(Number)
  const sets = [await openDataset(references), await openDataset(probes)] as const
  const trials = targets.map((): Trial[] => [])
  for (let split = 0; split < Number(values.splits); split++) {
    const first = await drawHalf(sets[0], `${seed} ${split}`)
    const halves = [await compare(sets, first, true, how), await compare(sets, first, false, how)] as const
    for (const [calibrating, measured] of [halves, [halves[1], halves[0]] as const])
      for (const [i, target] of targets.entries())
        trials[i]?.push(await tried(calibrating, measured, target, seed))
  }
  for (const [i, target] of targets.entries()) process.stdout.write(textOf(target, trials[i] ?? []))
}

async function compare(
  [references, probes]: readonly [Dataset, Dataset],
  first: ReadonlySet<string>,
  inside: boolean,
  how: How,
): Promise<Half> {
  const options = {
    model: { id: 'measured@1', dimensions: references.dimensions, metric: 'cosine' },
    samplesPerSubject: 10,
  } as const
  const own = await loadRoll(within(references, first, inside), options)
  const other = await loadRoll(within(probes, first, inside), options)
  try {
    return {
      plain: await scored(sidesOf(own), how),
      other: await scored(crossSides(own, other), how),
      alike: how.alike ? await scored(sidesOf(other), how) : undefined,
    }
  } finally {
    own.people.dispose()
    other.people.dispose()
  }
}

function sidesOf({ people }: Roll): Parameters<typeof planStream>[0] {
  const { dimensions } = people
  return { dimensions, references: people, probes: people, within: true, twinOf: null }
}

async function scored(sides: Parameters<typeof planStream>[0], { seed, bits }: How): Promise<Seen> {
  const targets = [{ way: 'asymmetric', bits: bits ?? defaultBits(sides.dimensions) }] as const
  const plan = planStream(sides, { suite: 'B4', seed, targets, draws: 1, sampled: 'all' })
  const [streamed] = await streamScores(plan, {})
  return { plan, streamed: streamed as Streamed }
}

/** Both thresholds come from one half, both rates from the other. */
async function tried(calibrating: Half, measured: Half, target: number, seed: string): Promise<Trial> {
  const plain = thresholdOf(calibrating.plain, target)
  const own = thresholdOf(calibrating.other, target)
  const [promise] = await rates(calibrating.other, [own], seed)
  const [ofOwn, ofSingle] = await rates(measured.other, [own, plain], seed)
  const [ofPlain] = await rates(measured.plain, [plain], seed)
  const { promised } = promise as Rates & { readonly promised: number }
  const found = { promised, own: ofOwn as Rates, single: ofSingle as Rates, plain: ofPlain as Rates }
  if (calibrating.alike === undefined || measured.alike === undefined) return found
  const alike = thresholdOf(calibrating.alike, target)
  const [ofAlike, ofAlikeOther] = await rates(measured.alike, [alike, own], seed)
  return {
    ...found,
    alike: ofAlike as Rates,
    alikeOther: ofAlikeOther as Rates,
  }
}

function thresholdOf({ streamed }: Seen, target: number): number {
  const threshold = target * streamed.nonMated < 3 ? undefined : thresholdAt(streamed.counts, target)
  if (threshold === undefined) throw new RangeError('too few comparisons')
  return threshold
}

async function rates(
  { plan, streamed }: Seen,
  thresholds: readonly number[],
  seed: string,
): Promise<(Rates & { readonly promised: number })[]> {
  const [resampled] = await resampleSubjects(crowdOf(plan), [{ streamed, thresholds }], {
    seed,
    replicates: REPLICATES,
  })
  const scores = { mated: countGrades(streamed.mated), nonMated: streamed.counts }
  return thresholds.map((threshold, i) => {
    const at = resampled?.at[i]
    if (at?.trueMatchRate === undefined) throw new RangeError('nobody has two samples')
    const exact = falseMatchRate(scores, threshold)
    return {
      threshold,
      promised: Math.max(exact.high, otherPeople(exact.value, at.replicates).high),
      fmr: { ...at.falseMatchRate, value: exact.value },
      tmr: { ...at.trueMatchRate, value: trueMatchRate(scores, threshold).value },
    }
  })
}

function textOf(target: number, trials: readonly Trial[]): string {
  const held = (way: Way): number =>
    trials.filter((trial) => (trial[way] as Rates).fmr.value <= trial.promised).length
  const line = (way: Way, name: string): string => {
    const first = (trials[0] as Trial)[way]
    if (first === undefined) return ''
    const over = (rate: 'fmr' | 'tmr', show: (value: number) => string): string => {
      const sorted = trials.map((trial) => (trial[way] as Rates)[rate].value).toSorted((a, b) => a - b)
      return (
        `${show(first[rate].value)} (${show(first[rate].low)} to ${show(first[rate].high)}), ` +
        `all ${show(sorted[0] as number)} to ${show(sorted.at(-1) as number)}`
      )
    }
    return (
      `  ${name}: threshold ${first.threshold}, FMR ${over('fmr', (value) => value.toExponential(2))}; ` +
      `TMR ${over('tmr', (value) => value.toFixed(4))}${way === 'plain' ? '' : `; within the promise ${held(way)} of ${trials.length}`}\n`
    )
  }
  return (
    `target ${target.toExponential()}: promised ${(trials[0] as Trial).promised.toExponential(2)} by the class's own point\n` +
    line('own', 'this class, own threshold') +
    line('single', 'this class, threshold of plain probes') +
    line('plain', 'plain probes, own threshold') +
    line('alike', 'this class and references of it, threshold of these pairs') +
    line('alikeOther', 'this class and references of it, threshold of pairs with plain ones')
  )
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof RangeError ? error.message : String((error as Error).stack)}\n`)
  process.exitCode = 1
})
