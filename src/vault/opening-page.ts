/** Members to open, packed into one buffer that goes to a thread and comes back (SPEC §16.4). @module */

import { concatBytes, wipe } from '../base/bytes.ts'
import { PREPARED_BYTES } from '../crypto/kdf.ts'
import type { GalleryProfile } from '../gallery/declaration.ts'
import { MemberReader, openMember } from '../gallery/member-row.ts'
import { openWrap } from '../keys/wraps.ts'
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
const ITEM_WORDS = 6
const ITEM_BYTES = 4 * ITEM_WORDS + HANDLE_BYTES
/** Custody of everybody in a gallery. */
const OPERATOR = 0

/** Packs a page; the caller's keys are copied, and wiped by whoever opens it. */
export function packPage(items: readonly PageItem[], keys: PageKeys, codeBytes: number): ArrayBuffer {
  let length = ITEMS_AT + items.length * (ITEM_BYTES + codeBytes)
  for (const { member, wrap } of items) length += member.length + wrap.length
  const bytes = new Uint8Array(new ArrayBuffer(length))
  new Uint32Array(bytes.buffer, 0, HEAD_WORDS).set([items.length, keys.epoch, keys.keyVersion, 0])
  bytes.set(keys.epochKey, KEYS_AT)
  bytes.set(keys.custodyKey, KEYS_AT + PREPARED_BYTES)
  let next = ITEMS_AT + items.length * (ITEM_BYTES + codeBytes)
  for (const [i, { handle, number, slot, member, wrap }] of items.entries()) {
    const at = ITEMS_AT + i * ITEM_BYTES
    const words = new Uint32Array(bytes.buffer, at, ITEM_WORDS)
    words.set([0, number, slot, next, member.length, wrap.length])
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
  const [count = 0, epoch = 0, keyVersion = 0] = new Uint32Array(page, 0, HEAD_WORDS)
  const reader = new MemberReader(profile)
  const codeBytes = profile.bits / 8
  const codesAt = ITEMS_AT + count * ITEM_BYTES
  const prepared = bytes.subarray(KEYS_AT, KEYS_AT + PREPARED_BYTES)
  const custody = bytes.subarray(KEYS_AT + PREPARED_BYTES, ITEMS_AT)
  try {
    for (let i = 0; i < count; i++) {
      const at = ITEMS_AT + i * ITEM_BYTES
      const words = new Uint32Array(page, at, ITEM_WORDS)
      const [, number = 0, slot = 0, from = 0, memberBytes = 0, wrapBytes = 0] = words
      const handle = bytes.subarray(at + 4 * ITEM_WORDS, at + ITEM_BYTES)
      const wrapAt = from + memberBytes
      const rows = { member: bytes.subarray(from, wrapAt), wrap: bytes.subarray(wrapAt, wrapAt + wrapBytes) }
      const code = openItem(
        reader,
        { ...rows, handle, number, slot },
        { epoch, keyVersion, prepared, custody, purpose },
      )
      if (code === undefined) continue
      bytes.set(code, codesAt + i * codeBytes)
      wipe(code)
      words[0] = 1
    }
  } finally {
    wipe(prepared, custody)
  }
}

/** The codes of an opened page, by item, `undefined` for what did not open; off the heap, the caller wipes them. Wipes the page. */
export function unpackPage(page: ArrayBuffer, codeBytes: number): readonly (Uint8Array | undefined)[] {
  const bytes = new Uint8Array(page)
  const [count = 0] = new Uint32Array(page, 0, HEAD_WORDS)
  const codesAt = ITEMS_AT + count * ITEM_BYTES
  const codes = Array.from({ length: count }, (_, i) => {
    if (new Uint32Array(page, ITEMS_AT + i * ITEM_BYTES, 1)[0] !== 1) return undefined
    const from = codesAt + i * codeBytes
    return concatBytes(bytes.subarray(from, from + codeBytes))
  })
  bytes.fill(0)
  return codes
}

/** The keys and the places of one item. */
interface Opening {
  readonly epoch: number
  readonly keyVersion: number
  readonly prepared: Uint8Array
  readonly custody: Uint8Array
  readonly purpose: string
}

/** The code of a member; `undefined` for whatever is not quite as it should be, which the vault then looks into. */
function openItem(reader: MemberReader, item: PageItem, opening: Opening): Uint8Array | undefined {
  const { epoch, keyVersion, prepared, custody, purpose } = opening
  try {
    const row = reader.read(item.member, item.handle)
    const wrap = decodeSecretRow(item.wrap, row.name)
    const fits = row.number === item.number && row.slot === item.slot && wrap.profile === OPERATOR
    if (!fits || wrap.epoch !== epoch || wrap.keyVersion !== keyVersion) return undefined
    const binding = { ...row.name, purpose, profile: OPERATOR, keyVersion, devices: [] } as const
    const opened = openWrap(wrap, { custody, binding, outer: { prepared, header: wrap.header } })
    if (opened === undefined) return undefined
    try {
      return openMember(row, opened.recordSecret)
    } finally {
      wipe(opened.recordSecret)
    }
  } catch {
    return undefined
  }
}
