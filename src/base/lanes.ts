/** So many tasks side by side, and of one key one at a time. @module */

import { inTurn, KeyedMutex } from './mutex.ts'

/** Others wait in the order in which they came, those of a key that is under way for that key only: they take nobody's place. */
export class Lanes {
  #free: number
  readonly #waiting: Set<() => void> = new Set()
  readonly #keys: KeyedMutex = new KeyedMutex()

  /** @param most tasks side by side, 1 or more */
  constructor(most: number) {
    this.#free = most
  }

  /**
   * Runs `task` when no other of `key` is under way and a lane is free, and settles as it does.
   *
   * @param signal ends the waiting with its reason; a task that has started is not stopped by it
   */
  run<T>(key: string, task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    return this.#keys.run(key, () => this.#runInLane(task, signal), signal)
  }

  async #runInLane<T>(task: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    if (this.#free === 0) await inTurn(this.#waiting, signal)
    else this.#free -= 1
    try {
      // It may have come while the lane was handed on.
      signal?.throwIfAborted()
      return await task()
    } finally {
      this.#leave()
    }
  }

  #leave(): void {
    const [next] = this.#waiting
    if (next === undefined) this.#free += 1
    else {
      this.#waiting.delete(next)
      next()
    }
  }
}
