/** Long computations that leave room for others: progress, abort, and turns for the event loop. @module */

import { type Clock, systemClock } from '../base/clock.ts'

/** Told now and then how much of a task is done. */
export type OnProgress = (done: number, total: number) => void

export interface TaskOptions {
  readonly onProgress?: OnProgress | undefined
  readonly signal?: AbortSignal | undefined
}

const TURN_MS = 20

/** Counts the work of one task; `step` is called after every few milliseconds of it. */
export class Pace {
  readonly #options: TaskOptions
  readonly #total: number
  readonly #clock: Clock
  #done = 0
  #turnMs: number

  constructor(total: number, options: TaskOptions, clock: Clock = systemClock) {
    options.signal?.throwIfAborted()
    this.#total = total
    this.#options = options
    this.#clock = clock
    this.#turnMs = clock.nowMs()
  }

  /** Adds `amount` to what is done. Gives the event loop a turn when 20 ms have passed; throws when aborted. */
  async step(amount: number): Promise<void> {
    this.#done += amount
    const nowMs = this.#clock.nowMs()
    // The wall clock may go back: then the turn comes at once.
    if (nowMs - this.#turnMs < TURN_MS && nowMs >= this.#turnMs) return
    this.#options.onProgress?.(this.#done, this.#total)
    await turn()
    this.#options.signal?.throwIfAborted()
    this.#turnMs = this.#clock.nowMs()
  }
}

/** Progress of a part of a task that goes from and to so many thousandths of the whole. */
export function partOf(
  onProgress: OnProgress | undefined,
  [from, to]: readonly [number, number],
): OnProgress {
  return (done, total) =>
    onProgress?.(from + Math.min(to - from, ((to - from) * done) / Math.max(1, total)), 1000)
}

/** Timers wait a millisecond or more, which adds up; Node has something quicker. */
function turn(): Promise<void> {
  const { setImmediate } = globalThis as { readonly setImmediate?: (resume: () => void) => void }
  return new Promise((resolve) => {
    if (setImmediate === undefined) setTimeout(resolve, 0)
    else setImmediate(resolve)
  })
}
