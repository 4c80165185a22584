/** A share holder: what it answers, and what must be so before it does (SPEC §13.4, §13.5). @module */

import type { Anchor } from '../audit/anchor.ts'
import { openCheckpoint } from '../audit/checkpoint.ts'
import { KEY_TYPE, parseVerifierKey } from '../audit/note.ts'
import type { TreeHead } from '../audit/proof.ts'
import type { Realm } from '../base/brand.ts'
import { equalBytes } from '../base/bytes.ts'
import { checkBytes, checkInteger, checkObject, checkText } from '../base/check.ts'
import { type Clock, systemClock } from '../base/clock.ts'
import type { CallOptions } from '../base/errors.ts'
import { checkRealm } from '../base/identifier.ts'
import { KeyedMutex } from '../base/mutex.ts'
import type { Store } from '../store/store.ts'
import { QuorumError, rejectInput } from './errors.ts'
import { evaluateShare, quorumInput } from './evaluate.ts'
import { checkEpoch, MAX_EPOCH } from './key.ts'
import {
  decodeQuestion,
  encodeAcknowledgement,
  encodeAnswer,
  encodeRefusal,
  encodeSaid,
  ID_BYTES,
  MAX_MESSAGE_BYTES,
  REASONS,
  type RefusalCode,
  type Request,
  type Revocation,
} from './messages.ts'
import { checkEnding, checkOpening, checkReceipt } from './receipt.ts'
import type { Floor, HeadRow, RecordRow } from './rows.ts'
import { QuorumShare } from './share.ts'
import { HolderState } from './state.ts'

const HOUR_MS = 3_600_000
const DEFAULT_WINDOW_MS = 300_000
const MOST_EPOCHS = 2
const MOST_REFRESHES = 2

/** How many answers a holder gives (QUORUM-11). There is no default: it decides how much an insider may open. */
export interface QuorumBudgets {
  /** Of one generation in an hour. */
  readonly recordPerHour: number
  /** Of one generation in its life. */
  readonly recordTotal: number
  /** Of the holder in an hour. */
  readonly allPerHour: number
}

export interface QuorumHolderOptions extends CallOptions {
  /** At most two epochs, of each two refreshes; copied. */
  readonly shares: readonly QuorumShare[]
  /** A secret of this holder alone, 32 bytes, copied: it authenticates what the holder remembers. It outlives every share. */
  readonly key: Uint8Array
  /** The holder's own, with nothing else in it, open in this process only. */
  readonly store: Store
  /** Where the holder keeps what it must not forget when its store is put back. Without one it does not notice. */
  readonly anchor?: Anchor
  /** The verifier key of the vault's log, as text. */
  readonly logKey: string
  /**
   * A signed checkpoint of the vault's log, as text, that the holder takes for seen (QUORUM-30). Without one it believes the first that it is shown.
   */
  readonly checkpoint?: string
  readonly budgets: QuorumBudgets
  /** How far the time of a request may lie from this holder's clock; 300,000 unless said. */
  readonly windowMs?: number
}

/** Whom a quorum can be asked through: in this process, or at the end of a wire. */
export interface QuorumPeer {
  /** The reply to a message, both as in SPEC §13.4. */
  handle(message: Uint8Array, options?: CallOptions): Promise<Uint8Array>
}

export interface QuorumHolder extends QuorumPeer, Disposable {
  readonly index: number
  /** What acknowledgements are verified with; pinned by whoever asks. */
  readonly verifierKey: string
  /**
   * Answers a request or a revocation. Whatever is wrong with it, or with this holder, is a refusal in bytes; only an
   * abort rejects, and what is no bytes or too many.
   */
  handle(message: Uint8Array, options?: CallOptions): Promise<Uint8Array>
  /**
   * Never serves again: epochs before `epoch`, or, with `refresh`, shares of `epoch` before that refresh (QUORUM-14). Durable and anchored when
   * it resolves.
   */
  retire(floor: { readonly epoch: number; readonly refresh?: number }, options?: CallOptions): Promise<void>
  /** Wipes shares and keys; whatever is asked from then on is refused. The store stays the caller's. */
  close(): void
}

/**
 * Opens a holder over its store. Throws `ERR_QUORUM_INPUT`, `ERR_QUORUM_ROLLBACK` when the store is not what the holder left,
 * `ERR_QUORUM_EPOCH` or `ERR_QUORUM_STALE` for a share that was retired.
 *
 * @example
 * ```ts
 * const holder = await quorumHolder({ shares: [share], key, store, anchor, logKey, budgets })
 * const reply = await holder.handle(message)
 * ```
 */
export function quorumHolder(options: QuorumHolderOptions): Promise<QuorumHolder> {
  return openHolder(options, systemClock)
}

/** `quorumHolder` with a clock, for tests. */
export async function openHolder(options: QuorumHolderOptions, clock: Clock): Promise<QuorumHolder> {
  checkObject(options, 'options', rejectInput)
  const { shares, realm, index } = checkShares(options.shares)
  const key = checkBytes(options.key, 'key', 32, rejectInput)
  checkObject(options.store, 'store', rejectInput)
  if (options.anchor !== undefined) checkObject(options.anchor, 'anchor', rejectInput)
  const budgets = checkBudgets(options.budgets)
  const logKey = checkLogKey(options.logKey)
  const pinned = options.checkpoint === undefined ? undefined : checkPinned(options.checkpoint, logKey)
  const windowMs = checkInteger(
    options.windowMs ?? DEFAULT_WINDOW_MS,
    'windowMs',
    [1000, 86_400_000],
    rejectInput,
  )
  const { store, anchor } = options
  const call = options.signal === undefined ? {} : { signal: options.signal }
  const state = await HolderState.open({ name: { realm, index }, store, anchor, key }, call)
  try {
    for (const { key: of } of shares) requireServed(state.head, of.epoch, of.refresh)
    if (pinned !== undefined) requireOneTree(pinned, state.head)
    const own = shares.map((share) => share.copy())
    return new Holder({ realm, index, shares: own, state, clock, logKey, pinned, budgets, windowMs })
  } catch (error) {
    state.close()
    throw error
  }
}

interface HolderParts {
  readonly realm: Realm
  readonly index: number
  readonly shares: readonly QuorumShare[]
  readonly state: HolderState
  readonly clock: Clock
  readonly logKey: string
  readonly pinned: TreeHead | undefined
  readonly budgets: QuorumBudgets
  readonly windowMs: number
}

class Holder implements QuorumHolder {
  readonly index: number
  readonly verifierKey: string
  readonly #parts: HolderParts
  readonly #turns = new KeyedMutex()
  #closed = false

  constructor(parts: HolderParts) {
    this.index = parts.index
    this.verifierKey = parts.state.verifierKey
    this.#parts = parts
  }

  async handle(message: Uint8Array, options: CallOptions = {}): Promise<Uint8Array> {
    checkBytes(message, 'message', [0, MAX_MESSAGE_BYTES], rejectInput)
    let id: Uint8Array = new Uint8Array(ID_BYTES)
    try {
      const question = decodeQuestion(message)
      id = question.id
      if (question.realm !== this.#parts.realm || question.index !== this.index) {
        throw new QuorumError('ERR_QUORUM_FORMAT', 'the question is for another holder')
      }
      const task = (): Promise<Uint8Array> =>
        question.kind === 'request' ? this.#answer(question, options) : this.#acknowledge(question, options)
      return await this.#inTurn(task, options)
    } catch (error) {
      options.signal?.throwIfAborted()
      const { realm } = this.#parts
      return encodeRefusal({ realm, index: this.index, id, code: codeOf(error), seen: this.#seen().size })
    }
  }

  async retire(
    floor: { readonly epoch: number; readonly refresh?: number },
    options: CallOptions = {},
  ): Promise<void> {
    checkObject(floor, 'floor', rejectInput)
    const epoch = checkEpoch(floor.epoch, rejectInput)
    const refresh = checkInteger(floor.refresh ?? 0, 'refresh', [0, MAX_EPOCH], rejectInput)
    await this.#inTurn(async () => {
      const { state } = this.#parts
      const next =
        floor.refresh === undefined
          ? raiseEpoch(state.head, epoch)
          : raiseRefresh(state.head, { epoch, refresh })
      await state.keep(next, undefined, options)
    }, options)
  }

  close(): void {
    this.#closed = true
    for (const share of this.#parts.shares) share.dispose()
    this.#parts.state.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #inTurn<Result>(task: () => Promise<Result>, options: CallOptions): Promise<Result> {
    return this.#turns.run(
      'state',
      async () => {
        if (this.#closed) throw new QuorumError('ERR_QUORUM_UNAVAILABLE', 'the holder is closed')
        await this.#parts.state.settle(options)
        return await task()
      },
      options.signal,
    )
  }

  async #answer(request: Request, options: CallOptions): Promise<Uint8Array> {
    const { realm, state, logKey } = this.#parts
    const { epoch, refresh, record, generation, id, receipt } = request
    const share = this.#shareOf(epoch, refresh)
    const { entry, head: seen } = checkReceipt(receipt, logKey, this.#seen())
    checkOpening(entry, request)
    const row = state.row(record, generation)
    const counted = this.#count(row, receipt.place, entry.timeMs)
    await state.keep(
      { ...state.head, ...counted.head, size: seen.size, root: seen.root },
      counted.row,
      options,
    )
    const part = evaluateShare(share, quorumInput({ realm, record, generation, epoch }))
    return encodeAnswer({ realm, id, epoch, refresh, seen: seen.size, ...part })
  }

  async #acknowledge(revocation: Revocation, options: CallOptions): Promise<Uint8Array> {
    const { state, logKey } = this.#parts
    const { realm, record, generation, id, receipt } = revocation
    const { entry, head: seen } = checkReceipt(receipt, logKey, this.#seen())
    checkEnding(entry, revocation)
    const row = state.row(record, generation)
    // What is remembered already is durable and anchored: that is settled before every turn.
    if (!row.revoked || seen.size > state.head.size) {
      await state.keep(
        { ...state.head, size: seen.size, root: seen.root },
        { ...row, revoked: true },
        options,
      )
    }
    const { said, signed } = encodeSaid({ realm, record, generation, index: this.index, id, seen: seen.size })
    return encodeAcknowledgement(said, await state.sign(signed))
  }

  /** The newer one of what is remembered and what was pinned. */
  #seen(): TreeHead {
    const { pinned, state } = this.#parts
    return pinned !== undefined && pinned.size > state.head.size ? pinned : state.head
  }

  #shareOf(epoch: number, refresh: number): QuorumShare {
    const { shares, state } = this.#parts
    requireServed(state.head, epoch, refresh)
    const ofEpoch = shares.filter(({ key }) => key.epoch === epoch)
    if (ofEpoch.length === 0)
      throw new QuorumError('ERR_QUORUM_EPOCH', 'the holder has no share of this epoch')
    const share = ofEpoch.find(({ key }) => key.refresh === refresh)
    if (share === undefined) throw stale('the holder has no share of this refresh')
    return share
  }

  /** The row and the head with this answer in them; throws what stands against it. */
  #count(
    row: RecordRow,
    place: number,
    timeMs: number,
  ): { readonly row: RecordRow; readonly head: Pick<HeadRow, 'hour' | 'count'> } {
    const { state, budgets, clock, windowMs } = this.#parts
    const nowMs = clock.nowMs()
    if (row.revoked) throw new QuorumError('ERR_QUORUM_REVOKED', 'the generation is revoked')
    if (Math.abs(nowMs - timeMs) > windowMs) throw stale('the request was logged at another time')
    if (place < row.next)
      throw new QuorumError('ERR_QUORUM_REPLAY', 'the log entry was answered, or a later one')
    const hour = Math.floor(nowMs / HOUR_MS)
    const own = inHour(row, hour)
    const all = inHour(state.head, hour)
    const spent =
      own.count >= budgets.recordPerHour ||
      row.total >= budgets.recordTotal ||
      all.count >= budgets.allPerHour
    if (spent) throw new QuorumError('ERR_QUORUM_BUDGET', 'the budget is spent')
    return {
      row: { ...row, hour: own.hour, count: own.count + 1, total: row.total + 1, next: place + 1 },
      head: { hour: all.hour, count: all.count + 1 },
    }
  }
}

/** Hour and count as they are now; a clock that goes back opens no new hour. */
function inHour(
  { hour, count }: { readonly hour: number; readonly count: number },
  now: number,
): { readonly hour: number; readonly count: number } {
  return now > hour ? { hour: now, count: 0 } : { hour, count }
}

function requireServed({ leastEpoch, floors }: HeadRow, epoch: number, refresh: number): void {
  if (epoch < leastEpoch) throw new QuorumError('ERR_QUORUM_EPOCH', 'the epoch was retired')
  const floor = floors.find((one) => one.epoch === epoch)
  if (floor !== undefined && refresh < floor.refresh) throw stale('the share was retired')
}

function raiseEpoch(head: HeadRow, epoch: number): HeadRow {
  if (epoch <= head.leastEpoch) return head
  return { ...head, leastEpoch: epoch, floors: head.floors.filter((floor) => floor.epoch >= epoch) }
}

function raiseRefresh(head: HeadRow, { epoch, refresh }: Floor): HeadRow {
  const others = head.floors.filter((floor) => floor.epoch !== epoch)
  const before = head.floors.find((floor) => floor.epoch === epoch)?.refresh ?? 0
  if (epoch < head.leastEpoch) return head
  if (others.length === MOST_EPOCHS) throw rejectInput('retire an epoch before the shares of a third one')
  return { ...head, floors: [...others, { epoch, refresh: Math.max(refresh, before) }] }
}

function checkShares(given: readonly QuorumShare[]): {
  readonly shares: readonly QuorumShare[]
  readonly realm: Realm
  readonly index: number
} {
  const first: unknown = Array.isArray(given) ? given[0] : undefined
  if (!(first instanceof QuorumShare)) throw rejectInput('shares must be a list of shares')
  const refreshes = new Map<number, Set<number>>()
  for (const share of given) {
    if (!(share instanceof QuorumShare)) throw rejectInput('shares must be a list of shares')
    const { epoch, refresh, realm } = share.key
    if (realm !== first.key.realm || share.index !== first.index)
      throw rejectInput('shares must be of one holder')
    const known = refreshes.get(epoch) ?? new Set()
    if (known.has(refresh)) throw rejectInput('two shares are of one epoch and refresh')
    refreshes.set(epoch, known.add(refresh))
    if (known.size > MOST_REFRESHES) throw rejectInput('of one epoch at most two refreshes are served')
  }
  if (refreshes.size > MOST_EPOCHS) throw rejectInput('at most two epochs are served')
  return { shares: given, realm: checkRealm(first.key.realm, rejectInput), index: first.index }
}

function checkBudgets(budgets: QuorumBudgets): QuorumBudgets {
  checkObject(budgets, 'budgets', rejectInput)
  const bound = (value: number, name: string): number =>
    checkInteger(value, name, [1, 1_000_000_000], rejectInput)
  return {
    recordPerHour: bound(budgets.recordPerHour, 'recordPerHour'),
    recordTotal: bound(budgets.recordTotal, 'recordTotal'),
    allPerHour: bound(budgets.allPerHour, 'allPerHour'),
  }
}

function checkLogKey(text: string): string {
  checkText(text, 'logKey', { maxBytes: 512 }, rejectInput)
  parseVerifierKey(text, KEY_TYPE.log)
  return text
}

function checkPinned(text: string, logKey: string): TreeHead {
  checkText(text, 'checkpoint', { maxBytes: MAX_MESSAGE_BYTES }, rejectInput)
  try {
    const { size, root } = openCheckpoint(text, logKey)
    return { size, root }
  } catch (cause) {
    throw new QuorumError('ERR_QUORUM_INPUT', 'the checkpoint is none of the log', { cause })
  }
}

function requireOneTree(pinned: TreeHead, { size, root }: TreeHead): void {
  if (pinned.size === size && size > 0 && !equalBytes(pinned.root, root)) {
    throw rejectInput('the checkpoint is of another tree than the one that was seen')
  }
}

function stale(why: string): QuorumError {
  return new QuorumError('ERR_QUORUM_STALE', why)
}

/** What is no reason of a quorum is a holder that does not work. */
function codeOf(error: unknown): RefusalCode {
  const code = error instanceof QuorumError ? REASONS.find((reason) => reason === error.code) : undefined
  return code ?? 'ERR_QUORUM_UNAVAILABLE'
}
