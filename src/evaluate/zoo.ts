/** Who is mistaken for others: false matches of single subjects and of groups (SPEC §15.3). @module */

import type { GroupRates, ThresholdRates } from './figures.ts'
import { perSubjectRates } from './groups.ts'
import { Pace } from './pace.ts'
import { NO_GROUP, type People } from './people.ts'
import { rate } from './rates.ts'
import type { Streamed } from './stream.ts'
import { firstSampled, nonMatedOf, type Pass, probeAt, Rows, type StreamPlan } from './stream-plan.ts'

/** Groups of subjects, such as of age or origin; −1: in none. */
export interface Groups {
  readonly names: readonly string[]
  readonly ofSubject: Int32Array
}

/** `undefined` where the data have none. `subjects`: all who are compared, those of a class of probes included. */
export function groupsOf({ groupOf, groups }: People, subjects: number): Groups | undefined {
  if (groups.length === 0) return undefined
  const ofSubject = new Int32Array(subjects).fill(-1)
  groupOf.forEach((group, subject) => {
    if (group !== NO_GROUP) ofSubject[subject] = group
  })
  return { names: groups, ofSubject }
}

/** Comparisons by subject and within groups: what false matches are divided by. */
export interface Denominators {
  /** Non-mated comparisons of each subject, on either side. */
  readonly bySubject: Float64Array
  /** Non-mated comparisons of two subjects of each group. */
  readonly byGroup: Float64Array
}

/** Counts the comparisons of one target; nothing is scored. */
export async function countDenominators(
  plan: StreamPlan,
  passes: readonly Pass[],
  crowd: {
    readonly subjects: number
    readonly groups: Groups | undefined
    readonly signal?: AbortSignal | undefined
  },
): Promise<Denominators> {
  const { groups } = crowd
  const bySubject = new Float64Array(crowd.subjects)
  const byGroup = new Float64Array(groups?.names.length ?? 0)
  const rows = new Rows(plan)
  const pace = new Pace(0, { signal: crowd.signal })
  for (const pass of passes) {
    for (let reference = 0; reference < plan.references.count; reference++) {
      const row = rows.of(reference)
      const count = nonMatedOf(row)
      const subject = plan.references.subjectOf[reference] as number
      const group = groups?.ofSubject[subject] ?? -1
      for (let number = firstSampled(plan, pass, reference); number < count; number += pass.step) {
        const other = plan.probes.subjectOf[probeAt(row, number)] as number
        bySubject[subject] = (bySubject[subject] as number) + 1
        bySubject[other] = (bySubject[other] as number) + 1
        if (group >= 0 && groups?.ofSubject[other] === group) byGroup[group] = (byGroup[group] as number) + 1
      }
      await pace.step(count)
    }
  }
  return { bySubject, byGroup }
}

/** Of all comparisons that a subject takes part in. */
export function ratesOfSubjects(
  { kept }: Streamed,
  threshold: number,
  { bySubject }: Denominators,
): ThresholdRates['perSubject'] {
  const falseMatches = new Float64Array(bySubject.length)
  const { references, probes, grades } = kept
  for (let i = 0; i < grades.length; i++) {
    if ((grades[i] as number) < threshold) continue
    for (const subject of [references[i] as number, probes[i] as number]) {
      falseMatches[subject] = (falseMatches[subject] as number) + 1
    }
  }
  return perSubjectRates(falseMatches, bySubject)
}

/** Both rates within each group. */
export function ratesOfGroups(
  { kept, mated, matedSubjects }: Streamed,
  threshold: number,
  { byGroup }: Denominators,
  groups: Groups | undefined,
): readonly GroupRates[] {
  if (groups === undefined) return []
  const { ofSubject, names } = groups
  const empty = (): Float64Array => new Float64Array(names.length)
  const [falseMatches, matches, trials, subjects] = [empty(), empty(), empty(), empty()]
  const add = (into: Float64Array, group: number): void => {
    if (group >= 0) into[group] = (into[group] as number) + 1
  }
  kept.grades.forEach((grade, i) => {
    const group = ofSubject[kept.references[i] as number] as number
    if (grade >= threshold && ofSubject[kept.probes[i] as number] === group) add(falseMatches, group)
  })
  mated.forEach((grade, i) => {
    const group = ofSubject[matedSubjects[i] as number] as number
    add(trials, group)
    if (grade >= threshold) add(matches, group)
  })
  for (const group of ofSubject) add(subjects, group)
  const rateOf = (count: Float64Array, all: Float64Array, group: number): GroupRates['falseMatchRate'] =>
    all[group] === 0 ? null : rate(count[group] as number, all[group] as number)
  return names.map((group, i) => ({
    group,
    subjects: subjects[i] as number,
    falseMatchRate: rateOf(falseMatches, byGroup, i),
    trueMatchRate: rateOf(matches, trials, i),
  }))
}
