/** The two wraps of a record secret: custody inside, epoch outside (SPEC §4.3). @module */

import { wipe } from '../base/bytes.ts'
import { checkBytes, checkInteger } from '../base/check.ts'
import { giveRoom, takeRoom } from '../base/room.ts'
import { committingOpenPrepared, committingSealPrepared, type Sealed } from '../crypto/committing.ts'
import { randomBytes } from '../crypto/random.ts'
import { needsHolder, type Profile, slotCount } from './custody.ts'
import { badInput } from './errors.ts'
import { type InnerBinding, innerHeader } from './inner-header.ts'
import { packSealed, unpackSealed } from './sealed.ts'

/** What an inner wrap is bound to, and who may open it. */
export interface WrapBinding extends InnerBinding {
  readonly profile: Profile
  /** The state row's devices by slot, sixteen zero bytes for a free one: no free slot opens. Empty without holder. */
  readonly devices: readonly Uint8Array[]
}

/** The outer wrap's key and the header that it binds. Both borrowed. */
export interface OuterKey {
  /** The prepared epoch key: `RingAccess.preparedEpoch`. */
  readonly prepared: Uint8Array
  /** The bytes of the secret row's header. */
  readonly header: Uint8Array
}

/** An opened wrap: whoever holds it wipes `recordSecret`. */
export interface OpenedWrap {
  /** 32 bytes, off the heap. */
  readonly recordSecret: Uint8Array
  /** The slot that opened: the device that was present. */
  readonly slot: number
}

export const RECORD_SECRET_BYTES = 32
const DEVICE_BYTES = 16
const TAG_BYTES = 16
/** What slots are bound to that belong to no device. */
const NO_DEVICE: Uint8Array = new Uint8Array(DEVICE_BYTES)
export const SLOT_BYTES = 104

const INNER = 'guise/v1/inner'
const OUTER = 'guise/v1/outer'

/** A new record secret: random, derived from nothing (KEYS-4). The caller wipes it. */
export function drawRecordSecret(): Uint8Array {
  return randomBytes(RECORD_SECRET_BYTES)
}

/**
 * Wraps a record secret twice. Unused slots are filled with random bytes, so that nobody who opens the outer wrap
 * sees how many devices there are.
 *
 * @param custody The prepared custody key: `preparedCustody`, or `RealmKeys.preparedOperator`
 */
export function wrapSecret(
  recordSecret: Uint8Array,
  wrap: {
    readonly custody: Uint8Array
    readonly binding: WrapBinding
    readonly slot?: number
    readonly outer: OuterKey
  },
): Sealed {
  const { custody, binding, slot = 0, outer } = wrap
  checkBytes(recordSecret, 'recordSecret', RECORD_SECRET_BYTES, badInput)
  const count = checkSlot(slot, binding.profile)
  const device = deviceOf(binding, slot)
  if (device === undefined) throw badInput('the slot to fill belongs to no device')
  const slots = randomBytes(count * SLOT_BYTES)
  try {
    fillSlot(slots, { slot, device, binding }, recordSecret, custody)
    return committingSealPrepared(outer.prepared, OUTER, outer.header, slots)
  } finally {
    wipe(slots)
  }
}

/**
 * Opens both wraps. `undefined` when one of them does not open: the caller turns every such case into its one
 * `ERR_SEAL_OPEN`. `room` takes the record secret where the caller has one of its length.
 */
export function openWrap(
  sealed: Sealed,
  wrap: {
    readonly custody: Uint8Array
    readonly binding: WrapBinding
    readonly outer: OuterKey
    readonly room?: Uint8Array<ArrayBuffer>
  },
): OpenedWrap | undefined {
  const { custody, binding, outer } = wrap
  const lengthBytes = slotCount(binding.profile) * SLOT_BYTES
  if (sealed.ciphertext.length !== lengthBytes + TAG_BYTES) return undefined
  const slotsRoom = takeRoom(lengthBytes)
  try {
    const slots = committingOpenPrepared(outer.prepared, OUTER, outer.header, sealed, slotsRoom)
    return slots && findSlot(slots, custody, binding, wrap.room)
  } finally {
    giveRoom(slotsRoom)
  }
}

/** True when the outer wrap opens: what can be known without the shares of a person's devices. */
export function outerOpens(sealed: Sealed, outer: OuterKey, profile: Profile): boolean {
  const slots = openOuter(sealed, outer, profile)
  wipe(slots)
  return slots !== undefined
}

/**
 * Moves the slots from one epoch to another (KEYS-5). Takes no custody key, so it cannot learn the record secret.
 * `undefined` when the outer wrap does not open.
 */
export function rotateOuter(
  sealed: Sealed,
  keys: { readonly profile: Profile; readonly from: OuterKey; readonly to: OuterKey },
): Sealed | undefined {
  const slots = openOuter(sealed, keys.from, keys.profile)
  if (slots === undefined) return undefined
  try {
    return committingSealPrepared(keys.to.prepared, OUTER, keys.to.header, slots)
  } finally {
    wipe(slots)
  }
}

/** A change of devices by one that is present. */
export interface SlotChange {
  /** The prepared custody key with the share that is present: it must open a slot (KEYS-8). */
  readonly present: Uint8Array
  /** Its devices are those before the change. */
  readonly binding: WrapBinding
  readonly from: OuterKey
  readonly to: OuterKey
  /** The slot to fill or to empty; never the one that the present share opens. */
  readonly slot: number
}

/** A change that gives a device a slot. */
export interface SlotAddition extends SlotChange {
  /** The prepared custody key with the new device's share: it must open no slot yet. */
  readonly added: Uint8Array
  /** The identifier that the state row gives the new device: 16 bytes, not all zero. */
  readonly device: Uint8Array
}

/**
 * Gives another device a slot, over whatever was there. `undefined` when the present share opens nothing. A share that
 * opens the template already is refused: its two devices could only be removed together.
 */
export function addSlot(sealed: Sealed, change: SlotAddition): Sealed | undefined {
  const { slot, added, device, binding } = change
  checkBytes(device, 'device', DEVICE_BYTES, badInput)
  if (isFree(device)) throw badInput('a device needs an identifier')
  return changeSlot(sealed, change, (slots, recordSecret) => {
    const known = findSlot(slots, added, binding)
    wipe(known?.recordSecret)
    if (known !== undefined) throw badInput('the share of the new device opens the template already')
    fillSlot(slots, { slot, device, binding }, recordSecret, added)
  })
}

/** Overwrites a device's slot with random bytes. `undefined` when the present share opens nothing. */
export function removeSlot(sealed: Sealed, change: SlotChange): Sealed | undefined {
  return changeSlot(sealed, change, (slots) => {
    slots.set(randomBytes(SLOT_BYTES), change.slot * SLOT_BYTES)
  })
}

function changeSlot(
  sealed: Sealed,
  change: SlotChange,
  write: (slots: Uint8Array, recordSecret: Uint8Array) => void,
): Sealed | undefined {
  checkSlot(change.slot, change.binding.profile)
  const slots = openOuter(sealed, change.from, change.binding.profile)
  if (slots === undefined) return undefined
  let opened: OpenedWrap | undefined
  try {
    opened = findSlot(slots, change.present, change.binding)
    if (opened === undefined) return undefined
    if (opened.slot === change.slot)
      throw badInput('the slot of the present device can be neither added nor removed')
    write(slots, opened.recordSecret)
    return committingSealPrepared(change.to.prepared, OUTER, change.to.header, slots)
  } finally {
    wipe(slots, opened?.recordSecret)
  }
}

function openOuter(sealed: Sealed, outer: OuterKey, profile: Profile): Uint8Array | undefined {
  const slots = committingOpenPrepared(outer.prepared, OUTER, outer.header, sealed)
  if (slots === undefined || slots.length === slotCount(profile) * SLOT_BYTES) return slots
  wipe(slots)
  return undefined
}

/** Where an inner wrap lies, and for whom. */
interface SlotPlace {
  readonly slot: number
  readonly device: Uint8Array
  readonly binding: WrapBinding
}

function fillSlot(slots: Uint8Array, place: SlotPlace, recordSecret: Uint8Array, custody: Uint8Array): void {
  const inner = committingSealPrepared(
    custody,
    INNER,
    innerHeader(place.binding, place.slot, place.device),
    recordSecret,
  )
  slots.set(packSealed(inner), place.slot * SLOT_BYTES)
}

/**
 * A slot that the custody key opens and whose device the state row names. The commitment tells which one before
 * anything is decrypted.
 */
function findSlot(
  slots: Uint8Array,
  custody: Uint8Array,
  binding: WrapBinding,
  room?: Uint8Array<ArrayBuffer>,
): OpenedWrap | undefined {
  for (let slot = 0; slot * SLOT_BYTES < slots.length; slot++) {
    const device = deviceOf(binding, slot)
    if (device === undefined) continue
    const inner = unpackSealed(slots.subarray(slot * SLOT_BYTES, (slot + 1) * SLOT_BYTES))
    const header = innerHeader(binding, slot, device)
    const recordSecret = committingOpenPrepared(custody, INNER, header, inner, room)
    if (recordSecret !== undefined) return { recordSecret, slot }
  }
  return undefined
}

/** The device that a slot is bound to; `undefined` for a free one. */
function deviceOf(binding: WrapBinding, slot: number): Uint8Array | undefined {
  if (!needsHolder(binding.profile)) return NO_DEVICE
  const device = binding.devices[slot]
  return device === undefined || isFree(device) ? undefined : device
}

function isFree(device: Uint8Array): boolean {
  return device.every((byte) => byte === 0)
}

function checkSlot(slot: number, profile: Profile): number {
  const count = slotCount(profile)
  checkInteger(slot, 'slot', [0, count - 1], badInput)
  return count
}
