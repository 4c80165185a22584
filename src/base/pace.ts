/** Pacing: so many calls go on in one turn of the event loop, the others in the next ones. @module */

import { inNextTurn } from './soon.ts'

/** Whoever waited for the same thing is let go at once; each turn's worth of them leaves timers and sockets their turn. */
export class Pace {
  readonly #most: number
  /** In the order they came. */
  readonly #waiting: (() => void)[] = []
  #passed = 0
  #counting = false

  /** @param most calls that pass in one turn */
  constructor(most: number) {
    this.#most = most
  }

  /** `undefined` for whoever goes on at once; resolves in the turn of whoever does not. */
  pass(): Promise<void> | undefined {
    if (!this.#counting) {
      this.#counting = true
      inNextTurn(this.#turn)
    }
    if (this.#passed === this.#most) return new Promise((resolve) => this.#waiting.push(resolve))
    this.#passed += 1
    return undefined
  }

  readonly #turn = (): void => {
    const next = this.#waiting.splice(0, this.#most)
    this.#passed = next.length
    this.#counting = next.length > 0
    if (this.#counting) inNextTurn(this.#turn)
    for (const resume of next) resume()
  }
}
