/** What an inner wrap is bound to, as bytes (SPEC §4.3). @module */

import type { Realm } from '../base/brand.ts'
import { encodeCbor } from '../base/cbor.ts'

/** The fields of the header. */
export interface InnerBinding {
  readonly realm: Realm
  /** 16 bytes. */
  readonly record: Uint8Array
  /** 16 bytes. */
  readonly handle: Uint8Array
  /** 20 bytes. */
  readonly generation: Uint8Array
  readonly purpose: string
  readonly profile: number
  /** Version of the custody key. */
  readonly keyVersion: number
}

const ID_BYTES = 16
const GENERATION_BYTES = 20
const NO_ID: Uint8Array = new Uint8Array(ID_BYTES)
const NO_GENERATION: Uint8Array = new Uint8Array(GENERATION_BYTES)

/** A header whose names are written over those of the one before: what else it says is the same for nearly all of a process. */
interface Template extends Pick<InnerBinding, 'realm' | 'purpose' | 'profile' | 'keyVersion'> {
  readonly slot: number
  readonly bytes: Uint8Array
  readonly recordAt: number
}

let template: Template | undefined

/** The bytes, borrowed: they last until the next call. */
export function innerHeader(binding: InnerBinding, slot: number, device: Uint8Array): Uint8Array {
  const { record, handle, generation } = binding
  const isUsual = record.length === ID_BYTES && handle.length === ID_BYTES && device.length === ID_BYTES
  if (!isUsual || generation.length !== GENERATION_BYTES) return encodeHeader(binding, slot, device)
  if (template === undefined || !isOf(template, binding, slot)) template = makeTemplate(binding, slot)
  const { bytes, recordAt } = template
  // Each byte string follows one byte that says its length.
  const handleAt = recordAt + ID_BYTES + 1
  bytes.set(record, recordAt)
  bytes.set(handle, handleAt)
  bytes.set(generation, handleAt + ID_BYTES + 1)
  bytes.set(device, bytes.length - ID_BYTES)
  return bytes
}

function isOf(known: Template, { realm, purpose, profile, keyVersion }: InnerBinding, slot: number): boolean {
  const same = known.realm === realm && known.purpose === purpose && known.profile === profile
  return same && known.keyVersion === keyVersion && known.slot === slot
}

function makeTemplate(binding: InnerBinding, slot: number): Template {
  const { realm, purpose, profile, keyVersion } = binding
  const named = { ...binding, record: NO_ID, handle: NO_ID, generation: NO_GENERATION }
  const bytes = encodeHeader(named, slot, NO_ID)
  const recordAt = encodeCbor([1, 3, realm]).length + 1
  return { realm, purpose, profile, keyVersion, slot, bytes, recordAt }
}

function encodeHeader(binding: InnerBinding, slot: number, device: Uint8Array): Uint8Array {
  const { realm, record, handle, generation, purpose, profile, keyVersion } = binding
  return encodeCbor([1, 3, realm, record, handle, generation, purpose, profile, keyVersion, slot, device])
}
