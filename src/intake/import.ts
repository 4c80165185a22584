/** Import: plaintext embeddings become templates, resumable and without duplicates. @module */

import { checkFunction, checkInteger, checkText } from '../base/check.ts'
import { GuiseError } from '../base/errors.ts'
import type { Dataset, LabelledVector } from '../dataset/dataset.ts'
import { type Embedding, embedding } from '../embedding/embedding.ts'
import { checkModel, type Model } from '../embedding/model.ts'
import type { Basis } from '../policy/basis.ts'
import { runMany } from '../vault/bulk.ts'
import { allowUnattestedCapture } from '../vault/symbols.ts'
import type { Vault } from '../vault/vault.ts'
import { rejectIntake } from './errors.ts'

export interface ImportOptions {
  /** Names the import: a run with the same name and data goes on where an earlier one was stopped. */
  readonly name: string
  /** The model that made the vectors; the vault's. */
  readonly model: Model
  /** The legal basis of a subject. */
  readonly basis: (subject: string) => Basis
  /**
   * `first`: a subject's first row is enrolled, later ones are reported as `present`. `fuse`: neighbouring rows of one subject,
   * at most 32, are fused. Default `first`.
   */
  readonly rows?: 'first' | 'fuse'
  /** Row to begin with: earlier ones are known to be done. Default 0. */
  readonly from?: number
  /** Checks everything and writes nothing. */
  readonly dryRun?: boolean
  /** Enrolments under way at once, 1 to 1024. Default 64. */
  readonly width?: number
  readonly signal?: AbortSignal
}

/** What became of a row, or of several rows that were fused. */
export interface ImportedRow {
  /** The first of the rows. */
  readonly row: number
  readonly rows: number
  /** `enrolled`: by this import, now or before. `present`: the subject has a record from elsewhere, or from an earlier row. */
  readonly outcome: 'enrolled' | 'valid' | 'present' | 'failed'
  readonly error?: GuiseError
  /** Every row below is done: where a later run may begin. */
  readonly doneTo: number
}

interface Group {
  readonly row: number
  readonly subject: string
  readonly vectors: Float32Array[]
}

const MOST_FUSED = 32

/**
 * Enrols the subjects of a data set. Each row carries an operation id made of the import's name and its number, so that an import
 * that was killed can be run again from the start, or from the last `doneTo`, without duplicates and without loss. Vectors are
 * wiped once they are enrolled; the source is left as it is.
 */
export async function* importEmbeddings(
  vault: Vault,
  dataset: Dataset,
  options: ImportOptions,
): AsyncGenerator<ImportedRow> {
  const name = checkText(options.name, 'name', { maxBytes: 64 }, rejectIntake)
  checkFunction(options.basis, 'basis', rejectIntake)
  const width = checkInteger(options.width ?? 64, 'width', [1, 1024], rejectIntake)
  const model = checkModel(options.model)
  if (dataset.dimensions !== model.dimensions)
    throw rejectIntake('the vectors have other dimensions than the model')
  const ledger = new Ledger(options.from ?? 0)
  const groups = groupRows(dataset, options, ledger)
  const task = (group: Group): Promise<ImportedRow['outcome']> => importGroup(vault, group, name, options)
  for await (const result of runMany(groups, task, width, options)) {
    const { row, rows } = ledger.finish(result.index)
    const { doneTo } = ledger
    if (result.ok) yield { row, rows, outcome: result.value, doneTo }
    else yield { row, rows, outcome: 'failed', error: result.error, doneTo }
  }
}

/** Rows of the data set, one by one or fused, in order. */
async function* groupRows(dataset: Dataset, options: ImportOptions, ledger: Ledger): AsyncGenerator<Group> {
  let group: Group | undefined
  const read = {
    ...(options.from !== undefined && { from: options.from }),
    ...(options.signal && { signal: options.signal }),
  }
  for await (const labelled of dataset.read(read)) {
    if (group !== undefined && belongs(labelled, group, options)) {
      group.vectors.push(labelled.vector)
      continue
    }
    if (group !== undefined) yield ledger.begin(group)
    group = { row: labelled.row, subject: labelled.subject, vectors: [labelled.vector] }
  }
  if (group !== undefined) yield ledger.begin(group)
}

function belongs(labelled: LabelledVector, group: Group, options: ImportOptions): boolean {
  return options.rows === 'fuse' && labelled.subject === group.subject && group.vectors.length < MOST_FUSED
}

async function importGroup(
  vault: Vault,
  group: Group,
  name: string,
  options: ImportOptions,
): Promise<ImportedRow['outcome']> {
  const embeddings: Embedding[] = []
  try {
    for (const vector of group.vectors) embeddings.push(embedding(vector, options.model))
    const basis = options.basis(group.subject)
    const [first, ...more] = embeddings.map((held) => ({
      embedding: held,
      [allowUnattestedCapture]: true as const,
    }))
    if (first === undefined) return 'failed'
    if (options.dryRun === true)
      return (await vault.describe(group.subject)) === undefined ? 'valid' : 'present'
    await vault.enroll(
      { subject: group.subject, basis, ...first, more },
      { operationId: `import ${name} ${group.row}`, ...(options.signal && { signal: options.signal }) },
    )
    return 'enrolled'
  } catch (error) {
    if (error instanceof GuiseError && error.code === 'ERR_VAULT_ENROLLED') return 'present'
    throw error
  } finally {
    for (const held of embeddings) held[Symbol.dispose]()
    for (const vector of group.vectors) vector.fill(0)
  }
}

/** Which rows are under way, and below which row everything is done. */
class Ledger {
  readonly #groups = new Map<number, { readonly row: number; readonly rows: number }>()
  readonly #open = new Set<number>()
  #begun = 0
  #next: number

  constructor(from: number) {
    this.#next = from
  }

  get doneTo(): number {
    let least = this.#next
    for (const row of this.#open) least = Math.min(least, row)
    return least
  }

  begin(group: Group): Group {
    const rows = group.vectors.length
    this.#groups.set(this.#begun++, { row: group.row, rows })
    this.#open.add(group.row)
    this.#next = group.row + rows
    return group
  }

  finish(index: number): { readonly row: number; readonly rows: number } {
    const group = this.#groups.get(index) ?? { row: 0, rows: 0 }
    this.#groups.delete(index)
    this.#open.delete(group.row)
    return group
  }
}
