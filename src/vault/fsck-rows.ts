/** What is wrong with single rows of a realm, and with those that they belong together with (SPEC §11.8). @module */

import type { RowKind } from '../audit/last-change.ts'
import type { Realm } from '../base/brand.ts'
import { equalBytes, readU32be, toHex } from '../base/bytes.ts'
import { realmPrefix } from '../base/identifier.ts'
import { decodeIndexRow } from '../keys/pseudonym.ts'
import { decodeAttemptsRow, decodeRealmAttemptsRow } from '../record/attempts-row.ts'
import { decodeEndingRow } from '../record/ending-row.ts'
import { decodeModelRow } from '../record/model-row.ts'
import {
  attemptsKey,
  MODEL_HANDLE,
  referenceKey,
  SCOPE_UNBOUND,
  stateKey,
  unfinishedKey,
} from '../record/place.ts'
import { decodeReceiptRow } from '../record/receipt.ts'
import { readReferenceHeader } from '../record/reference-row.ts'
import type { KeyForVersion } from '../record/row.ts'
import { decodeSecretRow } from '../record/secret-row.ts'
import { decodeStateRow, type StateRow } from '../record/state-row.ts'
import { decodeUnfinishedRow } from '../record/unfinished-row.ts'
import type { StoredRow, Table } from '../store/store.ts'
import { type Fault, type FaultKind, kindOf } from './fsck-fault.ts'
import { galleryFaults } from './fsck-gallery.ts'
import { type FsckPlace, templateFaults } from './fsck-template.ts'
import { templatesOf } from './references.ts'
import { rowTag } from './row-tags.ts'

const HANDLE_BYTES = 16
const RECORD_BYTES = 16
const GENERATION_BYTES = 20
/** Version and tag. */
const INDEX_BYTES = 36

const UNREADABLE = 'unreadable'

/** Whom a row belongs to; of an unreadable state row nobody knows, which is no fault of the rows around it. */
type Owner = StateRow | typeof UNREADABLE

/** Looks at rows one by one, and remembers whose states it has seen, so that a missing mapping shows at the end. */
export class FsckRows {
  readonly #place: FsckPlace
  readonly #prefixBytes: number
  /** Handles of live records that no index row has named yet. */
  readonly #unnamed = new Set<string>()
  readonly #seen = new Set<string>()
  unfinished = 0

  constructor(place: FsckPlace) {
    this.#place = place
    this.#prefixBytes = realmPrefix(place.realm).length
  }

  get realm(): Realm {
    return this.#place.realm
  }

  /** Live records seen. */
  get records(): number {
    return this.#seen.size
  }

  /** The row as it is now. */
  async read(table: Table, key: Uint8Array): Promise<StoredRow | undefined> {
    const store = table === 'secrets' ? this.#place.secrets : this.#place.store
    return await store.get(table, key)
  }

  /** What is wrong with a row. `subject` is false for rows that belong to no subject. */
  async faultsOf(table: Table, { key, bytes }: StoredRow, subject: boolean): Promise<readonly Fault[]> {
    await this.#place.ring.load()
    const inner = key.subarray(this.#prefixBytes)
    const orphan = [this.#fault('orphan', table, key)]
    try {
      if (table === 'galleries') return await this.#gallery(key, inner, bytes)
      if (!subject && table === 'states' && inner.length === HANDLE_BYTES)
        return await this.#models(key, bytes)
      if (!subject) return this.#ownerless(table, inner, bytes) ? [] : orphan
      if (table === 'states') return await this.#state(key, inner, bytes)
      const owned = await this.#isOwned(table, key, inner, bytes)
      return owned ? [] : orphan
    } catch (error) {
      return [this.#fault(kindOf(error), table, key)]
    }
  }

  /** Live records that no index row names. */
  async unindexed(): Promise<readonly Fault[]> {
    const faults: Fault[] = []
    for (const name of this.#unnamed) {
      const handle = Uint8Array.from(name, (character) => character.charCodeAt(0))
      const state = await this.#liveState(handle)
      if (state !== undefined && state !== UNREADABLE)
        faults.push(this.#fault('missing', 'index', stateKey(this.realm, handle)))
    }
    return faults
  }

  get hasUnnamed(): boolean {
    return this.#unnamed.size > 0
  }

  async #state(key: Uint8Array, handle: Uint8Array, bytes: Uint8Array): Promise<readonly Fault[]> {
    if (handle.length !== HANDLE_BYTES) return [this.#fault('orphan', 'states', key)]
    const { realm } = this
    const state = decodeStateRow(bytes, { realm, handle }, this.#stateKey)
    if (!(await this.#isLast('state', handle, bytes))) return [this.#fault('old', 'states', key)]
    if (state.state === 'erased') return []
    const name = String.fromCharCode(...handle)
    if (!this.#seen.has(name)) this.#unnamed.add(name)
    this.#seen.add(name)
    const faults = [...(await this.#attemptsFaults(state))]
    if (state.state !== 'revoked') {
      for (const template of templatesOf(state)) faults.push(...(await templateFaults(this.#place, template)))
    }
    return faults
  }

  /** The realm's migration from one model to another. */
  async #models(key: Uint8Array, bytes: Uint8Array): Promise<readonly Fault[]> {
    decodeModelRow(bytes, this.realm, this.#stateKey)
    return (await this.#isLast('state', MODEL_HANDLE, bytes)) ? [] : [this.#fault('old', 'states', key)]
  }

  async #gallery(key: Uint8Array, inner: Uint8Array, bytes: Uint8Array): Promise<readonly Fault[]> {
    const owner = (handle: Uint8Array): Promise<Owner | undefined> => this.#liveState(handle)
    const missing = await galleryFaults(this.#place, inner, bytes, owner)
    if (missing === 'orphan') return [this.#fault('orphan', 'galleries', key)]
    return missing.map((row) => this.#fault('missing', 'galleries', row.key))
  }

  async #attemptsFaults({ handle, generation }: StateRow): Promise<readonly Fault[]> {
    const { realm } = this
    const key = attemptsKey(realm, handle, SCOPE_UNBOUND)
    const stored = await this.read('attempts', key)
    if (stored === undefined) return [this.#fault('missing', 'attempts', key)]
    await this.#place.ring.load()
    try {
      decodeAttemptsRow(stored.bytes, { realm, handle, scope: SCOPE_UNBOUND, generation }, this.#limiterKey)
      const last = await this.#isLast('attempts', handle, stored.bytes)
      return last ? [] : [this.#fault('old', 'attempts', key)]
    } catch (error) {
      return [this.#fault(kindOf(error), 'attempts', key)]
    }
  }

  /** True when the log names this row last; of a log that does not hold nobody knows. */
  async #isLast(kind: RowKind, handle: Uint8Array, bytes: Uint8Array): Promise<boolean> {
    const { log } = this.#place
    const tag = rowTag(bytes)
    if (log === undefined || log.changes.isLast(handle, kind, tag)) return true
    await log.follow()
    return log.changes.isLast(handle, kind, tag)
  }

  /** True when the row belongs to a live record; what is wrong with it otherwise is thrown. */
  async #isOwned(table: Table, key: Uint8Array, inner: Uint8Array, bytes: Uint8Array): Promise<boolean> {
    if (table === 'index') return await this.#indexOwner(inner, bytes)
    if (table === 'attempts') {
      const handle = inner.subarray(0, HANDLE_BYTES)
      const inPlace = equalBytes(key, attemptsKey(this.realm, handle, SCOPE_UNBOUND))
      return inPlace && (await this.#liveState(handle)) !== undefined
    }
    const record = inner.subarray(0, RECORD_BYTES)
    if (table === 'references') return (await this.#templateOwner(record, bytes)) !== undefined
    return await this.#isOwnedWrap(record.slice(), inner.slice(RECORD_BYTES), bytes)
  }

  /** A wrap belongs to the generation that its record has now, or to a note of unfinished work. */
  async #isOwnedWrap(record: Uint8Array, generation: Uint8Array, bytes: Uint8Array): Promise<boolean> {
    if (generation.length !== GENERATION_BYTES) return false
    const { realm } = this
    decodeSecretRow(bytes, { realm, record, generation })
    const note = unfinishedKey(realm, record, generation)
    if ((await this.read('secrets', note)) ?? (await this.read('states', note))) return true
    const reference = await this.read('references', referenceKey(realm, record))
    if (reference === undefined) return false
    const owner = await this.#templateOwner(record, reference.bytes).catch(unreadable)
    return owner === UNREADABLE || (owner !== undefined && equalBytes(owner.generation, generation))
  }

  async #indexOwner(inner: Uint8Array, bytes: Uint8Array): Promise<boolean> {
    if (inner.length !== INDEX_BYTES) return false
    const version = readU32be(inner)
    const place = { realm: this.realm, version, tag: inner.slice(4) }
    const key = this.#place.ring.realmKeys(version)?.index
    if (key === undefined) return false
    const handle = decodeIndexRow(bytes, place, key)
    if ((await this.#liveState(handle)) === undefined) return false
    this.#unnamed.delete(String.fromCharCode(...handle))
    return true
  }

  /** The state row that a reference row says it belongs to, if that is live and names this record, as the row of that reference. */
  async #templateOwner(record: Uint8Array, bytes: Uint8Array): Promise<Owner | undefined> {
    const { name } = readReferenceHeader(bytes)
    const state = await this.#liveState(name.handle)
    if (state === undefined || state === UNREADABLE) return state
    if (state.state === 'revoked') return undefined
    return templatesOf(state).find((template) => equalBytes(template.record, record))
  }

  /** The state row of a handle, unless it is what an erasure leaves. Its own faults are told where it is met itself. */
  async #liveState(handle: Uint8Array): Promise<Owner | undefined> {
    const { realm } = this
    const stored = await this.read('states', stateKey(realm, handle))
    if (stored === undefined) return undefined
    await this.#place.ring.load()
    try {
      const state = decodeStateRow(stored.bytes, { realm, handle }, this.#stateKey)
      return state.state === 'erased' ? undefined : state
    } catch (error) {
      return unreadable(error)
    }
  }

  /** Notes, kept receipts, and the realm's counters; false for anything else. */
  #ownerless(table: Table, inner: Uint8Array, bytes: Uint8Array): boolean {
    const { realm } = this
    const rest = inner.slice(HANDLE_BYTES)
    const ended = rest.slice(HANDLE_BYTES)
    if (table === 'states' && ended.length === RECORD_BYTES + GENERATION_BYTES) {
      const place = { realm, record: ended.slice(0, RECORD_BYTES), generation: ended.slice(RECORD_BYTES) }
      decodeEndingRow(bytes, place, this.#stateKey)
      this.unfinished += 1
      return true
    }
    if (table === 'attempts' && rest.length === HANDLE_BYTES) {
      const { writer } = decodeRealmAttemptsRow(bytes, realm, this.#limiterKey)
      return equalBytes(writer, rest)
    }
    if (table === 'states' && rest.length === HANDLE_BYTES) {
      decodeReceiptRow(bytes, { realm, digest: rest }, this.#limiterKey)
      return true
    }
    if ((table === 'states' || table === 'secrets') && rest.length === RECORD_BYTES + GENERATION_BYTES) {
      const place = { realm, record: rest.slice(0, RECORD_BYTES), generation: rest.slice(RECORD_BYTES) }
      decodeUnfinishedRow(bytes, place, this.#stateKey)
      this.unfinished += 1
      return true
    }
    return false
  }

  #fault(kind: FaultKind, table: Table, key: Uint8Array): Fault {
    return { kind, table, row: toHex(key.subarray(this.#prefixBytes)) }
  }

  readonly #stateKey: KeyForVersion = (version) => this.#place.ring.realmKeys(version)?.state
  readonly #limiterKey: KeyForVersion = (version) => this.#place.ring.realmKeys(version)?.limiter
}

/** Whatever is no fault of a row is thrown on. */
function unreadable(error: unknown): typeof UNREADABLE {
  kindOf(error)
  return UNREADABLE
}
