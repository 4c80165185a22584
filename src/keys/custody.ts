/** Who must take part before a template opens: profiles and the custody key (SPEC §4.3). @module */

import { concatBytes, wipe } from '../base/bytes.ts'
import { checkBytes } from '../base/check.ts'
import { hkdfPrepare } from '../crypto/kdf.ts'
import { badInput, KeysError } from './errors.ts'

/** 0 operator, 1 quorum, 2 holder, 3 quorum and holder. */
export type Profile = 0 | 1 | 2 | 3

/** What opens a wrap. All borrowed. */
export interface CustodyParts {
  /** The realm's custody key of the wrap's version, 32 bytes. */
  readonly custodyKey: Uint8Array
  /** What the quorum gave for this template, 64 bytes. */
  readonly quorum?: Uint8Array | undefined
  /** The holder's share for this template, 32 bytes. */
  readonly share?: Uint8Array | undefined
}

const KEY_BYTES = 32
const QUORUM_BYTES = 64
const SHARE_BYTES = 32
const ABSENT: Uint8Array = Uint8Array.of(0)
const PRESENT: Uint8Array = Uint8Array.of(1)

export function needsQuorum(profile: Profile): boolean {
  return profile === 1 || profile === 3
}

export function needsHolder(profile: Profile): boolean {
  return profile === 2 || profile === 3
}

/** Slots of a profile: one for each of four devices where the person holds a share, one elsewhere. */
export function slotCount(profile: Profile): 1 | 4 {
  return needsHolder(profile) ? 4 : 1
}

/**
 * The prepared custody key (`hkdfPrepare`), 416 bytes that the caller owns and wipes. For profile `operator` it is the same
 * for every record of a version: `RealmKeys.preparedOperator` keeps it.
 *
 * Throws `ERR_KEYS_MISSING` when the profile needs a part that is not there (KEYS-7) and `ERR_KEYS_INPUT` for a
 * part of the wrong length or one that the profile has no place for.
 */
export function preparedCustody(profile: Profile, parts: CustodyParts): Uint8Array {
  const { custodyKey, quorum, share } = parts
  checkBytes(custodyKey, 'custodyKey', KEY_BYTES, badInput)
  requirePart(needsQuorum(profile), quorum, 'quorum output', QUORUM_BYTES)
  requirePart(needsHolder(profile), share, 'holder share', SHARE_BYTES)
  const ikm = concatBytes(
    PRESENT,
    custodyKey,
    ...(quorum === undefined ? [ABSENT] : [PRESENT, quorum]),
    ...(share === undefined ? [ABSENT] : [PRESENT, share]),
  )
  try {
    return hkdfPrepare(ikm)
  } finally {
    wipe(ikm)
  }
}

function requirePart(needed: boolean, part: Uint8Array | undefined, name: string, lengthBytes: number): void {
  if (needed && part === undefined) {
    throw new KeysError('ERR_KEYS_MISSING', `this template does not open without a ${name}`)
  }
  if (part === undefined) return
  checkBytes(part, name, lengthBytes, badInput)
  if (!needed) throw badInput(`this custody profile takes no ${name}`)
}
