/** A share holder: what it answers, and what must be so before it does (SPEC §13.4, §13.5). @module */

import type { Anchor } from '../audit/anchor.ts'
import type { TreeHead } from '../audit/proof.ts'
import type { Realm } from '../base/brand.ts'
import { checkBytes, checkInteger, checkObject, checkText } from '../base/check.ts'
import { type Clock, systemClock } from '../base/clock.ts'
import type { CallOptions } from '../base/errors.ts'
import { Turns } from '../base/turns.ts'
import type { Store } from '../store/store.ts'
import {
  type HolderAcceptance,
  type HolderAccepted,
  MAX_ACTOR_BYTES,
  readStatement,
  requireNew,
} from './acceptance.ts'
import type { QuorumBudgets } from './budgets.ts'
import { untilAborted } from './collect.ts'
import { type CountRules, countAnswer, Draft } from './draft.ts'
import { QuorumError, rejectInput } from './errors.ts'
import { evaluateSoon, quorumInput } from './evaluate.ts'
import { raiseEpoch, raiseRefresh, requireServed, stale } from './floors.ts'
import { checkBudgets, checkLogKey, checkPinned, checkShares, requireOneTree } from './holder-check.ts'
import { checkEpoch, MAX_EPOCH } from './key.ts'
import { type HolderMemory, mergeMemories, signMemory } from './memory.ts'
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
import type { HeadRow } from './rows.ts'
import type { QuorumShare } from './share.ts'
import { HolderState } from './state.ts'

const DEFAULT_WINDOW_MS = 300_000
/** Of questions in one commit. */
const MOST_TOGETHER = 64

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
  /**
   * Goes on with a vault's log that was rolled back and accepted (QUORUM-36): `statement` is what `acceptAnchor` left. The holder's own people decide
   * that; `actor`, 1 to 64 bytes, says who. Counts and revocations stay. Resolves, when it is durable and anchored, with what was seen
   * before, what is seen now, and a note of it that the holder signed. Throws `ERR_QUORUM_INPUT` for a statement that the log's key did not sign,
   * or that was accepted before, and when there is nothing to accept.
   */
  accept(accepted: HolderAcceptance, options?: CallOptions): Promise<HolderAccepted>
  /** All that the holder remembers, signed, for whoever takes a lost one's place: a row of every generation. */
  memory(options?: CallOptions): Promise<Uint8Array>
  /**
   * Takes over what others remember (QUORUM-39), before the first answer of a holder whose share was made again. At least `t` memories of other
   * holders, the more the better. Durable and anchored when it resolves. Throws `ERR_QUORUM_INPUT` when the holder has decided something already, or for fewer;
   * `ERR_QUORUM_ROUND` with the index of whose memory its key did not sign, or that saw another log.
   */
  inherit(memories: readonly HolderMemory[], options?: CallOptions): Promise<void>
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

/** A question and what became of it. */
interface Waiting {
  readonly question: Request | Revocation
  reply: Uint8Array | undefined
  error: unknown
}

interface HolderParts extends CountRules {
  readonly realm: Realm
  readonly index: number
  readonly shares: readonly QuorumShare[]
  readonly state: HolderState
  readonly logKey: string
  readonly pinned: TreeHead | undefined
}

class Holder implements QuorumHolder {
  readonly index: number
  readonly verifierKey: string
  readonly #parts: HolderParts
  readonly #turns = new Turns()
  readonly #waiting: Waiting[] = []
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
      return await this.#decideTogether(question, options.signal)
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
    options.signal?.throwIfAborted()
    await this.#turns.run(async () => {
      options.signal?.throwIfAborted()
      const { state } = this.#parts
      await this.#ready(options)
      const next =
        floor.refresh === undefined
          ? raiseEpoch(state.head, epoch)
          : raiseRefresh(state.head, { epoch, refresh })
      await state.keep(next, [], options)
    })
  }

  async accept({ statement, actor }: HolderAcceptance, options: CallOptions = {}): Promise<HolderAccepted> {
    const { state, logKey, clock, pinned } = this.#parts
    checkText(actor, 'actor', { maxBytes: MAX_ACTOR_BYTES }, rejectInput)
    const accepted = readStatement(statement, logKey)
    return await this.#turns.run(async () => {
      options.signal?.throwIfAborted()
      await this.#ready(options)
      if (pinned !== undefined)
        throw rejectInput('the pinned checkpoint may be of the log that is gone: open without it')
      requireNew(accepted, state.head, state.acceptances)
      const { row, statement: said } = await state.accept(accepted, { actor, timeMs: clock.nowMs() }, options)
      return { from: row.from.size, to: row.to.size, statement: said }
    })
  }

  async memory(options: CallOptions = {}): Promise<Uint8Array> {
    return await this.#turns.run(async () => {
      options.signal?.throwIfAborted()
      await this.#ready(options)
      return await signMemory(this.#parts, this.#parts.state)
    })
  }

  async inherit(memories: readonly HolderMemory[], options: CallOptions = {}): Promise<void> {
    const { realm, index, state, shares } = this.#parts
    const threshold = Math.max(...shares.map(({ key }) => key.threshold))
    const { head, rows } = mergeMemories({ realm, index }, threshold, memories)
    await this.#turns.run(async () => {
      options.signal?.throwIfAborted()
      await this.#ready(options)
      if (state.head.sequence > 0) throw rejectInput('the holder has a memory of its own')
      await state.keep(head, rows, options)
    })
  }

  close(): void {
    this.#closed = true
    for (const share of this.#parts.shares) share.dispose()
    this.#parts.state.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  async #ready(options: CallOptions): Promise<void> {
    if (this.#closed) throw new QuorumError('ERR_QUORUM_UNAVAILABLE', 'the holder is closed')
    await this.#parts.state.settle(options)
  }

  /** Questions that wait together are decided one after the other and kept in one commit. */
  async #decideTogether(
    question: Request | Revocation,
    signal: AbortSignal | undefined,
  ): Promise<Uint8Array> {
    signal?.throwIfAborted()
    const waiting: Waiting = { question, reply: undefined, error: undefined }
    this.#waiting.push(waiting)
    const decided = this.#turns.share(() => this.#decideWaiting())
    await untilAborted(decided, signal).finally(() => {
      const at = this.#waiting.indexOf(waiting)
      if (at >= 0) this.#waiting.splice(at, 1)
    })
    if (waiting.reply === undefined) throw waiting.error
    return waiting.reply
  }

  async #decideWaiting(): Promise<void> {
    while (this.#waiting.length > 0) {
      const group = this.#waiting.splice(0, MOST_TOGETHER)
      try {
        await this.#decideGroup(group)
      } catch (error) {
        for (const waiting of group) waiting.error ??= error
      }
    }
  }

  /** Nothing leaves before all of it is durable and anchored; what it takes to answer is computed meanwhile. */
  async #decideGroup(group: readonly Waiting[]): Promise<void> {
    const { state } = this.#parts
    await this.#ready({})
    const draft = new Draft(state)
    const answers = this.#decideInOrder(group, draft)
    const kept = draft.rows.length === 0 ? Promise.resolve() : state.keep(draft.head, draft.rows, {})
    // Heard below; until then a failure is nobody's.
    kept.catch(() => undefined)
    const replies: (Uint8Array | undefined)[] = []
    for (const [i, answer] of answers.entries()) {
      try {
        replies.push(await answer?.())
      } catch (error) {
        replies.push(undefined)
        ;(group[i] as Waiting).error = error
      }
    }
    await kept
    for (const [i, waiting] of group.entries()) waiting.reply = replies[i]
  }

  /** Who began from a later checkpoint than another of the group is decided after it. */
  #decideInOrder(
    group: readonly Waiting[],
    draft: Draft,
  ): readonly ((() => Promise<Uint8Array>) | undefined)[] {
    const answers = group.map((): (() => Promise<Uint8Array>) | undefined => undefined)
    for (let left = new Set(group.keys()), before = -1; left.size !== before; ) {
      before = left.size
      for (const i of left) {
        const waiting = group[i] as Waiting
        const { question } = waiting
        try {
          answers[i] =
            question.kind === 'request' ? this.#answer(question, draft) : this.#acknowledge(question, draft)
        } catch (error) {
          waiting.error = error
          if (error instanceof QuorumError && error.code === 'ERR_QUORUM_SEEN') continue
        }
        left.delete(i)
      }
    }
    return answers
  }

  #answer(request: Request, draft: Draft): () => Promise<Uint8Array> {
    const { realm, logKey } = this.#parts
    const { epoch, refresh, record, generation, id, receipt } = request
    const share = this.#shareOf(epoch, refresh)
    const { entry, head: seen } = checkReceipt(receipt, logKey, this.#seen(draft.head))
    checkOpening(entry, request)
    const row = draft.row(record, generation)
    const asked = { place: receipt.place, timeMs: entry.timeMs, seen }
    countAnswer(draft, row, asked, this.#parts)
    // A holder that is closed meanwhile ends what it has begun.
    const own = share.copy()
    return async () => {
      using kept = own
      const part = await evaluateSoon(kept, quorumInput({ realm, record, generation, epoch }))
      return encodeAnswer({ realm, id, epoch, refresh, seen: seen.size, ...part })
    }
  }

  #acknowledge(revocation: Revocation, draft: Draft): () => Promise<Uint8Array> {
    const { state, logKey } = this.#parts
    const { realm, record, generation, id, receipt } = revocation
    const { entry, head: seen } = checkReceipt(receipt, logKey, this.#seen(draft.head))
    checkEnding(entry, revocation)
    const row = draft.row(record, generation)
    // What is remembered already is durable and anchored: that is settled before every turn.
    if (!row.revoked || seen.size > draft.head.size)
      draft.keep({ ...draft.head, size: seen.size, root: seen.root }, { ...row, revoked: true })
    return async () => {
      const said = encodeSaid({ realm, record, generation, index: this.index, id, seen: seen.size })
      return encodeAcknowledgement(said.said, await state.sign(said.signed))
    }
  }

  /** The newer one of what is remembered and what was pinned. */
  #seen(head: HeadRow = this.#parts.state.head): TreeHead {
    const { pinned } = this.#parts
    return pinned !== undefined && pinned.size > head.size ? pinned : head
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
}

/** What is no reason of a quorum is a holder that does not work. */
function codeOf(error: unknown): RefusalCode {
  const code = error instanceof QuorumError ? REASONS.find((reason) => reason === error.code) : undefined
  return code ?? 'ERR_QUORUM_UNAVAILABLE'
}
