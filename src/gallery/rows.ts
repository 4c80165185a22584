/** What the rows of a gallery share: kinds, and the part that says how codes were made (SPEC §16). @module */

import type { Realm } from '../base/brand.ts'
import { asBytes, asText, asUint, type CborValue } from '../base/cbor.ts'
import type { Bits } from '../policy/operating-point.ts'
import { malformed, misplaced, RecordError } from '../record/errors.ts'
import { isBits } from '../transform/suite.ts'
import { GALLERY_SUITE, type GalleryProfile } from './declaration.ts'

/** Second element of every structure; continues the list of SPEC §9 and §14. */
export const GALLERY_KIND = {
  head: 15,
  shard: 16,
  member: 17,
  shardInner: 18,
  shardOuter: 19,
  budget: 20,
  question: 21,
  answer: 22,
} as const

/** Stands in every key derivation and associated data of a gallery. */
export const USE = 'identify'

/** Purpose to suite, as they stand one after the other. */
export function profileToCbor(profile: GalleryProfile): readonly CborValue[] {
  const { purpose, model, meanHash, dimensions, bits } = profile
  return [purpose, model, meanHash, dimensions, bits, GALLERY_SUITE]
}

/** Reads what `profileToCbor` wrote. */
export function profileFromCbor(realm: Realm, items: readonly (CborValue | undefined)[]): GalleryProfile {
  const [purpose, model, meanHash, dimensions, bits, suite] = items
  if (asText(suite, 8, malformed) !== GALLERY_SUITE) {
    throw new RecordError('ERR_RECORD_VERSION', 'the suite of a gallery is unknown')
  }
  const stored = asUint(bits, 1024, malformed)
  if (!isBits(stored)) throw malformed('a number of bits that no code has')
  return {
    realm,
    purpose: asText(purpose, 40, malformed),
    model: asText(model, 95, malformed),
    meanHash: asBytes(meanHash, 32, malformed),
    dimensions: asUint(dimensions, 4096, malformed),
    bits: stored satisfies Bits,
  }
}

/** The realm that a row names must be the one that it was read for. */
export function requireRealm(value: CborValue | undefined, realm: Realm): void {
  if (asText(value, 64, malformed) !== realm) throw misplaced('another realm')
}
