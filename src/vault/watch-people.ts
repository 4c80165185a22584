/** Tells when a realm comes to as many live persons as some law asks about: once for each time, in the log (SPEC §12.5). @module */

import { decodeEntry } from '../audit/entry.ts'
import type { ReadEntry } from '../audit/follower.ts'
import type { Millis } from '../base/brand.ts'
import { checkInteger } from '../base/check.ts'
import { systemClock } from '../base/clock.ts'
import type { StoreStep } from '../store/store.ts'
import { rejectConfiguration } from './errors.ts'
import { Lives } from './lives.ts'
import { encodePeopleRow, type PeopleReached, peopleKey, readReached } from './people-row.ts'
import { checkThresholds } from './people-thresholds.ts'
import { type RealmPlace, RingHost } from './rewrap-host.ts'
import { openMeter, type Telemetry, tell } from './telemetry.ts'

export interface WatchPeopleOptions extends Omit<RealmPlace, 'secrets'> {
  /** Numbers of live persons, 1 to 64 of them, each from 1 to 1,000,000,000. Default 90,000 and 100,000. */
  readonly thresholds?: readonly number[]
  /** How long to wait between two readings, 10 to 86,400,000 milliseconds. Default 10,000. */
  readonly everyMs?: number
  /** Told `guise.people.reached` of each event that this process logged, or read after its first reading. */
  readonly telemetry?: Telemetry
}

/** One reading. */
export interface PeopleReading {
  /** Live persons, exact as of one instant of the reading. */
  readonly people: number
  /** Events that were logged since the reading before, whoever logged them; in the first reading all that there are. */
  readonly reached: readonly PeopleReached[]
}

const EVERY_MS = 10_000
const LONGEST_MS = 86_400_000

/**
 * Follows the log, counts, and logs an event each time the number of people comes to a threshold from below, also when it was lower
 * again before anybody looked. Any number of processes may watch. Ends with the reason of the signal. Throws `KeysError`, `StoreError`,
 * and `AuditError` for a log that does not hold.
 *
 * @example
 * ```ts
 * for await (const { people, reached } of watchPeople({ keyring, store }))
 *   for (const { threshold } of reached) console.warn(`${threshold} people were reached, there are ${people}`)
 * ```
 */
export async function* watchPeople(
  options: WatchPeopleOptions,
): AsyncGenerator<PeopleReading, never, undefined> {
  const { signal, telemetry } = options
  const thresholds = checkThresholds(options.thresholds)
  const everyMs = checkInteger(options.everyMs ?? EVERY_MS, 'everyMs', [10, LONGEST_MS], rejectConfiguration)
  openMeter(telemetry)
  const watch = new PeopleWatch(new RingHost(options), thresholds)
  for (let first = true; ; first = false) {
    const own = await watch.read()
    const reached = watch.take()
    for (const one of first ? own : reached) {
      const attributes = { threshold: `${one.threshold}` }
      void tell(() => telemetry?.count('guise.people.reached', 1, attributes))
    }
    yield { people: watch.people, reached }
    await pause(everyMs, signal)
  }
}

/** Where a threshold stands in the order of the log. */
interface Mark {
  readonly threshold: number
  /** False from when the number comes to the threshold until it is lower. */
  below: boolean
  /** True from then on until an event of it follows. */
  due: boolean
}

class PeopleWatch {
  readonly #host: RingHost
  readonly #lives: Lives
  readonly #marks: readonly Mark[]
  #events: PeopleReached[] = []

  constructor(host: RingHost, thresholds: readonly number[]) {
    this.#host = host
    this.#marks = thresholds.map((threshold) => ({ threshold, below: true, due: false }))
    this.#lives = new Lives(host.store, host.realm, host.ring, (entry) => this.#follow(entry))
  }

  get people(): number {
    return this.#lives.people
  }

  /** The events that were read since they were taken last. */
  take(): readonly PeopleReached[] {
    const events = this.#events
    this.#events = []
    return events
  }

  /** Reads what is new and logs what is due; resolves with the events that this process logged. */
  async read(): Promise<readonly PeopleReached[]> {
    const own: PeopleReached[] = []
    for (;;) {
      // Whoever else watches writes the same row: one of us does, the others read the event, and nothing is due any more.
      const logged = await this.#host.decide(async () => {
        await this.#lives.follow()
        const mark = this.#marks.find(({ due }) => due)
        return mark && (await this.#log(mark))
      })
      if (logged === undefined) return own
      own.push(logged)
    }
  }

  async #log({ threshold }: Mark): Promise<PeopleReached> {
    const host = this.#host
    const ring = host.ringStep()
    const before = await readReached(host)
    await host.ring.load()
    const at = systemClock.nowMs() as Millis
    const others = (before.reached ?? []).filter((one) => one.threshold !== threshold)
    const reached = [...others, { threshold, at }].toSorted((a, b) => a.threshold - b.threshold)
    const version = host.ring.newestVersion
    const key = host.ring.key(version) as Uint8Array
    const put: StoreStep = {
      step: 'put',
      table: 'log',
      key: peopleKey(host.realm),
      bytes: encodePeopleRow(host.realm, reached, version, key),
      expected: before.version,
    }
    const policy = `people/${threshold}`
    const { timeMs } = decodeEntry(
      await host.commitLogged([ring, put], { action: 'people', outcome: 'done', policy }),
    )
    return { threshold, at: timeMs as Millis }
  }

  #follow({ action, outcome, policy, timeMs }: ReadEntry): void {
    const { people } = this.#lives
    for (const mark of this.#marks) {
      if (people < mark.threshold) mark.below = true
      else if (mark.below) {
        mark.below = false
        mark.due = true
      }
      if (action === 'people' && outcome === 'done' && policy === `people/${mark.threshold}`) {
        mark.due = false
        this.#events.push({ threshold: mark.threshold, at: timeMs as Millis })
      }
    }
  }
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted()
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop)
      resolve()
    }, ms)
    const stop = (): void => {
      clearTimeout(timer)
      reject(signal?.reason as Error)
    }
    signal?.addEventListener('abort', stop, { once: true })
  })
}
