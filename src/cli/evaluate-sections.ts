/** The parts of an evaluation in their order, each measured by itself so that one at a time is in memory (SPEC §15.8). @module */

import type { Dataset } from '../dataset/dataset.ts'
import type { Model } from '../embedding/model.ts'
import { EvaluateError } from '../evaluate/errors.ts'
import type { DrillReport, Evaluation } from '../evaluate/figures.ts'
import { inversionReport } from '../evaluate/inversion.ts'
import { linkageReport } from '../evaluate/linkage.ts'
import type { TaskOptions } from '../evaluate/pace.ts'
import { verificationReport } from '../evaluate/verification.ts'
import type { Bits } from '../policy/operating-point.ts'
import { drillReport } from './drill-report.ts'

/** What every part is given. */
export interface Plan {
  readonly model: Model
  readonly seed: string
  /** Numbers of bits that accuracy and inversion are measured at. */
  readonly sizes: readonly Bits[]
  /** Those of the deployed templates: linkage and drill. */
  readonly bits: Bits
  /** Non-mated comparisons of sizes that take longer. */
  readonly pairs: number | 'all'
  /** Robbed in the drill. */
  readonly people: number
}

export type SectionName = 'verification' | 'linkage' | 'inversion' | 'drill'
export type Sections = Pick<Evaluation, SectionName>

interface Section {
  readonly name: SectionName
  readonly label: string
  readonly measure: (dataset: Dataset, plan: Plan, task: TaskOptions) => Promise<Sections[SectionName]>
}

export const SECTIONS: readonly Section[] = [
  {
    name: 'verification',
    label: 'accuracy',
    measure: (dataset, { model, sizes, pairs, seed }, task) =>
      verificationReport(dataset, { model, bits: sizes, sampled: pairs, seed, ...task }),
  },
  {
    name: 'linkage',
    label: 'unlinkability',
    measure: (dataset, { model, bits, seed }, task) => linkageReport(dataset, { model, bits, seed, ...task }),
  },
  {
    name: 'inversion',
    label: 'inversion',
    measure: (dataset, { model, sizes, seed }, task) =>
      inversionReport(dataset, { model, bits: sizes, seed, ...task }),
  },
  {
    name: 'drill',
    label: 'thefts',
    measure: (dataset, { model, bits, people, seed }, task): Promise<DrillReport> =>
      drillReport(dataset, { model, bits, people, seed, ...task }),
  },
]

/** What the parts gave, and a sentence for each that is missing. */
export interface Outcome {
  readonly sections: Sections
  readonly missing: readonly string[]
}

/** Measures the parts that are wanted; one that needs more people than there are is left out, and said to be. */
export async function measureSections(
  dataset: Dataset,
  plan: Plan,
  wanted: readonly SectionName[],
  taskOf: (label: string, index: number, of: number) => TaskOptions,
): Promise<Outcome> {
  const found: { -readonly [Name in SectionName]: Sections[Name] } = {
    verification: null,
    linkage: null,
    inversion: null,
    drill: null,
  }
  const missing: string[] = []
  const chosen = SECTIONS.filter(({ name }) => wanted.includes(name))
  for (const { name, label } of SECTIONS) if (!wanted.includes(name)) missing.push(`Not asked for: ${label}.`)
  for (const [index, { name, label, measure }] of chosen.entries()) {
    try {
      Object.assign(found, { [name]: await measure(dataset, plan, taskOf(label, index, chosen.length)) })
    } catch (error) {
      if (!(error instanceof EvaluateError) || error.code !== 'ERR_EVALUATE_TOO_FEW') throw error
      missing.push(`Not measured: ${label}: ${error.message}.`)
    }
  }
  return { sections: found, missing }
}
