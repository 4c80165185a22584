/** Calls that wait for a connection together share a statement (SPEC §10.5, STORE-24). @module */

/** A call that waits to be served. Whoever takes it settles it. */
export interface Waiting<Input, Output> {
  readonly input: Input
  readonly resolve: (output: Output) => void
  readonly reject: (reason: unknown) => void
  /** Stops listening to the signal of the caller. */
  readonly done: () => void
}

/** Takes the calls that may share a statement, in the order of arrival; `fits` is asked about each. */
export type Take<Input, Output> = (fits: (input: Input) => boolean) => readonly Waiting<Input, Output>[]

/**
 * At most `lanes` statements are under way; what comes while all are waits, and the next statement takes all of it that fits. So whoever
 * calls alone waits for nobody, and hundreds who call at once need a few statements.
 */
export class Gathering<Input, Output> {
  readonly #lanes: number
  readonly #serve: (take: Take<Input, Output>) => Promise<void>
  #waiting: Waiting<Input, Output>[] = []
  #running = 0

  /** `serve` takes calls and settles them. When it rejects, whoever waited when it began is rejected with its reason. */
  constructor(lanes: number, serve: (take: Take<Input, Output>) => Promise<void>) {
    this.#lanes = lanes
    this.#serve = serve
  }

  /** An abort counts until the call is taken. */
  add(input: Input, signal: AbortSignal | undefined): Promise<Output> {
    return new Promise((resolve, reject) => {
      const abort = (): void => this.#withdraw(call, signal?.reason)
      const done = (): void => signal?.removeEventListener('abort', abort)
      const call = { input, resolve, reject, done }
      signal?.addEventListener('abort', abort, { once: true })
      this.#waiting.push(call)
      if (this.#running < this.#lanes) void this.#run()
    })
  }

  /** Calls that were taken and must wait again, before all others. */
  again(calls: readonly Waiting<Input, Output>[]): void {
    this.#waiting.unshift(...calls)
  }

  async #run(): Promise<void> {
    this.#running += 1
    while (this.#waiting.length > 0) {
      const before = new Set(this.#waiting)
      try {
        await this.#serve((fits) => this.#take(fits))
      } catch (error) {
        for (const call of this.#remove((waiting) => before.has(waiting))) call.reject(error)
      }
    }
    this.#running -= 1
  }

  #take(fits: (input: Input) => boolean): readonly Waiting<Input, Output>[] {
    let room = MOST_CALLS
    return this.#remove(({ input }) => room > 0 && fits(input) && room-- > 0)
  }

  #remove(chosen: (call: Waiting<Input, Output>) => boolean): readonly Waiting<Input, Output>[] {
    const taken: Waiting<Input, Output>[] = []
    const kept: Waiting<Input, Output>[] = []
    for (const call of this.#waiting) (chosen(call) ? taken : kept).push(call)
    this.#waiting = kept
    for (const call of taken) call.done()
    return taken
  }

  #withdraw(call: Waiting<Input, Output>, reason: unknown): void {
    const [found] = this.#remove((waiting) => waiting === call)
    found?.reject(reason)
  }
}

/** A bound on what one lost connection leaves open. */
const MOST_CALLS = 64
