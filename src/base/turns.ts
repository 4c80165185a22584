/** One task at a time in this process, and callers that share one that has not begun (SPEC §14.7). @module */

/** Runs tasks one after the other. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve()
  #next: Promise<unknown> | undefined

  /** Runs `task` when every earlier one has settled, and settles as it does. */
  run<Result>(task: () => Promise<Result>): Promise<Result> {
    const run = this.#last.then(task, task)
    this.#last = run.catch(() => undefined)
    return run
  }

  /** As `run`, but whoever asks before it has begun shares it: its whole work is done after each of their calls. */
  share(task: () => Promise<void>): Promise<void> {
    this.#next ??= this.run(() => {
      this.#next = undefined
      return task()
    })
    return this.#next as Promise<void>
  }
}
