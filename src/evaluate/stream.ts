/** All comparisons of a plan, in as many threads as there are: the same counts for any number (SPEC §15.3). @module */

import { wipe } from '../base/bytes.ts'
import { cryptoReady } from '../crypto/sodium.ts'
import { Crew, type CrewOptions, canThread, defaultThreads } from './crew.ts'
import { type GradeMoments, gradeMoments } from './information.ts'
import { Pace, type TaskOptions } from './pace.ts'
import { matedFirst, RowScorer } from './row-scorer.ts'
import {
  countPairs,
  firstSampled,
  nonMatedOf,
  Rows,
  type Side,
  type StreamPlan,
  type Target,
} from './stream-plan.ts'
import { type Found, mergeTallies, type Tallied } from './tally.ts'
import { countWords, DONE, type Shared, STOP, scoreTurn, takeTurn, UNIT } from './turns.ts'

/** What one way of comparing gave at one number of bits. */
export interface Streamed extends Target, Tallied {
  /** Grade of every mated comparison, those of one draw side by side. */
  readonly mated: Uint16Array
  readonly matedMoments: GradeMoments
  /** Subject of each of them. */
  readonly matedSubjects: Uint32Array
  /** Non-mated comparisons, all draws together. */
  readonly nonMated: number
  /** Draws of record keys; 0 for the cosine. */
  readonly draws: number
  readonly step: number
}

export interface StreamTask extends TaskOptions, CrewOptions {
  /** Threads in all, this one included. Default 2, or 1 where there are none. */
  readonly threads?: number | undefined
}

export async function streamScores(plan: StreamPlan, task: StreamTask): Promise<readonly Streamed[]> {
  await cryptoReady()
  const threads = canThread() ? (task.threads ?? defaultThreads()) : 1
  const shared = share(plan, threads > 1)
  const crew = threads > 1 ? Crew.start(shared, threads - 1, task) : undefined
  const scorer = new RowScorer(shared.plan, shared.mated)
  const sizes = countRows(plan)
  const pace = new Pace(
    sizes.reduce((sum, { scored }) => sum + scored, 0),
    task,
  )
  let told = 0
  const tell = async (done: number): Promise<void> => {
    Atomics.add(shared.words, DONE, Math.round(done / UNIT))
    const all = Atomics.load(shared.words, DONE) * UNIT
    await pace.step(Math.max(0, all - told))
    told = Math.max(told, all)
  }
  try {
    for (let turn = takeTurn(shared, 0); turn >= 0; turn = takeTurn(shared, 0))
      await tell(scoreTurn(shared, scorer, turn))
    // What a thread took that ended before its time is scored again here.
    const { tallies, lost } = (await crew?.finish(() => tell(0))) ?? { tallies: [], lost: [] }
    for (const turn of lost) await tell(scoreTurn(shared, scorer, turn))
    const found = [scorer.tallies.map((tally) => tally.found), ...tallies]
    const parts = plan.targets.map((_, target) => found.flatMap((of) => of[target] ?? []))
    return describe(shared, parts, sizes)
  } finally {
    Atomics.store(shared.words, STOP, 1)
    await crew?.stop()
    scorer.dispose()
    if (threads > 1)
      for (const side of [shared.plan.references, shared.plan.probes]) wipe(side.integers, side.units)
  }
}

/** Copies of the samples in memory that threads share; they are wiped afterwards. */
function share(plan: StreamPlan, threaded: boolean): Shared {
  const bytes = (length: number): ArrayBufferLike =>
    threaded ? new SharedArrayBuffer(length) : new ArrayBuffer(length)
  const side = ({ count, subjectOf, integers, units }: Side): Side => {
    if (!threaded) return { count, subjectOf, integers, units }
    const shared = {
      integers: new Int32Array(bytes(4 * integers.length)),
      units: new Float32Array(bytes(4 * units.length)),
    }
    shared.integers.set(integers)
    shared.units.set(units)
    return { count, subjectOf, ...shared }
  }
  const references = side(plan.references)
  const { mated } = countPairs(plan)
  return {
    plan: { ...plan, references, probes: plan.within ? references : side(plan.probes) },
    mated: plan.targets.map(
      ({ bits }) => new Int16Array(bytes(2 * mated * (bits === null ? 1 : plan.draws))),
    ),
    words: new Int32Array(bytes(4 * countWords(plan))),
  }
}

/** Comparisons of each pass. */
function countRows(plan: StreamPlan): readonly { readonly scored: number; readonly nonMated: number }[] {
  const rows = new Rows(plan)
  const mated = matedFirst(plan, rows).at(-1) as number
  return plan.passes.map((pass) => {
    let nonMated = 0
    for (let reference = 0; reference < plan.references.count; reference++) {
      const left = nonMatedOf(rows.of(reference)) - firstSampled(plan, pass, reference)
      nonMated += Math.max(0, Math.ceil(left / pass.step))
    }
    return { scored: nonMated + mated, nonMated }
  })
}

function describe(
  { plan, mated }: Shared,
  parts: readonly (readonly Found[])[],
  sizes: readonly { readonly nonMated: number }[],
): readonly Streamed[] {
  const first = matedFirst(plan)
  const matedSubjects = new Uint32Array(first.at(-1) as number)
  plan.references.subjectOf.forEach((subject, reference) => {
    matedSubjects.fill(subject, first[reference], first[reference + 1])
  })
  return plan.targets.map((target, number) => {
    const draws = target.bits === null ? 1 : plan.draws
    const signed = Int16Array.from(mated[number] as Int16Array)
    const subjects = new Uint32Array(matedSubjects.length * draws)
    for (let draw = 0; draw < draws; draw++) subjects.set(matedSubjects, draw * matedSubjects.length)
    const passes = plan.passes.filter(({ targets }) => targets.includes(number))
    const nonMated = sizes
      .filter((_, i) => plan.passes[i]?.targets.includes(number))
      .reduce((sum, size) => sum + size.nonMated, 0)
    return {
      ...target,
      ...mergeTallies(parts[number] ?? [], plan.keep),
      mated: Uint16Array.from(signed, (grade) => Math.max(0, grade)),
      matedMoments: gradeMoments(signed),
      matedSubjects: subjects,
      nonMated,
      draws: target.bits === null ? 0 : plan.draws,
      step: passes[0]?.step ?? 1,
    }
  })
}
