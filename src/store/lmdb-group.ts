/** Group commit: commits that wait together share one transaction and one flush (SPEC §10, STORE-1). @module */

import { processMs } from '../base/clock.ts'
import { StoreError } from './errors.ts'
import type { Environment, TransactionFailure } from './lmdb-environment.ts'
import { conflict, type OwnedStep, sequenceKey } from './steps.ts'

/**
 * Runs one transaction at a time. While one is being flushed, later commits gather; the next transaction takes them
 * all and decides each on the rows as they are inside the transaction, in the order of arrival. Every outcome,
 * conflicts too, is told after the flush only: a conflict may rest on a neighbour that a failed flush takes back.
 */
export class CommitGroups {
  readonly #environment: Environment
  readonly #lockTimeoutMs: number
  #waiting: Pending[] = []
  #running: Promise<void> | undefined
  /** Outcomes of groups that are over; the next group need not wait until everybody has heard. */
  #telling: Promise<void> = Promise.resolve()
  #failed: StoreError | undefined
  #trustedGroups = 0

  constructor(environment: Environment, lockTimeoutMs: number) {
    this.#environment = environment
    this.#lockTimeoutMs = lockTimeoutMs
  }

  /** Set after a failed flush: nothing the environment says can be trusted any more. */
  get failed(): StoreError | undefined {
    return this.#failed
  }

  /** Resolves with one text a step once the commit is on the disk. */
  commit(steps: readonly OwnedStep[], signal: AbortSignal | undefined): Promise<readonly string[]> {
    return new Promise((resolve, reject) => {
      const abort = (): void => this.#withdraw(pending, signal?.reason)
      const done = (): void => signal?.removeEventListener('abort', abort)
      const sinceMs = processMs()
      const pending: Pending = { steps, sinceMs, resolve, reject, done, result: undefined }
      signal?.addEventListener('abort', abort, { once: true })
      this.#waiting.push(pending)
      this.#running ??= this.#run()
    })
  }

  /** Resolves when no commit is under way. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running
    await this.#telling
  }

  async #run(): Promise<void> {
    // One microtask later, so that commits made in the same breath find each other.
    await Promise.resolve()
    while (this.#waiting.length > 0 && this.#failed === undefined) {
      this.#refuseWhenFull()
      if (this.#waiting.length > 0) await this.#runGroup()
    }
    this.#rejectWaiting(this.#failed)
    this.#running = undefined
  }

  async #runGroup(): Promise<void> {
    let group: readonly Pending[] = []
    let changed = false
    const stop = this.#watchLock()
    const failure = await this.#environment.transaction(() => {
      stop()
      // Nothing is taken or decided on a state that is not the newest; the next transaction will begin from that.
      if (!this.#environment.followsNewest()) return
      group = this.#take()
      changed = decideGroup(this.#environment, group)
    })
    stop()
    if (failure === undefined && changed) this.#environment.acknowledge()
    if (failure === undefined) this.#telling = this.#telling.then(() => tell(group))
    else this.#fail(group, failure)
  }

  /** Refuses whoever waits for the lock for too long: a lock that stays away keeps those who come later no longer than the first. */
  #watchLock(): () => void {
    const begunMs = processMs()
    const endMs = ({ sinceMs }: Pending): number => Math.max(sinceMs, begunMs) + this.#lockTimeoutMs
    const look = (): void => {
      const nowMs = processMs()
      const inTime = this.#waiting.findIndex((pending) => endMs(pending) > nowMs)
      const error = new StoreError('ERR_STORE_BUSY', 'another process holds the write lock')
      this.#rejectFirst(inTime < 0 ? this.#waiting.length : inTime, error)
      const [next] = this.#waiting
      timer = setTimeout(look, next === undefined ? this.#lockTimeoutMs : Math.ceil(endMs(next) - nowMs))
    }
    let timer = setTimeout(look, this.#lockTimeoutMs)
    return () => clearTimeout(timer)
  }

  /** Takes what waits, up to a bound on the time the write lock is held. */
  #take(): readonly Pending[] {
    let steps = 0
    let count = 0
    for (const pending of this.#waiting) {
      steps += pending.steps.length
      if (count > 0 && steps > MAX_GROUP_STEPS) break
      count += 1
    }
    const group = this.#waiting.splice(0, count)
    for (const pending of group) pending.done()
    return group
  }

  #withdraw(pending: Pending, reason: unknown): void {
    const index = this.#waiting.indexOf(pending)
    if (index < 0) return
    this.#waiting.splice(index, 1)
    pending.reject(reason)
  }

  /**
   * A transaction that runs out of room fails like any other, and then the store answers nothing until it is opened
   * again. So commits that add rows are refused while there still is room for those that free some.
   */
  #refuseWhenFull(): void {
    if (this.#trustedGroups-- > 0) return
    const free = this.#environment.freeBytes()
    if (free >= PLENTY_BYTES) {
      this.#trustedGroups = TRUSTED_GROUPS
      return
    }
    let needed = RESERVE_BYTES
    const kept: Pending[] = []
    for (const pending of this.#waiting) {
      needed += roomFor(pending.steps)
      if (!addsRows(pending.steps) || free >= needed) {
        kept.push(pending)
        continue
      }
      pending.done()
      pending.reject(new StoreError('ERR_STORE_FULL', 'no room on the volume of the store'))
    }
    this.#waiting = kept
  }

  #rejectWaiting(error: StoreError | undefined): void {
    if (error !== undefined) this.#rejectFirst(this.#waiting.length, error)
  }

  #rejectFirst(count: number, error: StoreError): void {
    for (const pending of this.#waiting.splice(0, count)) {
      pending.done()
      pending.reject(error)
    }
  }

  #fail(group: readonly Pending[], { full, cause }: TransactionFailure): void {
    this.#failed = new StoreError('ERR_STORE_FAILED', 'an earlier flush failed; open the store again', {
      cause,
    })
    const error = full
      ? new StoreError('ERR_STORE_FULL', 'no room on the volume of the store', { cause })
      : new StoreError('ERR_STORE_INDETERMINATE', 'the flush failed while the commit was under way', {
          cause,
        })
    for (const pending of group) pending.reject(error)
  }
}

interface Pending {
  readonly steps: readonly OwnedStep[]
  readonly sinceMs: number
  readonly resolve: (versions: readonly string[]) => void
  readonly reject: (reason: unknown) => void
  /** Stops listening to the signal of the caller. */
  readonly done: () => void
  result: readonly string[] | StoreError | undefined
}

const MAX_GROUP_STEPS = 8192
/** A verify that goes on computes for about 0.2 ms. */
const TOLD_A_TURN = 16
const PAGE_BYTES = 4096
/** More than any group can need: its rows have at most 512 MiB. */
const PLENTY_BYTES = 2 ** 30
/** How many groups plenty is believed to serve, so that not every one asks the system. */
const TRUSTED_GROUPS = 32
/** Kept free for deletions, and for what LMDB copies when it changes a tree. */
const RESERVE_BYTES = 1_048_576

/** True when something was changed. */
function decideGroup(environment: Environment, group: readonly Pending[]): boolean {
  let sequence = environment.readSequence()
  let changed = false
  for (const pending of group) {
    const refused = findConflict(environment, pending.steps)
    if (refused !== undefined) {
      pending.result = refused
      continue
    }
    const versions: string[] = []
    for (const step of pending.steps) {
      if (step.step === 'put' || step.step === 'append') sequence += 1
      versions.push(applyStep(environment, step, sequence))
      changed ||= step.step !== 'check'
    }
    pending.result = versions
  }
  // Deletions too: its page tells readers which transaction they see.
  if (changed) environment.writeSequence(sequence)
  return changed
}

function findConflict(environment: Environment, steps: readonly OwnedStep[]): StoreError | undefined {
  for (let i = 0; i < steps.length; i++) {
    const step = steps[i] as OwnedStep
    if (step.step === 'append') continue
    if (!environment.table(step.table).matches(step.key, step.expected)) return conflict(step, i)
  }
  return undefined
}

/** Decides a commit of checks only, on one snapshot; `undefined` when that is not the newest. */
export function decideChecks(
  environment: Environment,
  steps: readonly OwnedStep[],
): readonly string[] | undefined {
  const newest = environment.newest()
  environment.refresh()
  const refused = findConflict(environment, steps)
  if (!environment.isNewest(newest)) return undefined
  if (refused !== undefined) throw refused
  return steps.map(() => '')
}

function applyStep(environment: Environment, step: OwnedStep, sequence: number): string {
  if (step.step === 'check') return ''
  const table = environment.table(step.table)
  if (step.step === 'delete') {
    table.remove(step.key)
    return ''
  }
  table.put(step.step === 'append' ? sequenceKey(sequence) : step.key, step.bytes, sequence)
  return String(sequence)
}

/**
 * Tells outcomes, some in each turn of the event loop: whoever hears goes on at once, and hundreds who go on in one turn would keep
 * every timer and socket of the process waiting.
 */
async function tell(group: readonly Pending[]): Promise<void> {
  for (let from = 0; from < group.length; from += TOLD_A_TURN) {
    if (from > 0) await new Promise((resolve) => setImmediate(resolve))
    for (const pending of group.slice(from, from + TOLD_A_TURN)) settle(pending)
  }
}

function settle(pending: Pending): void {
  const { result } = pending
  if (Array.isArray(result)) pending.resolve(result)
  else pending.reject(result)
}

function addsRows(steps: readonly OwnedStep[]): boolean {
  return steps.some((step) => step.step === 'put' || step.step === 'append')
}

/** A generous estimate: the row itself, and the pages of the tree that change with it. */
function roomFor(steps: readonly OwnedStep[]): number {
  let bytes = 0
  for (const step of steps) bytes += step.bytes.length + 2 * PAGE_BYTES
  return bytes
}
