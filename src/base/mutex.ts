/** Mutual exclusion per key inside one process, first come, first served. @module */

/**
 * Runs tasks of the same key one after the other and tasks of different keys side by side.
 * A key that nobody holds takes no memory.
 */
export class KeyedMutex {
  /** One entry per held key: those who wait for it, in the order they came; `null` as long as nobody did. */
  readonly #queues = new Map<string, Set<() => void> | null>()

  /** How many keys are held now. */
  get size(): number {
    return this.#queues.size
  }

  /**
   * Runs `task` when every earlier task of `key` has settled, and settles as it does.
   *
   * @param signal ends the waiting with its reason; a task that has started is not stopped by it
   */
  async run<T>(key: string, task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted()
    const held = this.#queues.get(key)
    if (held === undefined) this.#queues.set(key, null)
    else await inTurn(held ?? this.#queueFor(key), signal)
    try {
      return await task()
    } finally {
      this.#release(key)
    }
  }

  #queueFor(key: string): Set<() => void> {
    const queue = new Set<() => void>()
    this.#queues.set(key, queue)
    return queue
  }

  #release(key: string): void {
    const queue = this.#queues.get(key)
    const [next] = queue ?? []
    if (queue && next !== undefined) {
      queue.delete(next)
      next()
    } else this.#queues.delete(key)
  }
}

/**
 * Resolves when the caller is let in; rejects with the signal's reason and leaves the queue when aborted
 * first.
 */
export function inTurn(queue: Set<() => void>, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    // One that is aborted already tells nobody any more.
    signal?.throwIfAborted()
    if (signal === undefined) {
      queue.add(resolve)
      return
    }
    const enter = (): void => {
      signal.removeEventListener('abort', giveUp)
      resolve()
    }
    const giveUp = (): void => {
      queue.delete(enter)
      reject(signal.reason as Error)
    }
    queue.add(enter)
    signal.addEventListener('abort', giveUp, { once: true })
  })
}
