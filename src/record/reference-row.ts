/** The reference row: the sealed code and what never changes about it (SPEC §9.1). @module */

import type { Realm } from '../base/brand.ts'
import { equalBytes } from '../base/bytes.ts'
import { asArray, asBytes, asText, asUint, decodeCbor, encodeCbor } from '../base/cbor.ts'
import type { Bits } from '../policy/operating-point.ts'
import { malformed, misplaced, RecordError } from './errors.ts'
import type { RecordName } from './place.ts'
import { decodeStructure, FORMAT, KIND, MAX_MILLIS, MAX_ROW_BYTES } from './row.ts'

/** What a vault's configuration says of every template it makes. */
export interface TemplateProfile {
  readonly realm: Realm
  readonly purpose: string
  readonly model: string
  /** 32 bytes. */
  readonly meanHash: Uint8Array
  readonly dimensions: number
  readonly bits: Bits
  readonly suite: string
}

/** A parsed reference row; `header` is what the seal binds. */
export interface ReferenceRow {
  readonly header: Uint8Array
  readonly nonce: Uint8Array
  readonly commitment: Uint8Array
  readonly ciphertext: Uint8Array
  readonly createdMs: number
}

const SUITES: readonly string[] = ['B4', 'B6']
const ARITY = 13
const MAX_HEADER_BYTES = 1024
const TAG_BYTES = 16

/** The header: deterministic bytes of everything that never changes. */
export function referenceHeader(profile: TemplateProfile, name: RecordName, createdMs: number): Uint8Array {
  return encodeCbor([
    FORMAT,
    KIND.reference,
    name.realm,
    name.record,
    name.handle,
    name.generation,
    profile.purpose,
    profile.model,
    profile.meanHash,
    profile.dimensions,
    profile.bits,
    profile.suite,
    createdMs,
  ])
}

/** The row's bytes. */
export function encodeReferenceRow(row: Omit<ReferenceRow, 'createdMs'>): Uint8Array {
  return encodeCbor([row.header, row.nonce, row.commitment, row.ciphertext])
}

/** Which generation a row says it holds the code of. Nothing of it is authentic. */
export function readReferenceName(bytes: Uint8Array): { readonly generation: Uint8Array } {
  const [header] = asArray(decodeCbor(bytes, MAX_ROW_BYTES, malformed), 4, malformed)
  const [, , , , , generation] = decodeStructure(
    asBytes(header, [1, MAX_HEADER_BYTES], malformed),
    KIND.reference,
    ARITY,
  )
  return { generation: asBytes(generation, 20, malformed) }
}

/** Whose code a row says it holds, and how it was made. Nothing of it is authentic. */
export function readReferenceHeader(bytes: Uint8Array): {
  readonly name: RecordName
  readonly profile: TemplateProfile
} {
  const [first] = asArray(decodeCbor(bytes, MAX_ROW_BYTES, malformed), 4, malformed)
  const header = asBytes(first, [1, MAX_HEADER_BYTES], malformed)
  const items = decodeStructure(header, KIND.reference, ARITY)
  const [, , realmItem, record, handle, generation, purpose, model, meanHash, dimensions, bits, suite] = items
  const realm = asText(realmItem, 64, malformed) as Realm
  return {
    name: {
      realm,
      record: asBytes(record, 16, malformed),
      handle: asBytes(handle, 16, malformed),
      generation: asBytes(generation, 20, malformed),
    },
    profile: {
      realm,
      purpose: asText(purpose, 64, malformed),
      model: asText(model, 95, malformed),
      meanHash: asBytes(meanHash, 32, malformed),
      dimensions: asUint(dimensions, 4096, malformed),
      bits: asUint(bits, 1024, malformed) as Bits,
      suite: asText(suite, 8, malformed),
    },
  }
}

/**
 * Parses a row and checks that it is the one asked for: this subject's, this generation's, and made under the
 * vault's configuration. The seal is not opened here; until it is, nothing of the row is authentic.
 */
export function decodeReferenceRow(
  bytes: Uint8Array,
  profile: TemplateProfile,
  name: RecordName,
): ReferenceRow {
  const [first, nonce, commitment, ciphertext] = asArray(
    decodeCbor(bytes, MAX_ROW_BYTES, malformed),
    4,
    malformed,
  )
  const header = asBytes(first, [1, MAX_HEADER_BYTES], malformed)
  const items = decodeStructure(header, KIND.reference, ARITY)
  const [, , realm, record, handle, generation, purpose, model, meanHash, dimensions, bits, suite, created] =
    items
  if (!SUITES.includes(asText(suite, 8, malformed))) {
    throw new RecordError('ERR_RECORD_VERSION', 'the suite of a template is unknown')
  }
  if (asText(realm, 64, malformed) !== profile.realm) throw misplaced('another realm')
  if (!equalBytes(asBytes(record, 16, malformed), name.record)) throw misplaced('another record')
  if (!equalBytes(asBytes(handle, 16, malformed), name.handle)) throw misplaced('another subject')
  if (!equalBytes(asBytes(generation, 20, malformed), name.generation)) throw misplaced('another generation')
  if (asText(purpose, 64, malformed) !== profile.purpose) throw misplaced('another purpose')
  if (asText(model, 95, malformed) !== profile.model) throw misplaced('another model')
  if (!equalBytes(asBytes(meanHash, 32, malformed), profile.meanHash)) throw misplaced('another mean')
  if (asUint(dimensions, 4096, malformed) !== profile.dimensions) throw misplaced('other dimensions')
  if (asUint(bits, 1024, malformed) !== profile.bits) throw misplaced('another number of bits')
  if (suite !== profile.suite) throw misplaced('another suite')
  return {
    header,
    nonce: asBytes(nonce, 24, malformed),
    commitment: asBytes(commitment, 32, malformed),
    ciphertext: asBytes(ciphertext, profile.bits / 8 + TAG_BYTES, malformed),
    createdMs: asUint(created, MAX_MILLIS, malformed),
  }
}
