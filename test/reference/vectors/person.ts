/** One enrolled person, all of whose random values are fixed by their names (for vectors only). @module */
import { concat, u32be } from '../bytes.ts'
import { meanHash } from '../embedding.ts'
import { bytesFor } from '../inputs.ts'
import {
  custodyIkm,
  holderShare,
  type InnerContext,
  PROFILES,
  type Profile,
  realmKeys,
  sealOuter,
  sealSlot,
  slotCount,
  subjectTag,
} from '../keys.ts'
import { operationDigest } from '../lifecycle.ts'
import { encodeSealedRow, generationOf } from '../record.ts'
import type { Sealed } from '../seal.ts'
import { encodeShape, type Fields, referenceHeader, secretHeader, secretHeaderOfQuorum } from '../shapes.ts'

export const REALM = 'example-realm'
export const PURPOSE = 'building-access'
export const MODEL = 'example-model@1'
export const SUBJECT = 'person@example.org'
export const CREATED = 1_767_225_600_000

export const record: Uint8Array = bytesFor('record', 16)
export const handle: Uint8Array = bytesFor('handle', 16)
export const generation: Uint8Array = generationOf(1, bytesFor('generation', 16))
export const rs: Uint8Array = bytesFor('record secret', 32)
export const writer: Uint8Array = bytesFor('writer', 16)
export const origin: Uint8Array = bytesFor('steady clock', 16)

/** The statement of an erasure. */
export const RECEIPT: Fields = {
  format: 1,
  kind: 10,
  realm: REALM,
  record,
  generation,
  unreachable: CREATED,
  since: 1,
  last: 3,
  bound: 2_592_000_000,
  v: 1,
}

/** Realm secrets of two versions, epoch keys of three epochs. */
export function realmSecret(v: number): Uint8Array {
  return bytesFor(`realm secret ${v}`, 32)
}

export function epochKey(e: number): Uint8Array {
  return bytesFor(`epoch key ${e}`, 32)
}

export const keys: ReturnType<typeof realmKeys> = realmKeys(realmSecret(1), REALM, 1)
/** Digest of the operation that erased the person. */
export const erasure: Uint8Array = operationDigest(
  keys.limiter,
  'erase',
  subjectTag(keys.index, SUBJECT),
  'operation-0001',
  new Uint8Array(0),
)
export const quorum: Uint8Array = bytesFor('quorum output', 64)
export const deviceSecret: Uint8Array = bytesFor('device secret', 32)
export const share: Uint8Array = holderShare(deviceSecret, REALM, record, generation)

export function ikmFor(profile: Profile): Uint8Array {
  const withQuorum = profile === 'quorum' || profile === 'quorum+holder'
  const withHolder = profile === 'holder' || profile === 'quorum+holder'
  return custodyIkm(keys.custody, withQuorum ? quorum : undefined, withHolder ? share : undefined)
}

/** Of four devices, the first of which enrolled. */
const devices: readonly Uint8Array[] = [1, 2, 3, 4].map((n) => bytesFor(`device ${n}`, 16))

export function contextFor(profile: Profile): InnerContext {
  const code = PROFILES[profile]
  const names = { realm: REALM, record, handle, generation, purpose: PURPOSE, profile: code, v: 1 }
  return { ...names, devices: slotCount(code) === 1 ? [] : devices }
}

/** The slots of a wrap: slot 0 is real, the others are random bytes as for free devices. */
function slotsFor(profile: Profile): Uint8Array {
  const real = sealSlot(ikmFor(profile), contextFor(profile), 0, rs, bytesFor(`inner nonce ${profile}`, 24))
  const free: Uint8Array[] = []
  for (let slot = 1; slot < slotCount(PROFILES[profile]); slot++)
    free.push(bytesFor(`free slot ${slot}`, 104))
  return concat(real, ...free)
}

export function referenceFields(d: number, m: number, suite: string): Fields {
  return {
    format: 1,
    kind: 1,
    realm: REALM,
    record,
    handle,
    generation,
    purpose: PURPOSE,
    model: MODEL,
    meanHash: meanHash(d, undefined),
    d,
    m,
    suite,
    created: CREATED,
  }
}

export function referenceHeaderFor(d: number, m: number, suite: string): Uint8Array {
  return encodeShape(referenceHeader, referenceFields(d, m, suite))
}

/** Of the quorum whose output is in the wraps of profiles 1 and 3. */
const QUORUM_EPOCH = 2

export function secretFields(profile: Profile, epoch = 1, since = 1): Fields {
  return {
    format: 1,
    kind: 2,
    realm: REALM,
    record,
    generation,
    epoch: u32be(epoch),
    since: u32be(since),
    profile: PROFILES[profile],
    v: u32be(1),
    ...(PROFILES[profile] % 2 === 1 ? { quorumEpoch: u32be(QUORUM_EPOCH) } : {}),
  }
}

function secretHeaderFor(profile: Profile, epoch = 1, since = 1): Uint8Array {
  const shape = PROFILES[profile] % 2 === 1 ? secretHeaderOfQuorum : secretHeader
  return encodeShape(shape, secretFields(profile, epoch, since))
}

export interface Wrap extends Sealed {
  readonly header: Uint8Array
  readonly slots: Uint8Array
  readonly row: Uint8Array
}

export function wrapFor(profile: Profile, epoch = 1, since = 1): Wrap {
  const header = secretHeaderFor(profile, epoch, since)
  const slots = slotsFor(profile)
  const sealed = sealOuter(epochKey(epoch), header, slots, bytesFor(`outer nonce ${profile} ${epoch}`, 24))
  return { header, slots, ...sealed, row: encodeSealedRow(header, sealed) }
}
