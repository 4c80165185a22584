/** A byte string that refuses to be printed, serialised or used after its end (SPEC §4). @module */

import { secretBytes, wipe } from './bytes.ts'

/**
 * Holds a secret: prints as `[Secret]`, refuses JSON, is wiped on dispose and throws afterwards.
 *
 * JavaScript cannot promise that no copy of the bytes exists elsewhere (the caller's own buffers, registers,
 * swapped pages); it promises that this object keeps none after `dispose`.
 *
 * @example
 * ```ts
 * const key = new Secret(bytes, () => new Error('the key was disposed of'))
 * wipe(bytes)
 * const length = key.use((held) => held.length)
 * key.dispose()
 * ```
 */
export class Secret implements Disposable {
  static {
    // Node's inspector would show the bytes' length and class members; it asks this symbol first.
    const inspect = Symbol.for('nodejs.util.inspect.custom')
    Object.defineProperty(Secret.prototype, inspect, { value: () => '[Secret]' })
  }

  readonly #bytes: Uint8Array<ArrayBuffer>
  readonly #whenDisposed: () => Error
  #disposed = false

  /**
   * @param bytes copied; the caller keeps and wipes its own
   * @param whenDisposed makes the error that `use` throws after `dispose`
   */
  constructor(bytes: Uint8Array, whenDisposed: () => Error) {
    this.#bytes = secretBytes(bytes.length)
    this.#bytes.set(bytes)
    this.#whenDisposed = whenDisposed
  }

  /** In bytes; stays readable after `dispose`. */
  get length(): number {
    return this.#bytes.length
  }

  get disposed(): boolean {
    return this.#disposed
  }

  /**
   * Lends the bytes to `task` and returns what it returns. The bytes are borrowed: `task` neither changes
   * them nor keeps them. When `task` is asynchronous, whoever disposes waits for it, or it sees zeros.
   */
  use<Result>(task: (bytes: Uint8Array) => Result): Result {
    if (this.#disposed) throw this.#whenDisposed()
    return task(this.#bytes)
  }

  /** Wipes the bytes. A second call does nothing. */
  dispose(): void {
    this.#disposed = true
    wipe(this.#bytes)
  }

  [Symbol.dispose](): void {
    this.dispose()
  }

  toString(): string {
    return '[Secret]'
  }

  toJSON(): never {
    throw new TypeError('a secret has no JSON form')
  }
}
