/** Rows of nobody, read so that a refusal takes as long whoever is asked for (SPEC §11.2, VAULT-7). @module */

import { ROW_TAG_BYTES } from '../audit/entry.ts'
import type { Ledger } from '../audit/ledger.ts'
import type { Realm } from '../base/brand.ts'
import { copyPublic } from '../base/bytes.ts'
import { randomBytes } from '../crypto/random.ts'
import { decodeIndexRow, encodeIndexRow, type IndexPlace } from '../keys/pseudonym.ts'
import { decodeAttemptsRow, encodeAttemptsRow } from '../record/attempts-row.ts'
import { SCOPE_UNBOUND } from '../record/place.ts'
import type { TemplateProfile } from '../record/reference-row.ts'
import { decodeStateRow, encodeStateRow } from '../record/state-row.ts'

const VERSION = 1
/** As long as those of a person who was enrolled with a usual basis. */
const NOTICE = 'notice-2026-01'
const EVIDENCE_BYTES = 32

/** Bytes of code and wrap. */
const TEMPLATE_BYTES = [320, 280] as const
/** So often a verify waits between state and gate for what is there already. */
const WAITS = 6

/** A row that is read from a store costs as much again as its decoding: so test/attack/refusal-times measures it. */
const DECODED = 2

type Known = Pick<Ledger, 'isLast'>

/** Does what reading a subject's rows costs, on rows under a key that is drawn here and opens nothing else. */
export class Decoys {
  readonly #key: Uint8Array = randomBytes(32)
  readonly #index: IndexPlace
  readonly #subject: { readonly realm: Realm; readonly handle: Uint8Array }
  readonly #attempts: {
    readonly realm: Realm
    readonly handle: Uint8Array
    readonly scope: number
    readonly generation: Uint8Array
  }
  readonly #tag: Uint8Array = randomBytes(ROW_TAG_BYTES)
  readonly #rows: {
    readonly index: Uint8Array
    readonly state: Uint8Array
    readonly attempts: Uint8Array
    readonly template: readonly Uint8Array[]
  }

  constructor(profile: TemplateProfile, nowMs: number) {
    const { realm } = profile
    const handle = randomBytes(16)
    const generation = randomBytes(20)
    this.#index = { realm, version: VERSION, tag: randomBytes(32) }
    this.#subject = { realm, handle }
    this.#attempts = { realm, handle, scope: SCOPE_UNBOUND, generation }
    const shared = { realm, handle, generation, version: 1, keyVersion: VERSION, operations: [] }
    const basis = {
      kind: 'consent',
      purpose: profile.purpose,
      grantedMs: nowMs,
      expiresMs: nowMs + 1,
      noticeVersion: NOTICE,
      evidence: randomBytes(EVIDENCE_BYTES),
      separateConsent: true,
      under14: false,
      guardianEvidence: null,
    } as const
    const state = {
      ...shared,
      record: randomBytes(16),
      state: 'active',
      exposed: false,
      profile: 0,
      devices: [],
      model: profile.model,
      bits: profile.bits,
      basis,
      since: 1,
      last: 1,
      changedMs: nowMs,
      reason: 0,
    } as const
    const count = { run: 0, failures: 0, lastMs: nowMs, origin: randomBytes(16), steadyMs: 0 }
    this.#rows = {
      index: encodeIndexRow(this.#index, this.#key, handle),
      state: encodeStateRow(state, this.#key),
      attempts: encodeAttemptsRow({ ...shared, scope: SCOPE_UNBOUND, count }, this.#key),
      template: TEMPLATE_BYTES.map((length) => randomBytes(length)),
    }
  }

  /** What the rows of a subject who can be compared cost. */
  async readSubject(ledger: Known): Promise<void> {
    for (const row of this.#rows.template) copyPublic(row)
    decodeIndexRow(this.#rows.index, this.#index, this.#key)
    await Promise.resolve()
    for (let i = 0; i < DECODED; i++) decodeStateRow(this.#rows.state, this.#subject, () => this.#key)
    ledger.isLast(this.#subject.handle, 'state', this.#tag)
    await this.readAttempts(ledger)
  }

  /** What is not read of a subject who cannot be compared. */
  async readAttempts(ledger: Known): Promise<void> {
    for (let waits = 0; waits < WAITS; waits++) await Promise.resolve()
    for (let i = 0; i < DECODED; i++) {
      decodeAttemptsRow(this.#rows.attempts, this.#attempts, () => this.#key)
    }
    ledger.isLast(this.#subject.handle, 'attempts', this.#tag)
  }
}
