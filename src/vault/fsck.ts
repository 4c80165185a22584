/** Fsck: reads every row of a realm and says what does not fit together; writes nothing (SPEC §11.8). @module */

import { AuditError } from '../audit/errors.ts'
import { Follower } from '../audit/follower.ts'
import type { CallOptions } from '../base/errors.ts'
import { realmPrefix } from '../base/identifier.ts'
import { type Keyring, ringAccess } from '../keys/keyring.ts'
import { isSubjectKey, startsWith } from '../record/place.ts'
import type { Store, StoredRow, Table } from '../store/store.ts'
import { rejectConfiguration } from './errors.ts'
import type { Fault } from './fsck-fault.ts'
import { FsckRows } from './fsck-rows.ts'
import { VaultKeys } from './keys.ts'

/** What was read. */
export interface FsckSummary {
  /** Rows of all tables. */
  readonly rows: number
  /** State rows that are not what an erasure leaves. */
  readonly records: number
  /** Notes of work between two stores that the next opening of a vault finishes. */
  readonly unfinished: number
  readonly faults: number
}

export interface FsckOptions extends Pick<CallOptions, 'signal'> {
  readonly keyring: Keyring
  /** The store that holds the keyring. */
  readonly store: Store
  /** Where wraps lie when they have a store of their own. */
  readonly secrets?: Store
  /** Told now and then how many rows have been read. */
  readonly onProgress?: (rows: number) => void
}

/** What other processes change meanwhile is looked at once more, after a moment. */
const PAUSE_MS = 20
const PROGRESS_ROWS = 256

/**
 * Reads every row of the keyring's realm, opens what an operator can open (codes under custody `operator`, outer wraps
 * under every other), compares states and counters with the log, and yields each fault once. A vault may be at work meanwhile. Takes
 * about 150 bytes of memory a record. Throws `KeysError`, `StoreError`.
 *
 * @example
 * ```ts
 * for await (const { kind, table, row } of fsck({ keyring, store })) console.log(kind, table, row)
 * ```
 */
export async function* fsck(options: FsckOptions): AsyncGenerator<Fault, FsckSummary, undefined> {
  const { keyring, store, secrets = store, signal, onProgress } = options
  const access = ringAccess(keyring)
  if (access.store !== store) throw rejectConfiguration('store must be the store that holds the keyring')
  const ring = new VaultKeys(access, signal)
  await ring.refresh()
  await ring.load()
  const { realm } = access
  const { log, fault } = await readLog(new Follower(store, realm, ring))
  const rows = new FsckRows({ realm, ring, store, secrets, log })
  const walk = new Walk(rows, { signal, onProgress })
  yield* walk.report(fault)
  yield* walk.run([
    [store, 'states'],
    [store, 'index'],
    [store, 'attempts'],
    [store, 'references'],
    [secrets, 'secrets'],
    [store, 'galleries'],
  ])
  // A mapping that moved to newer keys meanwhile may have passed the scan by.
  if (rows.hasUnnamed) yield* walk.run([[store, 'index']])
  yield* walk.report(await rows.unindexed())
  return walk.summary()
}

/** The log as it is read now; one that does not hold is a fault by itself, and says nothing of rows. */
async function readLog(
  follower: Follower,
): Promise<{ readonly log: Follower | undefined; readonly fault: readonly Fault[] }> {
  try {
    await follower.follow()
    return { log: follower, fault: [] }
  } catch (error) {
    if (!(error instanceof AuditError)) throw error
    return { log: undefined, fault: [{ kind: 'log', table: 'log', row: '' }] }
  }
}

/** One pass over all tables. */
class Walk {
  readonly #rows: FsckRows
  readonly #signal: AbortSignal | undefined
  readonly #onProgress: ((rows: number) => void) | undefined
  readonly #told = new Set<string>()
  #count = 0

  constructor(
    rows: FsckRows,
    options: {
      readonly signal: AbortSignal | undefined
      readonly onProgress: ((rows: number) => void) | undefined
    },
  ) {
    this.#rows = rows
    this.#signal = options.signal
    this.#onProgress = options.onProgress
  }

  async *run(tables: readonly (readonly [Store, Table])[]): AsyncGenerator<Fault> {
    for (const [store, table] of tables) {
      const prefix = realmPrefix(this.#rows.realm)
      for await (const row of store.scan(table, prefix, this.#call())) {
        if (!startsWith(row.key, prefix)) break
        this.#count += 1
        if (this.#count % PROGRESS_ROWS === 0) this.#onProgress?.(this.#count)
        yield* this.report(await this.#look(table, row))
      }
    }
  }

  /** Each fault once: a damaged row is met under its own table and by whoever it belongs to. */
  *report(faults: readonly Fault[]): Generator<Fault> {
    for (const fault of faults) {
      const name = `${fault.table} ${fault.row}`
      if (this.#told.has(name)) continue
      this.#told.add(name)
      yield fault
    }
  }

  summary(): FsckSummary {
    const { records, unfinished } = this.#rows
    return { rows: this.#count, records, unfinished, faults: this.#told.size }
  }

  async #look(table: Table, row: StoredRow): Promise<readonly Fault[]> {
    const subject = isSubjectKey(this.#rows.realm, row.key)
    const first = await this.#rows.faultsOf(table, row, subject)
    if (first.length === 0) return first
    await pause(this.#signal)
    const now = await this.#rows.read(table, row.key)
    return now === undefined ? [] : await this.#rows.faultsOf(table, now, subject)
  }

  #call(): CallOptions {
    return this.#signal === undefined ? {} : { signal: this.#signal }
  }
}

async function pause(signal: AbortSignal | undefined): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
  signal?.throwIfAborted()
}
