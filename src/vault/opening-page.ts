/** Members to open, packed into one buffer that goes to a thread and comes back (SPEC §16.4). @module */

import { secretBytes, wipe } from '../base/bytes.ts'
import { giveRoom, takeRoom } from '../base/room.ts'
import { PREPARED_BYTES } from '../crypto/kdf.ts'
import type { GalleryProfile } from '../gallery/declaration.ts'
import { MemberReader, openMember } from '../gallery/member-row.ts'
import { openWrap, RECORD_SECRET_BYTES } from '../keys/wraps.ts'
import { decodeSecretRow } from '../record/secret-row.ts'

/** A member and the wrap of its record secret, as the rows lie in the store. */
export interface PageItem {
  readonly handle: Uint8Array
  readonly number: number
  readonly slot: number
  readonly member: Uint8Array
  readonly wrap: Uint8Array
}

/** The keys that a page is opened with: of one epoch, and of one version of the realm's keys. Prepared, borrowed. */
export interface PageKeys {
  readonly epoch: number
  readonly epochKey: Uint8Array
  readonly keyVersion: number
  readonly custodyKey: Uint8Array
}

/** What the members of a page have in common. */
export interface PageSetting {
  readonly profile: GalleryProfile
  /** Of the templates: the wraps are bound to it. */
  readonly purpose: string
}

const HEAD_WORDS = 4
const KEYS_AT = 4 * HEAD_WORDS
const ITEMS_AT = KEYS_AT + 2 * PREPARED_BYTES
const HANDLE_BYTES = 16
/** Opened or not, number, slot, where the rows lie, length of the one and of the other. */
const ITEM_WORDS = 6
const ITEM_BYTES = 4 * ITEM_WORDS + HANDLE_BYTES
/** Custody of everybody in a gallery. */
const OPERATOR = 0
const NO_DEVICES: readonly Uint8Array[] = []

/** Packs a page; the caller's keys are copied, and wiped by whoever opens it. */
export function packPage(items: readonly PageItem[], keys: PageKeys, codeBytes: number): ArrayBuffer {
  let next = ITEMS_AT + items.length * (ITEM_BYTES + codeBytes)
  let length = next
  for (const { member, wrap } of items) length += member.length + wrap.length
  const bytes = new Uint8Array(new ArrayBuffer(length))
  wordsOf(bytes.buffer, 0).set([items.length, keys.epoch, keys.keyVersion, 0])
  bytes.set(keys.epochKey, KEYS_AT)
  bytes.set(keys.custodyKey, KEYS_AT + PREPARED_BYTES)
  const words = wordsOf(bytes.buffer, items.length)
  for (const [i, { handle, number, slot, member, wrap }] of items.entries()) {
    const at = ITEMS_AT + i * ITEM_BYTES
    const word = at / 4
    words[word + 1] = number
    words[word + 2] = slot
    words[word + 3] = next
    words[word + 4] = member.length
    words[word + 5] = wrap.length
    bytes.set(handle, at + 4 * ITEM_WORDS)
    bytes.set(member, next)
    bytes.set(wrap, next + member.length)
    next += member.length + wrap.length
  }
  return bytes.buffer
}

/** Opens what opens, leaves the codes in the page, and wipes the keys. Whatever does not open is left to the vault. */
export function openPage(page: ArrayBuffer, { profile, purpose }: PageSetting): void {
  const bytes = new Uint8Array(page)
  const [count = 0, epoch = 0, keyVersion = 0] = wordsOf(page, 0)
  const words = wordsOf(page, count)
  const reader = new MemberReader(profile)
  const codeBytes = profile.bits / 8
  const codesAt = ITEMS_AT + count * ITEM_BYTES
  const prepared = bytes.subarray(KEYS_AT, KEYS_AT + PREPARED_BYTES)
  const custody = bytes.subarray(KEYS_AT + PREPARED_BYTES, ITEMS_AT)
  const opening = { epoch, keyVersion, prepared, custody, purpose }
  try {
    for (let i = 0; i < count; i++) {
      const at = ITEMS_AT + i * ITEM_BYTES
      const word = at / 4
      const from = words[word + 3] as number
      const wrapAt = from + (words[word + 4] as number)
      const codeAt = codesAt + i * codeBytes
      const item = {
        handle: bytes.subarray(at + 4 * ITEM_WORDS, at + ITEM_BYTES),
        number: words[word + 1] as number,
        slot: words[word + 2] as number,
        member: bytes.subarray(from, wrapAt),
        wrap: bytes.subarray(wrapAt, wrapAt + (words[word + 5] as number)),
      }
      if (openItem(reader, item, opening, bytes.subarray(codeAt, codeAt + codeBytes))) words[word] = 1
    }
  } finally {
    wipe(prepared, custody)
  }
}

/**
 * The codes of an opened page, by item, `undefined` for what did not open; windows on one buffer off the heap, the caller wipes
 * them. Wipes the page.
 */
export function unpackPage(page: ArrayBuffer, codeBytes: number): readonly (Uint8Array | undefined)[] {
  const bytes = new Uint8Array(page)
  const [count = 0] = wordsOf(page, 0)
  const words = wordsOf(page, count)
  const codesAt = ITEMS_AT + count * ITEM_BYTES
  const opened = secretBytes(count * codeBytes)
  opened.set(bytes.subarray(codesAt, codesAt + opened.length))
  const codes: (Uint8Array | undefined)[] = []
  for (let i = 0; i < count; i++) {
    const from = i * codeBytes
    const isOpen = words[(ITEMS_AT + i * ITEM_BYTES) / 4] === 1
    codes.push(isOpen ? opened.subarray(from, from + codeBytes) : undefined)
  }
  bytes.fill(0)
  return codes
}

/** Head and items of a page as words. */
function wordsOf(page: ArrayBuffer, items: number): Uint32Array {
  return new Uint32Array(page, 0, items === 0 ? HEAD_WORDS : (ITEMS_AT + items * ITEM_BYTES) / 4)
}

/** The keys and the places of one item. */
interface Opening {
  readonly epoch: number
  readonly keyVersion: number
  readonly prepared: Uint8Array
  readonly custody: Uint8Array
  readonly purpose: string
}

/** Opens a member's code into `room`; false for whatever is not quite as it should be, which the vault then looks into. */
function openItem(
  reader: MemberReader,
  item: PageItem,
  opening: Opening,
  room: Uint8Array<ArrayBuffer>,
): boolean {
  const { epoch, keyVersion, prepared, custody, purpose } = opening
  const secretRoom = takeRoom(RECORD_SECRET_BYTES)
  try {
    const row = reader.read(item.member, item.handle)
    const wrap = decodeSecretRow(item.wrap, row.name)
    const fits = row.number === item.number && row.slot === item.slot && wrap.profile === OPERATOR
    if (!fits || wrap.epoch !== epoch || wrap.keyVersion !== keyVersion) return false
    const { realm, record, handle, generation } = row.name
    const binding = {
      realm,
      record,
      handle,
      generation,
      purpose,
      profile: OPERATOR,
      keyVersion,
      devices: NO_DEVICES,
    } as const
    const outer = { prepared, header: wrap.header }
    const opened = openWrap(wrap, { custody, binding, outer, room: secretRoom })
    if (opened === undefined) return false
    openMember(row, opened.recordSecret, room)
    return true
  } catch {
    return false
  } finally {
    giveRoom(secretRoom)
  }
}
