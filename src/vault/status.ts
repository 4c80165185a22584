/** Status: how many people, keys and unfinished works a realm has, counted row by row; writes nothing (SPEC §11.10). @module */

import { type LogStanding, logStanding } from '../audit/standing.ts'
import type { Millis, Realm } from '../base/brand.ts'
import { readU32be } from '../base/bytes.ts'
import { systemClock } from '../base/clock.ts'
import type { CallOptions } from '../base/errors.ts'
import { realmPrefix } from '../base/identifier.ts'
import { shardStart } from '../gallery/place.ts'
import { decodeShardRow } from '../gallery/shard-row.ts'
import { type EpochInfo, type Keyring, ringAccess } from '../keys/keyring.ts'
import { effectiveState, STATES, type State } from '../policy/states.ts'
import { isSubjectKey, startsWith } from '../record/place.ts'
import { decodeSecretRow } from '../record/secret-row.ts'
import { decodeStateRow } from '../record/state-row.ts'
import type { Store, StoredRow, Table } from '../store/store.ts'
import { rejectConfiguration } from './errors.ts'
import { kindOf } from './fsck-fault.ts'
import { VaultKeys } from './keys.ts'
import { type PeopleReached, readReached } from './people-row.ts'
import { checkThresholds, PEOPLE_THRESHOLDS } from './people-thresholds.ts'

/** An epoch, and how many wraps say that they are under it. */
export interface EpochUse extends EpochInfo {
  readonly wraps: number
}

/**
 * - `unreadable`: state rows or wraps that cannot be read; `fsck` names them
 * - `closed-epoch`: wraps under an epoch that is not open: nobody can match
 * - `key-age`: new wraps are made under an epoch that is older than its time, or soon will be
 * - `old-epochs`: wraps under an epoch that is not the primary one any more
 * - `people`: as many people as some laws make their own rules for, or soon so many
 * - `unfinished`: work between two stores that a crash left, or that is under way
 * - `log`: entries wait to be integrated, or signed, for longer than any vault with the log's key would leave them
 */
export type NoticeKind =
  | 'unreadable'
  | 'closed-epoch'
  | 'key-age'
  | 'old-epochs'
  | 'people'
  | 'unfinished'
  | 'log'

/** One thing that an operator should know. */
export interface Notice {
  readonly kind: NoticeKind
  /** `fault`: something does not work, or is overdue. */
  readonly level: 'fault' | 'warning' | 'note'
  readonly text: string
}

/** What a realm holds. */
export interface VaultStatus {
  /** False when a notice is a fault. */
  readonly ok: boolean
  readonly realm: Realm
  /** When the count began. */
  readonly at: Millis
  readonly epochs: readonly EpochUse[]
  /** Records by state as of `at`; `erased` counts what erasures leave. */
  readonly states: Readonly<Record<State, number>>
  /** Records whose code is kept: neither revoked nor erased. One a subject. */
  readonly people: number
  /** Numbers of people whose event is logged (SPEC §12.5). */
  readonly reached: readonly PeopleReached[]
  readonly unfinished: number
  readonly unreadable: number
  readonly log: LogStanding
  readonly notices: readonly Notice[]
}

export interface StatusOptions extends Pick<CallOptions, 'signal'> {
  readonly keyring: Keyring
  /** The store that holds the keyring. */
  readonly store: Store
  /** Where wraps lie when they have a store of their own. */
  readonly secrets?: Store
  /** Numbers of people at which a warning is due. Default 90,000 and 100,000. */
  readonly peopleThresholds?: readonly number[]
  /** Told now and then how many rows have been read. */
  readonly onProgress?: (rows: number) => void
}

/** SP 800-57 part 1: at most two years in which a symmetric key encrypts or wraps anything new. */
const ORIGINATOR_MS: number = 2 * 365 * 86_400_000
/** A vault with the log's key integrates within a second. */
const LOG_LATE_MS = 60_000
const SOON_AGE = 0.8
const PROGRESS_ROWS = 256
const RECORD_BYTES = 16
const NOTE_BYTES = 52
/** Of a generation that ended, and of which fewer holders than needed know. */
const ENDING_BYTES = 68

/**
 * Counts a realm. Vaults may be at work meanwhile: then the counts are of no single instant. Opens no template; which epoch
 * wraps what is taken from the rows as they say, which `fsck` proves. Throws `KeysError`, `StoreError`.
 *
 * @example
 * ```ts
 * const { people, notices } = await vaultStatus({ keyring, store })
 * ```
 */
export async function vaultStatus(options: StatusOptions): Promise<VaultStatus> {
  const { keyring, store, secrets = store, signal } = options
  const access = ringAccess(keyring)
  if (access.store !== store) throw rejectConfiguration('store must be the store that holds the keyring')
  const thresholds = checkThresholds(options.peopleThresholds)
  const ring = new VaultKeys(access, signal)
  await ring.refresh()
  await ring.load()
  const at = systemClock.nowMs() as Millis
  const count = new Count(access.realm, ring, at)
  let rows = 0
  for await (const [table, row] of realmRows({ store, secrets, realm: access.realm, signal })) {
    if (++rows % PROGRESS_ROWS === 0) options.onProgress?.(rows)
    await count.add(table, row)
  }
  const epochs = keyring.epochs.map((info) => ({ ...info, wraps: count.wraps.get(info.epoch) ?? 0 }))
  const { states, unfinished } = count
  const people = Object.values(states).reduce((sum, one) => sum + one) - states.revoked - states.erased
  const log = await logStanding(store, access.realm, signal === undefined ? {} : { signal })
  const { reached } = await readReached({ store, realm: access.realm, ring })
  const unreadable = count.unreadable + Number(reached === undefined)
  const rest = { reached: reached ?? [], unfinished, unreadable, log }
  const counted = { realm: access.realm, at, epochs, states, people, ...rest }
  const notices = noticesOf(counted, keyring, thresholds)
  return { ok: notices.every(({ level }) => level !== 'fault'), ...counted, notices }
}

async function* realmRows(where: {
  readonly store: Store
  readonly secrets: Store
  readonly realm: Realm
  readonly signal: AbortSignal | undefined
}): AsyncGenerator<readonly [Table, StoredRow]> {
  const prefix = realmPrefix(where.realm)
  const call = where.signal === undefined ? {} : { signal: where.signal }
  for (const table of ['states', 'secrets', 'galleries'] as const) {
    const store = table === 'secrets' ? where.secrets : where.store
    for await (const row of store.scan(table, prefix, call)) {
      if (!startsWith(row.key, prefix)) break
      yield [table, row]
    }
  }
}

/** Counts rows one by one. */
class Count {
  readonly states: Record<State, number> = Object.fromEntries(STATES.map((state) => [state, 0])) as Record<
    State,
    number
  >
  readonly wraps = new Map<number, number>()
  unfinished = 0
  unreadable = 0
  readonly #realm: Realm
  readonly #ring: VaultKeys
  readonly #at: number
  readonly #prefixBytes: number

  constructor(realm: Realm, ring: VaultKeys, at: number) {
    this.#realm = realm
    this.#ring = ring
    this.#at = at
    this.#prefixBytes = realmPrefix(realm).length
  }

  async add(table: Table, { key, bytes }: StoredRow): Promise<void> {
    const realm = this.#realm
    const inner = key.slice(this.#prefixBytes)
    if (table === 'galleries') return await this.#addShard(key, inner, bytes)
    if (!isSubjectKey(realm, key)) {
      if (inner.length === NOTE_BYTES || inner.length === ENDING_BYTES) this.unfinished += 1
      return
    }
    await this.#ring.load()
    try {
      if (table === 'states') {
        const state = decodeStateRow(bytes, { realm, handle: inner }, (v) => this.#ring.realmKeys(v)?.state)
        this.states[effectiveState(state.state, state.basis, this.#at)] += 1
        return
      }
      const [record, generation] = [inner.slice(0, RECORD_BYTES), inner.slice(RECORD_BYTES)]
      const { epoch } = decodeSecretRow(bytes, { realm, record, generation })
      this.wraps.set(epoch, (this.wraps.get(epoch) ?? 0) + 1)
    } catch (error) {
      // Throws whatever says nothing of the row.
      kindOf(error)
      this.unreadable += 1
    }
  }

  /** A shard's key is wrapped as record secrets are; of the other rows of a gallery none is. */
  async #addShard(key: Uint8Array, inner: Uint8Array, bytes: Uint8Array): Promise<void> {
    if (!startsWith(key, shardStart(this.#realm))) return
    await this.#ring.load()
    try {
      const place = { realm: this.#realm, number: readU32be(inner.slice(1)) }
      const { epoch } = decodeShardRow(bytes, place, (version) => this.#ring.realmKeys(version)?.state)
      this.wraps.set(epoch, (this.wraps.get(epoch) ?? 0) + 1)
    } catch (error) {
      kindOf(error)
      this.unreadable += 1
    }
  }
}

/** What the counts mean for an operator. */
export function noticesOf(
  counted: Omit<VaultStatus, 'ok' | 'notices'>,
  keyring: Pick<Keyring, 'minAccepted'>,
  thresholds: readonly number[] = PEOPLE_THRESHOLDS,
): readonly Notice[] {
  const notices: Notice[] = []
  const add = (level: Notice['level'], kind: NoticeKind, text: string): void =>
    void notices.push({ kind, level, text })
  const { epochs, unfinished, unreadable, at, log } = counted
  if (unreadable > 0) add('fault', 'unreadable', `${unreadable} rows cannot be read: guise fsck names them`)
  for (const { epoch, status, wraps, createdAt } of epochs) {
    const age = (at - createdAt) / ORIGINATOR_MS
    if (wraps > 0 && (epoch < keyring.minAccepted || status === 'disabled' || status === 'destroyed')) {
      add(
        'fault',
        'closed-epoch',
        `${wraps} wraps under epoch ${epoch}, which is not open: they cannot match`,
      )
    } else if (wraps > 0 && status !== 'primary') {
      add('note', 'old-epochs', `${wraps} wraps under epoch ${epoch}: rotate moves those of lower epochs`)
    }
    if (status === 'primary' && age >= SOON_AGE) {
      const late = age >= 1
      const text = `epoch ${epoch} has wrapped for ${Math.floor(age * 100)} % of two years: add, promote, rotate`
      add(late ? 'fault' : 'warning', 'key-age', text)
    }
  }
  for (const [level, text] of peopleNotices(counted, thresholds)) add(level, 'people', text)
  if (unfinished > 0) {
    add(
      'note',
      'unfinished',
      `${unfinished} notes of work between two stores, or for the quorum: the next opening finishes them`,
    )
  }
  if (log.oldestMs !== undefined && at - log.oldestMs > LOG_LATE_MS) {
    const text = `${log.queued} entries of the log wait: no vault with the log's key is open`
    add('warning', 'log', text)
  }
  return notices
}

function peopleNotices(
  { people, reached }: Pick<VaultStatus, 'people' | 'reached'>,
  thresholds: readonly number[],
): readonly (readonly [Notice['level'], string])[] {
  const highest = thresholds.findLast((threshold) => people >= threshold)
  const told = reached.map(({ threshold, at }) => {
    const text = `${threshold} people were reached: the log tells of it at ${new Date(at).toISOString()}`
    return ['note', text] as const
  })
  if (highest === undefined) return told
  const last = thresholds.at(-1) as number
  const logged = reached.some(({ threshold }) => threshold === highest)
  const text = `${people} people: from ${last} on some laws ask for a filing`
  const missing = `no event of ${highest} people is logged: run guise people`
  return [['warning', text], ...(logged ? [] : [['warning', missing] as const]), ...told]
}
