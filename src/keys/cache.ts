/** Unwrapped secrets: bounded in number and in time, wiped when dropped, unwrapped once for all who wait (SPEC §4.4). @module */

import { checkInteger } from '../base/check.ts'
import { unlessAborted } from './abortable.ts'
import { badInput, disposed } from './errors.ts'

/** How many unwrapped secrets a keyring holds, for how long, and how long it waits for its provider. */
export interface CacheOptions {
  /** Epoch keys and versions of the realm keys together: 4 to 1024, by default 16. */
  readonly maxSecrets?: number
  /** From unwrapping to wiping: 1 second to 24 hours, by default 1 hour. */
  readonly lifetimeMs?: number
  /** After which a silent provider has failed: 10 milliseconds to 10 minutes, by default 30 seconds. */
  readonly timeoutMs?: number
}

/** Checked options, complete. */
export function checkCache(options: CacheOptions = {}): Required<CacheOptions> {
  const { maxSecrets = 16, lifetimeMs = 3_600_000, timeoutMs = 30_000 } = options
  return {
    maxSecrets: checkInteger(maxSecrets, 'cache.maxSecrets', [4, 1024], badInput),
    lifetimeMs: checkInteger(lifetimeMs, 'cache.lifetimeMs', [1000, 86_400_000], badInput),
    timeoutMs: checkInteger(timeoutMs, 'cache.timeoutMs', [10, 600_000], badInput),
  }
}

interface Entry {
  readonly value: Disposable
  readonly timer: ReturnType<typeof setTimeout>
  usedAt: number
}

interface Flight {
  readonly done: Promise<void>
  readonly controller: AbortController
  waiting: number
}

/** Disposable values under numbers; the one used longest ago goes first. */
export class SecretCache {
  readonly #entries = new Map<number, Entry>()
  readonly #flights = new Map<number, Flight>()
  readonly #maxSecrets: number
  readonly #lifetimeMs: number
  #uses = 0
  #closed = false

  constructor(options: { readonly maxSecrets: number; readonly lifetimeMs: number }) {
    this.#maxSecrets = options.maxSecrets
    this.#lifetimeMs = options.lifetimeMs
  }

  get(key: number): Disposable | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    entry.usedAt = ++this.#uses
    return entry.value
  }

  /** Takes over `value`: disposes it when it is dropped, and at once when the cache is closed. */
  put(key: number, value: Disposable): void {
    if (this.#closed) {
      value[Symbol.dispose]()
      throw disposed()
    }
    this.drop(key)
    const timer = setTimeout(() => this.drop(key), this.#lifetimeMs)
    // A cache of keys is no reason for a process to stay alive.
    const handle: unknown = timer
    if (typeof handle === 'object' && handle !== null && 'unref' in handle) (handle as NodeTimer).unref()
    this.#entries.set(key, { value, timer, usedAt: ++this.#uses })
    if (this.#entries.size > this.#maxSecrets) this.drop(this.#oldest(key))
  }

  /** The key whose value was used longest ago. */
  #oldest(newest: number): number {
    let oldest = newest
    let usedAt = this.#uses
    for (const [key, entry] of this.#entries) {
      if (entry.usedAt < usedAt) {
        oldest = key
        usedAt = entry.usedAt
      }
    }
    return oldest
  }

  /** Wipes what is held under `key`. */
  drop(key: number): void {
    const entry = this.#entries.get(key)
    if (entry === undefined) return
    clearTimeout(entry.timer)
    this.#entries.delete(key)
    entry.value[Symbol.dispose]()
  }

  /**
   * Resolves when `load` has put a value under `key`. Callers that ask meanwhile share one load; it is aborted
   * when the last of them has gone. It may be gone from a small cache again when the caller continues.
   */
  async fill(
    key: number,
    load: (signal: AbortSignal) => Promise<Disposable>,
    signal?: AbortSignal,
  ): Promise<void> {
    signal?.throwIfAborted()
    if (this.#closed) throw disposed()
    const flight = this.#flights.get(key) ?? this.#depart(key, load)
    flight.waiting++
    try {
      await unlessAborted(flight.done, signal, () => undefined)
    } finally {
      if (--flight.waiting === 0) this.#land(key, flight)
    }
  }

  /** Wipes everything and ends every load; the cache stays closed. */
  close(): void {
    this.#closed = true
    for (const { controller } of this.#flights.values()) controller.abort(disposed())
    for (const key of this.#entries.keys()) this.drop(key)
  }

  #depart(key: number, load: (signal: AbortSignal) => Promise<Disposable>): Flight {
    const controller = new AbortController()
    const done = load(controller.signal).then((value) => {
      // Nobody is left who asked: a value that came too late is wiped, not kept.
      if (controller.signal.aborted) value[Symbol.dispose]()
      else this.put(key, value)
    })
    const flight = { done, controller, waiting: 0 }
    this.#flights.set(key, flight)
    return flight
  }

  #land(key: number, flight: Flight): void {
    if (this.#flights.get(key) === flight) this.#flights.delete(key)
    flight.done.catch(() => undefined)
    flight.controller.abort(disposed())
  }
}

/** What a timer is in Node; browsers give a number. */
interface NodeTimer {
  unref(): void
}
