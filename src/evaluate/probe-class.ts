/** Probes of another kind than the references, such as masked faces: two data sets that share people (SPEC §15.4). @module */

import type { Dataset } from '../dataset/dataset.ts'
import type { Model } from '../embedding/model.ts'
import { inputError } from './errors.ts'
import type { TaskOptions } from './pace.ts'
import { loadPeople, type People } from './people.ts'
import type { Side, StreamPlan } from './stream-plan.ts'

/** People, and what their data set said of them. */
export interface Roll {
  readonly people: People
  /** Subject of every row of the data set. */
  readonly rows: readonly string[]
  /** Subjects by number, and the row of each sample. */
  readonly names: readonly string[]
  readonly rowOf: Uint32Array
}

/** Loads people and remembers rows and subjects. */
export async function loadRoll(
  dataset: Dataset,
  options: TaskOptions & { readonly model: Model; readonly samplesPerSubject: number },
): Promise<Roll> {
  const rows: string[] = []
  const kept = new Map<string, number[]>()
  const read: Dataset['read'] = async function* (readOptions) {
    for await (const labelled of dataset.read(readOptions)) {
      const samples = kept.get(labelled.subject) ?? []
      if (samples.length < options.samplesPerSubject) samples.push(labelled.row)
      kept.set(labelled.subject, samples)
      rows.push(labelled.subject)
      yield labelled
    }
  }
  const people = await loadPeople({ ...dataset, read }, options)
  return { people, rows, names: [...kept.keys()], rowOf: Uint32Array.from([...kept.values()].flat()) }
}

/** All comparisons of references with probes of another set; a probe meets no reference of its own row in sets that are aligned. */
export function crossSides(
  references: Roll,
  probes: Roll,
): Pick<StreamPlan, 'dimensions' | 'references' | 'probes' | 'within' | 'twinOf'> {
  if (references.people.dimensions !== probes.people.dimensions)
    throw inputError('a class of probes has another number of dimensions than the references')
  const numbers = new Map(references.names.map((name, number) => [name, number]))
  for (const name of probes.names) if (!numbers.has(name)) numbers.set(name, numbers.size)
  const subjectOf = probes.people.subjectOf.map(
    (subject) => numbers.get(probes.names[subject] as string) as number,
  )
  const side: Side = { ...probes.people, subjectOf }
  return {
    dimensions: references.people.dimensions,
    references: references.people,
    probes: side,
    within: false,
    twinOf: twins(references, probes),
  }
}

/** `null` unless every row of both sets is of the same subject. */
function twins(references: Roll, probes: Roll): Int32Array | null {
  const aligned =
    references.rows.length === probes.rows.length &&
    references.rows.every((subject, row) => probes.rows[row] === subject)
  if (!aligned) return null
  const referenceOf = new Map(Array.from(references.rowOf, (row, sample) => [row, sample]))
  return Int32Array.from(probes.rowOf, (row) => referenceOf.get(row) ?? -1)
}
