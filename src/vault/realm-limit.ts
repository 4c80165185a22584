/** The realm's own limit of failures, summed over the rows of all writers (SPEC §9.4, §12.3). @module */

import type { Realm } from '../base/brand.ts'
import type { Clock } from '../base/clock.ts'
import { randomBytes } from '../crypto/random.ts'
import { decodeRealmAttemptsRow, encodeRealmAttemptsRow } from '../record/attempts-row.ts'
import { realmAttemptsKey, realmAttemptsStart, startsWith } from '../record/place.ts'
import type { VaultKeys } from './keys.ts'

const WINDOW_MS = 3_600_000
const FLUSH_MS = 1000
const FLUSH_COUNT = 64

/**
 * Counts failures of the running hour. This process counts its own exactly; those of others are read at most a second
 * late, and each writer flushes at least every second or 64 failures: the error is at most that much a writer.
 */
export class RealmLimit {
  readonly #ring: VaultKeys
  readonly #realm: Realm
  readonly #clock: Clock
  readonly #perHour: number
  readonly #writer: Uint8Array = randomBytes(16)
  #rowVersion: string | null = null
  #windowMs = 0
  #own = 0
  #flushed = 0
  #others = 0
  #readMs = Number.NEGATIVE_INFINITY
  #timer: ReturnType<typeof setTimeout> | undefined
  #flushing: Promise<void> = Promise.resolve()

  constructor(ring: VaultKeys, realm: Realm, clock: Clock, perHour: number) {
    this.#ring = ring
    this.#realm = realm
    this.#clock = clock
    this.#perHour = perHour
  }

  /** False when the realm has used up its failures of this hour. */
  async allows(): Promise<boolean> {
    this.#turn()
    const { ms } = this.#clock.steady()
    if (ms - this.#readMs >= FLUSH_MS) await this.#readOthers(ms)
    return this.#own + this.#others < this.#perHour
  }

  /** Counts one failure; resolves once it is flushed when 64 are waiting, otherwise at once. */
  async fail(): Promise<void> {
    this.#turn()
    this.#own++
    if (this.#own - this.#flushed >= FLUSH_COUNT) return this.flush()
    if (this.#timer === undefined) {
      this.#timer = setTimeout(() => void this.flush().catch(() => undefined), FLUSH_MS)
      // A waiting counter keeps no process alive; `close` flushes it.
      ;(this.#timer as { unref?: () => void }).unref?.()
    }
  }

  /** Writes this writer's row. */
  flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#flushing = this.#flushing.catch(() => undefined).then(() => this.#write())
    return this.#flushing
  }

  async #write(): Promise<void> {
    if (this.#own === this.#flushed) return
    await this.#ring.load()
    const keyVersion = this.#ring.newestVersion
    const count = this.#own
    const bytes = encodeRealmAttemptsRow(
      { realm: this.#realm, writer: this.#writer, windowMs: this.#windowMs, count, keyVersion },
      this.#ring.requireRealmKeys(keyVersion).limiter,
    )
    const key = realmAttemptsKey(this.#realm, this.#writer)
    const [version] = await this.#ring.store.commit([
      { step: 'put', table: 'attempts', key, bytes, expected: this.#rowVersion },
    ])
    this.#rowVersion = version ?? null
    this.#flushed = count
  }

  async #readOthers(nowMs: number): Promise<void> {
    this.#readMs = nowMs
    const start = realmAttemptsStart(this.#realm)
    const own = realmAttemptsKey(this.#realm, this.#writer)
    let sum = 0
    for await (const row of this.#ring.store.scan('attempts', start)) {
      if (!startsWith(row.key, start)) break
      if (startsWith(row.key, own)) continue
      await this.#ring.load()
      const { windowMs, count } = decodeRealmAttemptsRow(
        row.bytes,
        this.#realm,
        (version) => this.#ring.realmKeys(version)?.limiter,
      )
      if (windowMs === this.#windowMs) sum += count
    }
    this.#others = sum
  }

  /** Begins a new hour when the clock says so. A clock that goes back stays in the later hour. */
  #turn(): void {
    const windowMs = Math.floor(this.#clock.nowMs() / WINDOW_MS) * WINDOW_MS
    if (windowMs <= this.#windowMs) return
    this.#windowMs = windowMs
    this.#own = 0
    this.#flushed = 0
    this.#others = 0
    this.#readMs = Number.NEGATIVE_INFINITY
  }
}
