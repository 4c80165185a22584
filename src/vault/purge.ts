/** Purge: erases every record whose time is over, each with its receipt (SPEC §12.4). @module */

import type { Millis, RecordId, SubjectId } from '../base/brand.ts'
import { equalBytes, fromBase64 } from '../base/bytes.ts'
import { checkBoolean, checkFunction, checkInteger } from '../base/check.ts'
import { GuiseError } from '../base/errors.ts'
import { realmPrefix } from '../base/identifier.ts'
import { readList } from '../policy/fields.ts'
import {
  checkRetention,
  type Due,
  dueAt,
  type RetentionPolicy,
  type RetentionReason,
} from '../policy/retention.ts'
import { effectiveState } from '../policy/states.ts'
import { RecordError } from '../record/errors.ts'
import { isSubjectKey, startsWith } from '../record/place.ts'
import { REASON_WITHDRAWN, type StateRow } from '../record/state-row.ts'
import type { StoredRow } from '../store/store.ts'
import { settle } from './change.ts'
import type { VaultContext } from './context.ts'
import { eraseOnce, receiptOf } from './erase.ts'
import { rejectInput } from './errors.ts'
import { Lives } from './lives.ts'
import { openState, readState, recordId, subjectId } from './lookup.ts'
import { handleName, readMapping } from './mapping.ts'
import { isConflict } from './outcome.ts'
import { openRealm, type RealmOptions } from './realm-context.ts'
import type { ErasureReceipt } from './types.ts'

export interface PurgeOptions extends RealmOptions {
  readonly policies: readonly RetentionPolicy[]
  /** Says what is due and erases nothing. */
  readonly dryRun?: true
  /** Erasures a second, 1 to 100,000. Default: as many as the store takes. */
  readonly perSecond?: number
  /** Subjects that a purge before this one announced and gave no receipt for: the receipt is given now. */
  readonly resume?: readonly SubjectId[]
  /** Told after each page; `due` as it was counted when the purge began. */
  readonly onProgress?: (done: number, due: number) => void
}

/** One record of a page. */
export type Purged = {
  readonly subject: SubjectId
} & (
  | {
      readonly outcome: 'due'
      readonly record: RecordId
      readonly reason: RetentionReason
      readonly dueAt: Millis
    }
  | { readonly outcome: 'erased'; readonly record: RecordId; readonly receipt: ErasureReceipt }
  /** Changed since it was counted: renewed, held or matched. */
  | { readonly outcome: 'kept' }
  | { readonly outcome: 'failed'; readonly error: GuiseError }
)

/** What was found when the purge began, and what became of it. */
export interface PurgeSummary {
  /** Due before or at this instant. */
  readonly at: Millis
  /** Records that were not erased, and of these those under a legal hold. */
  readonly records: number
  readonly held: number
  /** Records of a purpose without a policy: nothing but a withdrawal ends them. */
  readonly uncovered: number
  readonly due: number
  readonly erased: number
  readonly failed: number
  /** Live persons after the purge, exact as of one instant: neither revoked nor erased. */
  readonly people: number
}

const PAGE = 64
const HANDLE_BYTES = 16

/**
 * Erases what is due, page by page. A page comes twice: first each record as `due`, before anything of it is erased, so that the
 * consumer can note whom a crash may leave without a receipt; then with its outcome. Vaults may be at work meanwhile: what somebody holds
 * or renews first is kept. Stopped anywhere, it goes on where it stopped. Throws `KeysError`, `StoreError`, `AuditError`, `PolicyError`.
 *
 * @example
 * ```ts
 * const policies = [{ purpose: 'login', afterExpiryDays: 30 }]
 * for await (const page of purge({ keyring, store, logSigner, policies })) for (const one of page) console.log(one.outcome)
 * ```
 */
export async function* purge(
  options: PurgeOptions,
): AsyncGenerator<readonly Purged[], PurgeSummary, undefined> {
  const call = checkPurge(options)
  const ctx = await openRealm(options)
  try {
    return yield* new Purge(ctx, call).run()
  } finally {
    await ctx.ledger.close()
  }
}

interface PurgeCall extends Pick<PurgeOptions, 'actor'> {
  readonly policies: ReadonlyMap<string, RetentionPolicy>
  readonly dryRun: boolean
  readonly perSecond: number | undefined
  readonly resume: readonly Uint8Array[]
  readonly onProgress: ((done: number, due: number) => void) | undefined
}

interface DueRecord extends Due {
  readonly handle: Uint8Array
  readonly record: RecordId
  readonly generation: Uint8Array
}

class Purge {
  readonly #ctx: VaultContext
  readonly #call: PurgeCall
  /** A page that has begun is worked off, whoever gives up meanwhile: without its receipts nobody would be told what is gone. */
  readonly #begun: VaultContext
  readonly #lives: Lives
  readonly #counted = { records: 0, held: 0, uncovered: 0 }
  #done = 0
  #erased = 0
  #failed = 0

  constructor(ctx: VaultContext, call: PurgeCall) {
    this.#ctx = ctx
    this.#call = call
    this.#begun = ctx.unabortable.within(call.actor === undefined ? {} : { actor: call.actor })
    this.#lives = new Lives(ctx.store, ctx.realm, ctx.ring)
  }

  async *run(): AsyncGenerator<readonly Purged[], PurgeSummary, undefined> {
    const { dryRun, resume, perSecond } = this.#call
    const at = this.#ctx.now().nowMs as Millis
    await this.#lives.follow()
    const late = await this.#receipts(resume)
    if (late.length > 0) yield late
    const due = await this.#findDue(at)
    const mapping = await readMapping(this.#ctx, dryRun ? [] : due.map(({ handle }) => handle))
    const width = Math.min(PAGE, perSecond ?? PAGE)
    const { signal } = this.#ctx
    for (let from = 0; from < due.length; from += width) {
      signal?.throwIfAborted()
      const page = due.slice(from, from + width)
      yield page.map(announce)
      if (dryRun) continue
      signal?.throwIfAborted()
      const begunMs = this.#ctx.now().steadyMs
      yield await this.#erasePage(page, mapping)
      this.#call.onProgress?.(this.#done, due.length)
      if (perSecond !== undefined && from + width < due.length)
        await this.#pause(begunMs + (1000 * page.length) / perSecond)
    }
    await this.#lives.follow()
    const { people } = this.#lives
    return { at, ...this.#counted, due: due.length, erased: this.#erased, failed: this.#failed, people }
  }

  /** What crashed purges erased and gave no receipt for. */
  async #receipts(handles: readonly Uint8Array[]): Promise<readonly Purged[]> {
    const found: Purged[] = []
    for (const handle of handles) {
      const row = (await readState(this.#ctx, handle))?.row
      if (row?.state !== 'erased') continue
      const receipt = await receiptOf(this.#ctx, row)
      found.push({ outcome: 'erased', subject: subjectId(handle), record: receipt.record, receipt })
    }
    // An erasure that was not anchored before the crash is, now.
    if (found.length > 0) await settle(this.#ctx)
    return found
  }

  /** Everybody who is due at the instant, the longest overdue first. */
  async #findDue(at: number): Promise<readonly DueRecord[]> {
    const ctx = this.#ctx
    const prefix = realmPrefix(ctx.realm)
    const found: DueRecord[] = []
    for await (const stored of ctx.store.scan('states', prefix)) {
      if (!startsWith(stored.key, prefix)) break
      if (!isSubjectKey(ctx.realm, stored.key)) continue
      const row = await this.#open(stored)
      if (row === undefined || row.state === 'erased') continue
      this.#counted.records += 1
      if (row.state === 'held') this.#counted.held += 1
      if (row.basis !== null && !this.#call.policies.has(row.basis.purpose)) this.#counted.uncovered += 1
      const due = this.#dueAt(row, at)
      if (due !== undefined)
        found.push({ ...due, handle: row.handle, record: recordId(row.record), generation: row.generation })
    }
    return found.sort((a, b) => a.dueMs - b.dueMs)
  }

  /** A row that cannot be read is `fsck`'s to name: whose time is over it does not say. */
  async #open(stored: StoredRow): Promise<StateRow | undefined> {
    const handle = stored.key.slice(-HANDLE_BYTES)
    try {
      return (await openState(this.#ctx, handle, stored))?.row
    } catch (error) {
      if (!(error instanceof RecordError) && !isConflict(error)) throw error
      if (isConflict(error)) return (await readState(this.#ctx, handle))?.row
      this.#failed += 1
      return undefined
    }
  }

  #dueAt(row: StateRow, nowMs: number): Due | undefined {
    const life = this.#lives.of(row.handle)
    if (row.basis === null || life === undefined) return undefined
    const due = dueAt(this.#call.policies.get(row.basis.purpose), {
      state: effectiveState(row.state, row.basis, nowMs),
      withdrawn: row.reason === REASON_WITHDRAWN,
      expiresMs: row.basis.expiresMs,
      changedMs: row.changedMs,
      madeMs: life.madeMs,
      matchedMs: life.matchedMs,
      revokedMs: life.revokedMs,
      withdrawnMs: life.withdrawnMs,
    })
    return due !== undefined && due.dueMs <= nowMs ? due : undefined
  }

  async #erasePage(
    page: readonly DueRecord[],
    mapping: ReadonlyMap<string, Uint8Array>,
  ): Promise<readonly Purged[]> {
    // Whoever matched since the log was read may be kept for it.
    await this.#lives.follow()
    const results = await Promise.all(
      page.map((one) => this.#eraseOne(one, mapping.get(handleName(one.handle)))),
    )
    await settle(this.#begun)
    this.#done += page.length
    for (const { outcome } of results) {
      if (outcome === 'erased') this.#erased += 1
      if (outcome === 'failed') this.#failed += 1
    }
    return results
  }

  async #eraseOne(due: DueRecord, index: Uint8Array | undefined): Promise<Purged> {
    const { record } = due
    const subject = subjectId(due.handle)
    try {
      const receipt = await this.#begun.decide(() => this.#decide(due, index))
      return receipt === undefined
        ? { outcome: 'kept', subject }
        : { outcome: 'erased', subject, record, receipt }
    } catch (error) {
      if (error instanceof GuiseError) return { outcome: 'failed', subject, error }
      throw error
    }
  }

  /** Decided on rows that are read now: a record that was held, renewed or erased meanwhile is not due. */
  async #decide(
    { handle, generation }: DueRecord,
    key: Uint8Array | undefined,
  ): Promise<ErasureReceipt | undefined> {
    const ctx = this.#begun
    const ring = ctx.ringStep()
    const state = await readState(ctx, handle)
    const { nowMs } = ctx.now()
    // By a commit whose answer got lost, or by another purge: the receipt is the same.
    if (state?.row.state === 'erased') return receiptOf(ctx, state.row)
    // What the log was read for is another template by now: the next purge knows the instants of this one.
    if (state !== undefined && !equalBytes(state.row.generation, generation)) return undefined
    const due = state && this.#dueAt(state.row, nowMs)
    if (state === undefined || due === undefined) return undefined
    const index = key && (await ctx.store.get('index', key))
    if (index === undefined) throw new RecordError('ERR_RECORD_MISSING', 'the index row is missing')
    const found = { places: [], handle, index, ring, record: undefined }
    const policy = `retention/${due.reason}`
    // Holders of a quorum are told by the next vault that has it.
    const call = { ...state, found, digest: undefined, nowMs }
    return (await eraseOnce(ctx, call, undefined, policy)).receipt
  }

  async #pause(untilMs: number): Promise<void> {
    const { signal } = this.#ctx
    for (;;) {
      signal?.throwIfAborted()
      const ms = untilMs - this.#ctx.now().steadyMs
      if (ms <= 0) return
      await new Promise((resolve) => setTimeout(resolve, Math.min(ms, 50)))
    }
  }
}

function announce({ handle, record, reason, dueMs }: DueRecord): Purged {
  return { outcome: 'due', subject: subjectId(handle), record, reason, dueAt: dueMs as Millis }
}

function checkPurge(options: PurgeOptions): PurgeCall {
  const { policies, dryRun, perSecond, resume = [], onProgress, actor } = options
  return {
    ...(actor === undefined ? {} : { actor }),
    policies: checkRetention(policies),
    dryRun: dryRun === undefined ? false : checkBoolean(dryRun, 'dryRun', rejectInput),
    perSecond:
      perSecond === undefined ? undefined : checkInteger(perSecond, 'perSecond', [1, 100_000], rejectInput),
    resume: readList(resume, 'resume', 10_000_000, rejectInput).map(handleOf),
    onProgress:
      onProgress === undefined
        ? undefined
        : (checkFunction(onProgress, 'onProgress', rejectInput) as PurgeOptions['onProgress']),
  }
}

function handleOf(text: unknown): Uint8Array {
  const bytes = typeof text === 'string' ? fromBase64(text) : undefined
  if (bytes?.length !== HANDLE_BYTES) throw rejectInput('resume must name subjects as a purge does')
  return bytes
}
