/** So many tasks side by side, the others in the order in which they came. @module */

import { inTurn } from './mutex.ts'

/** Whoever enters leaves: `enter`, then the task, then `leave` in a `finally`. */
export class Lanes {
  #free: number
  readonly #waiting: Set<() => void> = new Set()

  /** @param most tasks side by side, 1 or more */
  constructor(most: number) {
    this.#free = most
  }

  /**
   * `undefined` for whoever has a lane at once; resolves when one is free for whoever has not. Throws or rejects with the reason of a signal
   * that is aborted before that: then there is nothing to leave.
   */
  enter(signal?: AbortSignal): Promise<void> | undefined {
    signal?.throwIfAborted()
    if (this.#free === 0) return inTurn(this.#waiting, signal)
    this.#free -= 1
    return undefined
  }

  /** Hands the lane on. */
  leave(): void {
    const [next] = this.#waiting
    if (next === undefined) this.#free += 1
    else {
      this.#waiting.delete(next)
      next()
    }
  }
}
