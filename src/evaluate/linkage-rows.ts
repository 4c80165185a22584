/** What the stored rows of two records show to whoever has no key: lengths, names, times, sealed bytes (SPEC §9, §15.5). @module */

import type { Realm } from '../base/brand.ts'
import { concatBytes, u32be, wipe } from '../base/bytes.ts'
import { hkdfPrepare } from '../crypto/kdf.ts'
import { randomBytes } from '../crypto/random.ts'
import { preparedCustody } from '../keys/custody.ts'
import { drawHandle } from '../keys/pseudonym.ts'
import { drawRecordSecret, wrapSecret } from '../keys/wraps.ts'
import type { Bits } from '../policy/operating-point.ts'
import type { RecordName } from '../record/place.ts'
import {
  decodeReferenceRow,
  encodeReferenceRow,
  referenceHeader,
  type TemplateProfile,
} from '../record/reference-row.ts'
import { decodeSecretRow, encodeSecretRow, secretHeader } from '../record/secret-row.ts'
import { sealCode } from '../seal/code.ts'
import { encodeReference } from '../template/template.ts'
import type { Suite } from '../transform/suite.ts'
import type { LinkagePairs } from './linkage-pairs.ts'
import { integersAt, type Setting, sampleAt } from './linkage-scheme.ts'
import { distance, standardise } from './linkers.ts'
import type { Pace } from './pace.ts'
import type { People } from './people.ts'
import { SeededRandom } from './random.ts'

/** Scores of every pair, and every length that a row had. */
export interface RowScores {
  readonly scores: Float64Array
  readonly lengths: RowLengths
}

/** Bytes, ascending, each length once. */
export interface RowLengths {
  readonly reference: readonly number[]
  readonly secret: readonly number[]
}

export interface RowOptions {
  readonly suite: Suite
  readonly bits: Bits
  readonly seed: string
  readonly setting: Setting
  readonly pace: Pace
  /** Instants of the two enrolments of a pair. Default: drawn apart from each other, anywhere in a year. */
  readonly createdMs?: (pair: number, side: 0 | 1) => number
}

const YEAR_MS = 365 * 86_400_000
/** 2026-01-01T00:00:00Z. */
const FROM_MS = 1_767_225_600_000
const REALMS = ['realm-a', 'realm-b'] as const
/** Fields of random or sealed bytes of both rows: record, handle, generation, and nonce, commitment, ciphertext of either. */
const FIELDS = 9
/** Those, the lengths of both rows, and the instants. */
const COLUMNS: number = FIELDS + 3

/**
 * Seals both samples of every pair by the functions that a vault seals with, under secrets and names drawn as a vault draws them,
 * reads the rows back, and compares them field by field. A pair's score is the mean of its columns, each standardised.
 */
export async function scoreRows(
  people: People,
  pairs: LinkagePairs,
  options: RowOptions,
): Promise<RowScores> {
  const { setting, seed, pace } = options
  const random = new SeededRandom(seed, 'linkage-times', setting)
  const { createdMs = () => FROM_MS + random.below(YEAR_MS) } = options
  const realms = REALMS.slice(0, setting + 1).map((realm) => new RowMaker(people, realm as Realm, options))
  const lengths = { reference: new Set<number>(), secret: new Set<number>() }
  const columns = new Float64Array(pairs.count * COLUMNS)
  try {
    for (let pair = 0; pair < pairs.count; pair++) {
      const [first, second] = ([0, 1] as const).map((side) => {
        const maker = realms[side % realms.length] as RowMaker
        const made = maker.make(integersAt(people, sampleAt(pairs, pair, side)), createdMs(pair, side))
        lengths.reference.add(made.lengths.reference)
        lengths.secret.add(made.lengths.secret)
        return made
      }) as [MadeRows, MadeRows]
      columns.set(compareRows(first, second), pair * COLUMNS)
      await pace.step(1)
    }
  } finally {
    for (const realm of realms) realm.wipe()
  }
  return {
    scores: meanColumns(columns),
    lengths: { reference: ascending(lengths.reference), secret: ascending(lengths.secret) },
  }
}

interface MadeRows {
  readonly fields: readonly Uint8Array[]
  readonly lengths: { readonly reference: number; readonly secret: number }
  readonly createdMs: number
}

/** One realm of one vault: custody by the operator, one epoch. */
class RowMaker {
  readonly #profile: TemplateProfile
  readonly #suite: Suite
  readonly #custody: Uint8Array
  readonly #epoch: Uint8Array

  constructor(
    { model, meanHash, dimensions }: People,
    realm: Realm,
    { bits, suite }: Pick<RowOptions, 'bits' | 'suite'>,
  ) {
    this.#profile = { realm, purpose: 'measured', model, meanHash, dimensions, bits, suite }
    this.#suite = suite
    const keys = [randomBytes(32), randomBytes(32)] as const
    this.#custody = preparedCustody(0, { custodyKey: keys[0] })
    this.#epoch = hkdfPrepare(keys[1])
    wipe(...keys)
  }

  make(z: Int32Array, createdMs: number): MadeRows {
    const { realm } = this.#profile
    const generation = concatBytes(u32be(1), randomBytes(16))
    const name: RecordName = { realm, handle: drawHandle(), record: randomBytes(16), generation }
    const recordSecret = drawRecordSecret()
    try {
      const header = referenceHeader(this.#profile, name, createdMs)
      const sealed = sealCode(recordSecret, header, (rotationKey) =>
        encodeReference(z, this.#suite, this.#profile.bits, rotationKey),
      )
      const reference = encodeReferenceRow({ header, ...sealed })
      return this.#read(name, reference, this.#wrap(name, recordSecret))
    } finally {
      wipe(recordSecret)
    }
  }

  wipe(): void {
    wipe(this.#custody, this.#epoch)
  }

  #wrap(name: RecordName, recordSecret: Uint8Array): Uint8Array {
    const { purpose } = this.#profile
    const header = secretHeader({ ...name, epoch: 1, since: 1, profile: 0, keyVersion: 1 })
    const sealed = wrapSecret(recordSecret, {
      custody: this.#custody,
      binding: { ...name, purpose, profile: 0, keyVersion: 1, devices: [] },
      outer: { prepared: this.#epoch, header },
    })
    return encodeSecretRow({ header, ...sealed })
  }

  /** What a thief reads of both rows. */
  #read(name: RecordName, referenceBytes: Uint8Array, secretBytes: Uint8Array): MadeRows {
    const reference = decodeReferenceRow(referenceBytes, this.#profile, name)
    const secret = decodeSecretRow(secretBytes, name)
    return {
      fields: [
        name.record,
        name.handle,
        name.generation,
        reference.nonce,
        reference.commitment,
        reference.ciphertext,
        secret.nonce,
        secret.commitment,
        secret.ciphertext,
      ],
      lengths: { reference: referenceBytes.length, secret: secretBytes.length },
      createdMs: reference.createdMs,
    }
  }
}

/** Higher for more alike. */
function compareRows(a: MadeRows, b: MadeRows): Float64Array {
  const columns = new Float64Array(COLUMNS)
  for (const [i, field] of a.fields.entries()) columns[i] = -distance(field, b.fields[i] as Uint8Array)
  columns[FIELDS] = -Math.abs(a.lengths.reference - b.lengths.reference)
  columns[FIELDS + 1] = -Math.abs(a.lengths.secret - b.lengths.secret)
  columns[FIELDS + 2] = -Math.abs(a.createdMs - b.createdMs)
  return columns
}

function meanColumns(columns: Float64Array): Float64Array {
  for (let column = 0; column < COLUMNS; column++) standardise(columns, column, COLUMNS)
  return Float64Array.from({ length: columns.length / COLUMNS }, (_, row) => {
    let sum = 0
    for (let i = row * COLUMNS; i < (row + 1) * COLUMNS; i++) sum += columns[i] as number
    return sum / COLUMNS
  })
}

function ascending(lengths: ReadonlySet<number>): readonly number[] {
  return [...lengths].sort((a, b) => a - b)
}
