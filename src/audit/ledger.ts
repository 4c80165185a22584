/** The log of a realm as a process keeps it: followed, integrated, signed, anchored (SPEC §14.6 to §14.8). @module */

import type { Realm } from '../base/brand.ts'
import { type CallOptions, GuiseError } from '../base/errors.ts'
import { Turns } from '../base/turns.ts'
import { randomBytes } from '../crypto/random.ts'
import type { Store } from '../store/store.ts'
import type { Anchor } from './anchor.ts'
import type { Checkpoint, LogSigner } from './checkpoint.ts'
import { AuditError } from './errors.ts'
import { Follower, rolledBack } from './follower.ts'
import { integrateSome } from './integrate.ts'
import type { Journal, JournalListener, Queued } from './journal.ts'
import type { RowKind } from './last-change.ts'
import type { LogHead } from './log-rows.ts'
import { Publisher } from './publish.ts'
import type { LogKeys } from './queue.ts'
import { isDue, readSnapshot, writeSnapshot } from './snapshot.ts'

/** What a ledger is made of. */
export interface LedgerParts {
  readonly store: Pick<Store, 'get' | 'commit' | 'scan'>
  readonly realm: Realm
  readonly keys: LogKeys
  readonly journal: Journal
  /** Without one this process integrates nothing. */
  readonly signer: LogSigner | undefined
  readonly anchor: Anchor | undefined
}

/** How far the log has come. */
export interface LedgerHealth {
  /** Entries that wait to be integrated. */
  readonly queued: number
  /** Entries that no anchor knows of: what a rollback of the whole store could undo unnoticed. */
  readonly unanchored: number
  /** The fault that was found, after which nothing is answered. */
  readonly fault: AuditError | undefined
}

/** After an entry of this process: soon enough to be integrated within a second. */
const SOON_MS = 200
/** Whoever was not first leaves the work to whoever was. */
const LATER_MS = 700
/** Entries of processes that have gone are looked for as often. */
const IDLE_MS = 1000
const SETTLE_MS = 10_000
/** Whoever was first moved the head: conflicts beside a head that stays come from rows that somebody changed by hand. */
const MOST_CONFLICTS = 8
const POLL_MS = 50

export class Ledger implements JournalListener {
  readonly #parts: LedgerParts
  readonly #follower: Follower
  readonly #publisher: Publisher
  readonly #unlisten: () => void
  #fault: AuditError | undefined
  readonly #readings: Turns = new Turns()
  readonly #publishings: Turns = new Turns()
  readonly #signings: Turns = new Turns()
  #timer: ReturnType<typeof setTimeout> | undefined
  #dueMs = SOON_MS
  #conflicts = 0
  #snapshotSize = 0
  #snapshotting: Promise<void> = Promise.resolve()
  #busy = false
  #opened = false
  #closed = false

  constructor(parts: LedgerParts) {
    this.#parts = parts
    this.#follower = new Follower(parts.store, parts.realm, parts.keys, parts.signer === undefined)
    this.#publisher = new Publisher(parts)
    this.#unlisten = parts.journal.listen(this)
  }

  get signs(): boolean {
    return this.#parts.signer !== undefined
  }

  get anchors(): boolean {
    return this.#parts.anchor !== undefined
  }

  get checkpoint(): Checkpoint | undefined {
    return this.#publisher.checkpoint
  }

  /** Reads the whole log and compares it with the anchor. Throws `ERR_AUDIT_ROLLBACK`, `ERR_AUDIT_FORK` and what a reader finds. */
  async open(options: CallOptions = {}): Promise<void> {
    const kept = await this.#publisher.readAnchor(options)
    await readSnapshot(this.#parts, this.#follower, options)
    this.#snapshotSize = this.#follower.size
    await this.follow()
    if (kept !== undefined) await this.#publisher.requireContinues(kept, this.#head(), options)
    try {
      await this.#cycle()
    } catch (error) {
      // What is anchored was compared: an anchor that is away for now keeps nobody out.
      if (kept === undefined || !hasCode(error, 'ERR_AUDIT_ANCHOR')) throw error
    }
    this.#opened = true
    this.#arm(IDLE_MS)
  }

  kept(entry: Queued): void {
    try {
      this.#follower.kept(entry)
    } catch (error) {
      this.#note(error)
    }
    if (!this.#busy && this.#opened) {
      this.#busy = true
      this.#arm(this.#dueMs)
    }
  }

  /** Throws the fault that was found, if any. */
  requireSound(): void {
    if (this.#fault !== undefined) throw this.#fault
  }

  /** True when the row with this tag is the newest that is known; not knowing is no proof: then `follow` first. */
  isLast(handle: Uint8Array, kind: RowKind, tag: Uint8Array): boolean {
    return this.#follower.changes.isLast(handle, kind, tag)
  }

  /** True when an entry named the handle. */
  knows(handle: Uint8Array): boolean {
    return this.#follower.changes.has(handle)
  }

  /** True when the keyring's row is the newest that is known. */
  isLastRing(tag: Uint8Array): boolean {
    return this.#follower.ring?.every((byte, index) => byte === tag[index]) === true
  }

  /** True when the log was read, or written, as far as the head of this version tells. */
  hasRead(headVersion: string | null): boolean {
    return headVersion === this.#follower.headVersion
  }

  /** Reads what is new in the log and the queue, as of now or later. */
  follow(): Promise<void> {
    return this.#readings.share(() => this.#guard(() => this.#follower.follow()))
  }

  /** Resolves when everything kept before the call is integrated, signed and anchored. Throws `ERR_AUDIT_PENDING`. */
  async settle(options: CallOptions): Promise<void> {
    await this.#within(options, (isOver) => this.#settled(isOver))
  }

  /**
   * As `settle`, without the anchor: a signed checkpoint under which lies everything kept before the call. It is stored meanwhile: the head that
   * it is of is durable.
   */
  async sequence(options: CallOptions): Promise<Checkpoint | undefined> {
    await this.#within(options, (isOver) => this.#sequenced(isOver))
    return this.#publisher.signed
  }

  async #within({ signal }: CallOptions, task: (isOver: () => boolean) => Promise<void>): Promise<void> {
    let end: (() => void) | undefined
    const limit = new Promise<never>((_, reject) => {
      const late = (): void => reject(noAnswer())
      const timer = setTimeout(late, SETTLE_MS)
      signal?.addEventListener('abort', late)
      end = () => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', late)
      }
    })
    // Whoever loses the race is not heard.
    limit.catch(() => undefined)
    let over = false
    const settled = task(() => over)
    settled.catch(() => undefined)
    try {
      if (signal?.aborted === true) throw noAnswer()
      await Promise.race([settled, limit])
    } catch (cause) {
      throw new AuditError('ERR_AUDIT_PENDING', 'done, and not integrated, signed and anchored yet', {
        cause,
        retryable: true,
      })
    } finally {
      over = true
      end?.()
    }
  }

  health(): LedgerHealth {
    const { queued, size } = this.#follower
    const { anchored } = this.#publisher
    return { queued, unanchored: size + queued - anchored, fault: this.#fault }
  }

  /**
   * Integrates and anchors what is left, as far as that is possible, and stops. A ledger that was not opened signs and anchors nothing: it
   * may be of a store that was put back.
   */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    clearTimeout(this.#timer)
    try {
      if (this.signs && this.#opened) await this.settle({})
    } catch {
      // What waits stays in the queue; whoever opens the realm next integrates it.
    } finally {
      await Promise.all([this.#snapshotting, this.#publisher.idle()])
      this.#unlisten()
    }
  }

  #head(): { readonly size: number; readonly root: Uint8Array } {
    const { frontier } = this.#follower
    return { size: frontier.size, root: frontier.root() }
  }

  readonly #newHead = async (): Promise<LogHead> => {
    await this.follow()
    return this.#head()
  }

  /** Everything kept before the call is anchored when it resolves. */
  async #settled(isOver: () => boolean): Promise<void> {
    if (this.signs) return await this.#cycle()
    // Another process does the work.
    while (!isOver()) {
      await this.follow()
      const head = this.#head()
      await this.#publish()
      const { checkpoint } = this.#publisher
      if (this.#follower.queued === 0 && checkpoint?.size === head.size) return
      await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    }
  }

  /** Everything kept before the call is under a signed checkpoint when it resolves. */
  async #sequenced(isOver: () => boolean): Promise<void> {
    await this.#readOn()
    while (!isOver()) {
      const { size } = this.#head()
      if (this.signs || this.#follower.queued === 0) {
        await this.#sign()
        const { signed } = this.#publisher
        if (signed !== undefined && signed.size >= size) return
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS))
      await this.follow()
    }
  }

  async #cycle(): Promise<void> {
    await this.#readOn()
    await this.#publish()
    if (this.signs && isDue(this.#follower, this.#snapshotSize)) this.#snapshot()
  }

  /** Reads the log and integrates what waits. */
  async #readOn(): Promise<void> {
    await this.follow()
    // What others write meanwhile is for the next turn: whoever waits for this one would wait for as long as they write.
    const end = this.#follower.size + this.#follower.queued
    while (this.signs && this.#follower.size < end && (await this.#integrate())) {
      // One commit after another.
    }
  }

  /** In the background: whoever opens the realm next is spared the entries until here. */
  #snapshot(): void {
    this.#snapshotSize = this.#follower.size
    // One that fails, or that another process was writing as well, is no loss: the log itself is there.
    this.#snapshotting = writeSnapshot(this.#parts, this.#follower).then(
      () => undefined,
      () => undefined,
    )
  }

  /** One commit's worth; true while there is more. */
  #integrate(): Promise<boolean> {
    return this.#readings.run(() =>
      this.#guard(async () => {
        try {
          const done = await integrateSome(this.#parts, this.#follower)
          this.#dueMs = SOON_MS
          this.#conflicts = 0
          return done
        } catch (error) {
          if (!hasCode(error, 'ERR_STORE_CONFLICT')) throw error
          this.#dueMs = LATER_MS + (randomBytes(1)[0] as number)
          const { headVersion } = this.#follower
          await this.#follower.follow()
          this.#conflicts = headVersion === this.#follower.headVersion ? this.#conflicts + 1 : 0
          if (this.#conflicts > MOST_CONFLICTS) await this.#follower.requireWaiting()
          return this.#follower.queued > 0
        }
      }),
    )
  }

  #sign(): Promise<void> {
    const task = (): Promise<void> => inTime(this.#publisher.sign(this.#head(), this.#newHead))
    return this.#signings.share(() => this.#guard(task))
  }

  #publish(): Promise<void> {
    return this.#publishings.share(() => this.#guard(() => inTime(this.#publishNow())))
  }

  async #publishNow(): Promise<void> {
    try {
      await this.#publisher.publish(this.#head(), this.#newHead)
    } catch (error) {
      const longer =
        hasCode(error, 'ERR_AUDIT_ANCHOR') && hasCode((error as Error).cause, 'ERR_AUDIT_ROLLBACK')
      if (!longer) throw error
      const kept = await this.#publisher.readAnchor()
      await this.follow()
      if (kept === undefined) throw rolledBack()
      await this.#publisher.requireContinues(kept, this.#head())
    }
  }

  /** A fault of the log stays: nothing that follows from it can be believed. */
  async #guard<Result>(task: () => Promise<Result>): Promise<Result> {
    this.requireSound()
    try {
      return await task()
    } catch (error) {
      this.#note(error)
      throw error
    }
  }

  #note(error: unknown): void {
    if (error instanceof AuditError && LASTING.has(error.code)) this.#fault ??= error
  }

  #arm(ms: number): void {
    if (this.#closed) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.#tick(), ms)
    // A ledger that has nothing to do keeps no process alive.
    if (!this.#busy) (this.#timer as { unref?: () => void }).unref?.()
  }

  async #tick(): Promise<void> {
    try {
      await this.#cycle()
      this.#busy = false
    } catch {
      // The fault is kept where it lasts; otherwise the next turn tries again.
    }
    const waits = this.#follower.queued > 0
    this.#busy = waits && this.signs
    this.#arm(waits && this.signs ? this.#dueMs : IDLE_MS)
  }
}

/** A signer or an anchor that never answers is given up and asked anew: whoever waits behind it waits no longer than it. */
async function inTime(task: Promise<void>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(noAnswer()), SETTLE_MS)
  })
  // Whatever comes late is not heard.
  task.catch(() => undefined)
  try {
    await Promise.race([task, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Makes the error of a log or an anchor that keeps a caller waiting for too long, or for longer than it wants to wait. */
function noAnswer(): AuditError {
  return new AuditError('ERR_AUDIT_ANCHOR', 'no answer in time', { retryable: true })
}

const LASTING: ReadonlySet<string> = new Set([
  'ERR_AUDIT_EDIT',
  'ERR_AUDIT_DELETION',
  'ERR_AUDIT_DUPLICATION',
  'ERR_AUDIT_FORMAT',
  'ERR_AUDIT_FORK',
  'ERR_AUDIT_ROLLBACK',
])

function hasCode(error: unknown, code: string): boolean {
  return error instanceof GuiseError && error.code === code
}
