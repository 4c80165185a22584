/** The realm's own limit of failures, summed over the rows of all writers (SPEC §9.4, §12.3). @module */

import type { Realm } from '../base/brand.ts'
import { equalBytes } from '../base/bytes.ts'
import type { Clock } from '../base/clock.ts'
import { Pace } from '../base/pace.ts'
import { Turns } from '../base/turns.ts'
import { randomBytes } from '../crypto/random.ts'
import {
  decodeRealmAttemptsRow,
  encodeRealmAttemptsRow,
  type RealmAttemptsRow,
} from '../record/attempts-row.ts'
import { RecordError } from '../record/errors.ts'
import { realmAttemptsKey, realmAttemptsStart, startsWith } from '../record/place.ts'
import type { StoredRow } from '../store/store.ts'
import type { VaultKeys } from './keys.ts'
import { isConflict } from './outcome.ts'

const WINDOW_MS = 3_600_000
const FLUSH_MS = 1000
/** Failures that a writer may not have flushed: so many, or this share of the limit where that is more, up to the last. */
const LAG_LEAST = 64
const LAG_SHARE = 256
const LAG_MOST = 1024
/** Rows of writers that have been silent for so long are deleted, so many at a reading. */
const PAST_MS = 24 * WINDOW_MS
const MOST_DELETED = 64
/** Others only delete this writer's row; otherwise a conflict means that an earlier commit was applied after all. */
const MOST_TRIES = 3
/** Comparisons that begin in one turn of the event loop: each takes about 0.1 ms, and hundreds may wait for one flush. */
const MOST_A_TURN = 16

/**
 * Counts failures of the running hour. Those of other writers are read at most a second late, and each writer flushes
 * its own at least every second or `lag` failures: the error is at most that much a writer.
 */
export class RealmLimit {
  readonly #ring: VaultKeys
  readonly #realm: Realm
  readonly #clock: Clock
  readonly #perHour: number
  readonly #lag: number
  readonly #writer: Uint8Array = randomBytes(16)
  /** `undefined`: to be read before the next write. */
  #rowVersion: string | null | undefined = null
  #windowMs = 0
  /** When the window ends, on the steady clock: no jump of the wall clock shortens or lengthens it. */
  #endsMs = Number.NEGATIVE_INFINITY
  #own = 0
  #flushed = 0
  #others = 0
  #underWay = 0
  readonly #pace: Pace = new Pace(MOST_A_TURN)
  #oldestMs: number | undefined
  #readMs = Number.NEGATIVE_INFINITY
  #reading: Promise<void> | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  readonly #flushes: Turns = new Turns()

  constructor(ring: VaultKeys, realm: Realm, clock: Clock, perHour: number) {
    this.#ring = ring
    this.#realm = realm
    this.#clock = clock
    this.#perHour = perHour
    this.#lag = Math.min(LAG_MOST, Math.max(LAG_LEAST, Math.floor(perHour / LAG_SHARE)))
  }

  /**
   * Admits a comparison; false when the realm has used up its failures of this hour. Whoever was let in leaves.
   * Throws when counters can be neither read nor written: then nothing is compared (POLICY-9).
   */
  async enter(): Promise<boolean> {
    const { ms } = this.#turn()
    if (this.#isDue(ms)) await this.flush()
    if (ms - this.#readMs >= FLUSH_MS) {
      this.#reading ??= this.#readOthers(ms).finally(() => {
        this.#reading = undefined
      })
      await this.#reading
    }
    const turn = this.#pace.pass()
    if (turn !== undefined) await turn
    const failures = this.#own + this.#others
    // Comparisons under way may all fail: no more of them than one flush may lag behind.
    if (failures >= this.#perHour || failures + this.#underWay >= this.#perHour + this.#lag) return false
    this.#underWay++
    return true
  }

  /** Ends a comparison, and counts it when it failed. */
  leave(failed: boolean): void {
    const { ms } = this.#turn()
    this.#underWay--
    if (!failed) return
    this.#own++
    this.#oldestMs ??= ms
    // Begun early, a flush ends before anybody has to wait for it.
    if (this.#isDue(ms) || this.#unflushed >= this.#lag / 2) this.#flushInBackground()
    else this.#timer ??= this.#later()
  }

  /** Writes what this writer has counted so far. */
  flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    return this.#flushes.share(() => this.#write())
  }

  get #unflushed(): number {
    return this.#own - this.#flushed
  }

  #isDue(ms: number): boolean {
    if (this.#unflushed >= this.#lag) return true
    return this.#oldestMs !== undefined && ms - this.#oldestMs >= FLUSH_MS
  }

  /** A failure to write is met again by the next comparison, which is refused then. */
  #flushInBackground(): void {
    this.flush().catch(() => undefined)
  }

  #later(): ReturnType<typeof setTimeout> {
    const timer = setTimeout(() => this.#flushInBackground(), FLUSH_MS)
    // A waiting counter keeps no process alive; `close` flushes it.
    ;(timer as { unref?: () => void }).unref?.()
    return timer
  }

  async #write(): Promise<void> {
    const counted = this.#own
    // What is counted meanwhile is for the next flush; a new hour begins at nothing.
    for (let attempt = 1; Math.min(counted, this.#own) > this.#flushed; attempt++) {
      try {
        await this.#writeOnce()
      } catch (error) {
        this.#rowVersion = undefined
        if (!isConflict(error) || attempt >= MOST_TRIES) throw error
      }
    }
  }

  async #writeOnce(): Promise<void> {
    const { store } = this.#ring
    const key = realmAttemptsKey(this.#realm, this.#writer)
    if (this.#rowVersion === undefined) this.#rowVersion = (await store.get('attempts', key))?.version ?? null
    await this.#ring.load()
    const keyVersion = this.#ring.newestVersion
    const windowMs = this.#windowMs
    const count = this.#own
    const bytes = encodeRealmAttemptsRow(
      { realm: this.#realm, writer: this.#writer, windowMs, count, keyVersion },
      this.#ring.requireRealmKeys(keyVersion).limiter,
    )
    const oldestMs = this.#oldestMs
    this.#oldestMs = undefined
    try {
      const [version] = await store.commit([
        { step: 'put', table: 'attempts', key, bytes, expected: this.#rowVersion },
      ])
      this.#rowVersion = version as string
    } catch (error) {
      this.#oldestMs ??= oldestMs
      throw error
    }
    if (windowMs === this.#windowMs) this.#flushed = count
  }

  async #readOthers(nowMs: number): Promise<void> {
    const start = realmAttemptsStart(this.#realm)
    const own = realmAttemptsKey(this.#realm, this.#writer)
    const past: StoredRow[] = []
    let sum = 0
    for await (const row of this.#ring.store.scan('attempts', start)) {
      if (!startsWith(row.key, start)) break
      if (startsWith(row.key, own)) continue
      await this.#ring.load()
      const read = this.#read(row, start.length)
      if (read === undefined) continue
      if (read.windowMs === this.#windowMs) sum += read.count
      else if (this.#windowMs - read.windowMs >= PAST_MS && past.length < MOST_DELETED) past.push(row)
    }
    await Promise.all(past.map((row) => this.#forget(row)))
    this.#others = sum
    this.#readMs = nowMs
  }

  /** A row that nobody of this realm wrote counts for nothing: or anybody with the store could refuse the realm for ever. */
  #read(row: StoredRow, offset: number): RealmAttemptsRow | undefined {
    try {
      const read = decodeRealmAttemptsRow(
        row.bytes,
        this.#realm,
        (version) => this.#ring.realmKeys(version)?.limiter,
      )
      return equalBytes(read.writer, row.key.subarray(offset)) ? read : undefined
    } catch (error) {
      if (error instanceof RecordError) return undefined
      throw error
    }
  }

  /** Every opened vault leaves a row behind. A writer that goes on after a day of silence writes another one. */
  async #forget({ key, version }: StoredRow): Promise<void> {
    try {
      await this.#ring.store.commit([{ step: 'delete', table: 'attempts', key, expected: version }])
    } catch (error) {
      if (!isConflict(error)) throw error
    }
  }

  /** Begins a new hour when the running one is over: the hour of the wall clock then, up to its end. */
  #turn(): { readonly ms: number } {
    const { ms } = this.#clock.steady()
    if (ms < this.#endsMs) return { ms }
    const wallMs = this.#clock.nowMs()
    this.#windowMs = Math.floor(wallMs / WINDOW_MS) * WINDOW_MS
    this.#endsMs = ms + this.#windowMs + WINDOW_MS - wallMs
    this.#own = 0
    this.#flushed = 0
    this.#others = 0
    this.#oldestMs = undefined
    this.#readMs = Number.NEGATIVE_INFINITY
    return { ms }
  }
}
