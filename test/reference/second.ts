/** A second implementation of the vault’s reading side, from SPEC.md alone: rows in, decisions out (SPEC §4, §9, §11.2). @module */
import { concat, Refused } from './bytes.ts'
import { accepts, score } from './compare.ts'
import {
  epochContext,
  openOuter,
  openSlot,
  type RealmKeys,
  realmContext,
  realmKeys,
  slotCount,
  subjectTag,
} from './keys.ts'
import * as rows from './record.ts'
import { recordKeys, recordOpen } from './seal.ts'
import * as shapes from './shapes.ts'
import { probeCode } from './template.ts'

type RowTable = 'keyrings' | 'index' | 'states' | 'attempts' | 'secrets' | 'references'

/** The part of the store’s port and of the provider’s that reading needs. */
export interface Rows {
  get(table: RowTable, key: Uint8Array): Promise<{ readonly bytes: Uint8Array } | undefined>
}
export interface Provider {
  unwrap(wrapped: Uint8Array, context: Uint8Array): Promise<Uint8Array>
}

/** How the custody key of a record is made up: SPEC §4.3. */
export type Ikm = (custody: Uint8Array, record: Uint8Array, generation: Uint8Array) => Uint8Array

export interface Opened {
  readonly state: shapes.Fields
  readonly header: shapes.Fields
  readonly wrap: shapes.Fields
  readonly code: Uint8Array
  readonly rotationKey: Uint8Array
  readonly rs: Uint8Array
  readonly slots: Uint8Array
}

export class SecondVault {
  readonly #store: Rows
  readonly #provider: Provider
  readonly realm: string
  ring: shapes.Fields = {}
  keys: Map<number, RealmKeys> = new Map()

  constructor(store: Rows, provider: Provider, realm: string) {
    this.#store = store
    this.#provider = provider
    this.realm = realm
  }

  /** §4.4: unwraps every version, newest last, and checks the ring under the newest. */
  async load(): Promise<void> {
    const row = await this.#row('keyrings', rows.prefix(this.realm))
    const versions = shapes.decodeShape(shapes.keyringBody, row.slice(0, -32))['versions'] as [
      number,
      number,
      Uint8Array,
    ][]
    for (const [v, , wrapped] of versions) {
      const secret = await this.#provider.unwrap(wrapped, realmContext(this.realm, v))
      this.keys.set(v, realmKeys(secret, this.realm, v))
    }
    this.ring = rows.decodeMacRow(
      shapes.keyringBody,
      row,
      rows.RING_CONTEXT,
      (v) => this.keys.get(v)?.ring,
      () => Math.max(...this.keys.keys()),
    )
  }

  /** §4.5: every version from the newest to the oldest. */
  async handleOf(subject: string): Promise<Uint8Array | undefined> {
    for (const v of [...this.keys.keys()].sort((a, b) => b - a)) {
      const { index } = this.keysOf(v)
      const tag = subjectTag(index, subject)
      const row = await this.#store.get('index', rows.indexKey(this.realm, v, tag))
      if (row === undefined) continue
      const fields = rows.decodeMacRow(shapes.indexBody, row.bytes, rows.indexContext(tag), () => index)
      rows.checkBinding(fields, { realm: this.realm, v })
      return fields['handle'] as Uint8Array
    }
    return undefined
  }

  async state(handle: Uint8Array): Promise<shapes.Fields> {
    const row = await this.#row('states', rows.stateKey(this.realm, handle))
    const fields = rows.decodeMacRow(
      shapes.stateBody,
      row,
      rows.STATE_CONTEXT,
      (v) => this.keys.get(v)?.state,
    )
    rows.checkBinding(fields, { realm: this.realm, handle })
    return fields
  }

  async attempts(handle: Uint8Array): Promise<shapes.Fields> {
    const row = await this.#row('attempts', rows.attemptsKey(this.realm, handle, 1))
    const keyOf = (v: number): Uint8Array | undefined => this.keys.get(v)?.limiter
    const fields = rows.decodeMacRow(shapes.attemptsBody, row, rows.ATTEMPTS_CONTEXT, keyOf)
    rows.checkBinding(fields, { realm: this.realm, handle, scope: 1 })
    return fields
  }

  /** Everything of a subject’s template, opened. */
  async open(subject: string, purpose: string, ikm: Ikm): Promise<Opened> {
    const handle = await this.handleOf(subject)
    if (handle === undefined) throw new Refused('ERR_VAULT', 'unknown subject')
    const state = await this.state(handle)
    const { realm } = this
    const record = state['record'] as Uint8Array
    const generation = state['generation'] as Uint8Array
    const secretRow = await this.#row('secrets', rows.secretKey(realm, record, generation))
    const wrap = rows.decodeSecretRow(secretRow)
    rows.checkBinding(wrap.fields, { realm, record, generation })
    const profile = wrap.fields['profile'] as number
    const v = bigEndian(wrap.fields['v'] as Uint8Array)
    const slots = openOuter(
      await this.#epochKey(bigEndian(wrap.fields['epoch'] as Uint8Array)),
      wrap.header,
      wrap,
    )
    const devices = state['devices'] as readonly Uint8Array[]
    const context = { realm, record, handle, generation, purpose, profile, v, devices }
    const rs = openAny(slots, profile, (slot, bytes) =>
      openSlot(ikm(this.keysOf(v).custody, record, generation), context, slot, bytes),
    )
    const referenceRow = await this.#row('references', rows.referenceKey(realm, record))
    const reference = rows.decodeSealedRow(shapes.referenceHeader, referenceRow)
    rows.checkBinding(reference.fields, { realm, record, handle, generation, purpose })
    const code = recordOpen(rs, reference.header, reference)
    const { rotationKey } = recordKeys(rs, reference.nonce, reference.header)
    return { state, header: reference.fields, wrap: wrap.fields, code, rotationKey, rs, slots }
  }

  /** §7, with the record’s own key. */
  decide(opened: Opened, z: readonly number[], threshold: number): boolean {
    const m = opened.header['m'] as number
    const probe = probeCode(z, opened.header['suite'] as string, m, opened.rotationKey)
    return accepts(score(opened.code, probe), m, threshold)
  }

  keysOf(v: number): RealmKeys {
    const keys = this.keys.get(v)
    if (keys === undefined) throw new Refused('ERR_KEYS', 'no such version')
    return keys
  }

  async #epochKey(epoch: number): Promise<Uint8Array> {
    const epochs = this.ring['epochs'] as [number, number, number, number, Uint8Array][]
    const wrapped = epochs.find(([e]) => e === epoch)?.[4] ?? new Uint8Array(0)
    return await this.#provider.unwrap(wrapped, epochContext(this.realm, epoch))
  }

  async #row(table: RowTable, key: Uint8Array): Promise<Uint8Array> {
    const row = await this.#store.get(table, key)
    if (row === undefined) throw new Refused('ERR_STORE', `no row in ${table}`)
    return concat(row.bytes)
  }
}

function bigEndian(bytes: Uint8Array): number {
  let value = 0
  for (const byte of bytes) value = 256 * value + byte
  return value
}

/** The first slot that opens. */
function openAny(
  slots: Uint8Array,
  profile: number,
  openOne: (slot: number, bytes: Uint8Array) => Uint8Array,
): Uint8Array {
  for (let slot = 0; slot < slotCount(profile); slot++) {
    try {
      return openOne(slot, slots.slice(104 * slot, 104 * (slot + 1)))
    } catch (error) {
      if (!(error instanceof Refused)) throw error
    }
  }
  throw new Refused('ERR_SEAL_OPEN', 'no slot opens')
}
