/** Import: plaintext embeddings become templates, resumable and without duplicates. @module */

import { checkBoolean, checkFunction, checkInteger, checkOneOf, checkText } from '../base/check.ts'
import { GuiseError } from '../base/errors.ts'
import { KeyedMutex } from '../base/mutex.ts'
import type { Dataset } from '../dataset/dataset.ts'
import { type Embedding, embedding, fuse } from '../embedding/embedding.ts'
import { checkModel, type Model } from '../embedding/model.ts'
import { type Basis, checkBasis } from '../policy/basis.ts'
import { runMany } from '../vault/bulk.ts'
import { allowUnattestedCapture } from '../vault/symbols.ts'
import type { Vault } from '../vault/vault.ts'
import { rejectIntake } from './errors.ts'
import { type BadRow, type Group, groupRows } from './rows.ts'

export interface ImportOptions {
  /** Names the import: a run with the same name and data goes on where an earlier one was stopped. */
  readonly name: string
  /** The model that made the vectors; the vault's, mean included. */
  readonly model: Model
  /** The legal basis of a subject; its purpose is the vault's. */
  readonly basis: (subject: string) => Basis
  /**
   * `first`: a subject's first row is enrolled, later ones are reported as `present`. `fuse`: neighbouring rows of one subject,
   * at most 32, are fused. Default `first`.
   */
  readonly rows?: 'first' | 'fuse'
  /** Row to begin with: the `doneTo` of an earlier run. Default 0. */
  readonly from?: number
  /** Checks everything and writes nothing. */
  readonly dryRun?: boolean
  /** Enrolments under way at once, 1 to 1024; no more than the vault lets in. Default 64. */
  readonly width?: number
  readonly signal?: AbortSignal
}

/** What became of a row, or of several rows that were fused. */
export interface ImportedRow {
  /** The first of the rows. */
  readonly row: number
  readonly rows: number
  /**
   * `enrolled`: by this import, now or before. `valid`: a dry run would enrol it. `present`: the subject has a record from
   * elsewhere, or from an earlier row. `failed`: nothing was written; see `error`.
   */
  readonly outcome: 'enrolled' | 'valid' | 'present' | 'failed'
  readonly error?: GuiseError
  /**
   * Every row below is done and durable: where a later run may begin. Never passes a row that failed, so that a later run takes
   * it up again.
   */
  readonly doneTo: number
}

/** The options, checked. */
interface Task {
  readonly vault: Vault
  readonly name: string
  readonly model: Model
  readonly basis: (subject: string) => Basis
  /** In a dry run: the subjects that were seen. */
  readonly seen: Set<string> | undefined
  /** Rows of one subject are enrolled one after the other, so that the first of them counts. */
  readonly subjects: KeyedMutex
  readonly signal: AbortSignal | undefined
}

/**
 * Enrols the subjects of a data set; results come as they are done, not in order. Each row carries an operation id made of the
 * import's name and its number, so that an import that was killed can be run again from the start, or from the last `doneTo`,
 * without duplicates and without loss. A row that cannot be read or enrolled is a result too, with its number and a typed error;
 * the others go on. What is wrong with a file as a whole is thrown, as is an abort.
 *
 * Vectors are wiped once they are taken over; the source is left as it is.
 *
 * @example
 * ```ts
 * for await (const { row, outcome, error } of importEmbeddings(vault, people, { name: 'first', model, basis: () => basis })) {
 *   if (outcome === 'failed') console.error(row, error?.code)
 * }
 * ```
 */
export async function* importEmbeddings(
  vault: Vault,
  dataset: Dataset,
  options: ImportOptions,
): AsyncGenerator<ImportedRow> {
  const { model, basis, signal } = options
  const name = checkText(options.name, 'name', { maxBytes: 64 }, rejectIntake)
  checkFunction(basis, 'basis', rejectIntake)
  const rows = checkOneOf(options.rows ?? 'first', 'rows', ['first', 'fuse'], rejectIntake)
  const from = checkInteger(options.from ?? 0, 'from', [0, Number.MAX_SAFE_INTEGER], rejectIntake)
  const width = checkInteger(options.width ?? 64, 'width', [1, 1024], rejectIntake)
  const dryRun = checkBoolean(options.dryRun ?? false, 'dryRun', rejectIntake)
  if (dataset.dimensions !== checkModel(model).dimensions) {
    throw rejectIntake('the vectors have other dimensions than the model')
  }
  const ledger = new Ledger(from)
  const seen = dryRun ? new Set<string>() : undefined
  const task: Task = { vault, name, model, basis, signal, seen, subjects: new KeyedMutex() }
  const items = ledger.follow(groupRows(dataset, { from, fuse: rows === 'fuse', signal }))
  const call = signal === undefined ? undefined : { signal }
  for await (const result of runMany(items, (item) => importItem(task, item), width, call)) {
    const done = ledger.finish(result.index, result.ok)
    const { doneTo } = ledger
    if (result.ok) yield { ...done, outcome: result.value, doneTo }
    else yield { ...done, outcome: 'failed', error: result.error, doneTo }
  }
}

/** Copies the vectors before it first waits: they are wiped after that. */
async function importItem(task: Task, item: Group | BadRow): Promise<ImportedRow['outcome']> {
  if ('error' in item) throw item.error
  const embeddings: Embedding[] = []
  try {
    for (const vector of item.vectors) embeddings.push(embedding(vector, task.model))
    const basis = basisOf(task, item.subject)
    return await task.subjects.run(item.subject, () =>
      task.seen === undefined
        ? enrollGroup(task, item, basis, embeddings)
        : checkGroup(task, item, basis, embeddings),
    )
  } finally {
    for (const held of embeddings) held[Symbol.dispose]()
  }
}

async function enrollGroup(
  { vault, name, signal }: Task,
  { row, subject }: Group,
  basis: Basis,
  embeddings: readonly Embedding[],
): Promise<'enrolled' | 'present'> {
  const [first, ...more] = embeddings.map((held) => ({
    embedding: held,
    [allowUnattestedCapture]: true as const,
  })) as [{ embedding: Embedding; [allowUnattestedCapture]: true }]
  try {
    const call = { operationId: `import ${name} ${row}`, ...(signal !== undefined && { signal }) }
    await vault.enroll({ subject, basis, ...first, more }, call)
    return 'enrolled'
  } catch (error) {
    if (error instanceof GuiseError && error.code === 'ERR_VAULT_ENROLLED') return 'present'
    throw error
  }
}

/** What `enroll` would refuse of the row is refused; nothing is written. */
async function checkGroup(
  { vault, seen, signal }: Task,
  { subject }: Group,
  basis: Basis,
  embeddings: readonly Embedding[],
): Promise<'valid' | 'present'> {
  fuse(embeddings)[Symbol.dispose]()
  checkBasis(basis, basis.purpose)
  const repeated = seen?.has(subject) === true
  seen?.add(subject)
  const known = await vault.describe(subject, signal === undefined ? undefined : { signal })
  return repeated || known !== undefined ? 'present' : 'valid'
}

/** What the caller's function throws is the caller's, and ends the import, unless it is typed. */
function basisOf(task: Task, subject: string): Basis {
  const basis: unknown = task.basis(subject)
  if (typeof basis === 'object' && basis !== null) return basis as Basis
  throw rejectIntake('the basis of a subject must be an object')
}

/** Which rows are under way, and below which row everything is done. */
class Ledger {
  readonly #underWay = new Map<number, { readonly row: number; readonly rows: number }>()
  #next: number
  /** The first row that failed: a later run begins there at the latest. */
  #failed = Number.POSITIVE_INFINITY

  constructor(from: number) {
    this.#next = from
  }

  get doneTo(): number {
    let least = Math.min(this.#next, this.#failed)
    for (const { row } of this.#underWay.values()) least = Math.min(least, row)
    return least
  }

  /** Passes items on and keeps book of them. */
  async *follow(items: AsyncGenerator<Group | BadRow>): AsyncGenerator<Group | BadRow> {
    let index = 0
    for await (const item of items) {
      const rows = 'error' in item ? 1 : item.vectors.length
      this.#underWay.set(index++, { row: item.row, rows })
      this.#next = item.row + rows
      yield item
    }
  }

  finish(index: number, done: boolean): { readonly row: number; readonly rows: number } {
    const finished = this.#underWay.get(index) as { readonly row: number; readonly rows: number }
    this.#underWay.delete(index)
    if (!done) this.#failed = Math.min(this.#failed, finished.row)
    return finished
  }
}
