/** Wraps, slots, pseudonyms and shares: what is bound, and what is refused. @module */
import { describe, expect, test } from 'vitest'
import type { Realm } from '../../src/base/brand.ts'
import { concatBytes, toBase64Url } from '../../src/base/bytes.ts'
import { encodeCbor } from '../../src/base/cbor.ts'
import { committingOpenPrepared, committingSealPrepared, type Sealed } from '../../src/crypto/committing.ts'
import { hkdfPrepare, mac } from '../../src/crypto/kdf.ts'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { needsHolder, needsQuorum, preparedCustody, slotCount } from '../../src/keys/custody.ts'
import { holderShare } from '../../src/keys/holder.ts'
import {
  decodeIndexRow,
  drawHandle,
  encodeIndexRow,
  type IndexPlace,
  indexRowKey,
  subjectTag,
} from '../../src/keys/pseudonym.ts'
import {
  addSlot,
  drawRecordSecret,
  type OuterKey,
  openWrap,
  rotateOuter,
  SLOT_BYTES,
  type WrapBinding,
  wrapSecret,
} from '../../src/keys/wraps.ts'
import * as reference from '../reference/keys.ts'
import { REALM } from './keys-support.ts'

await cryptoReady()

const filled = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value)
const input = expect.objectContaining({ code: 'ERR_KEYS_INPUT' })
const custodyKey = filled(32, 7)
const OPERATOR: WrapBinding = {
  realm: REALM,
  record: filled(16, 1),
  handle: filled(16, 2),
  generation: filled(20, 3),
  purpose: 'door',
  profile: 0,
  keyVersion: 1,
  devices: [],
}
const DEVICES = [11, 12, 13, 14].map((value) => filled(16, value))
const HOLDER: WrapBinding = { ...OPERATOR, profile: 2, devices: DEVICES }
const outer: OuterKey = { prepared: hkdfPrepare(filled(32, 9)), header: filled(80, 10) }

describe('custody', () => {
  test.each([
    [0, false, false, 1],
    [1, true, false, 1],
    [2, false, true, 4],
    [3, true, true, 4],
  ] as const)('profile %i: quorum %s, holder %s, %i slots', (profile, quorum, holder, slots) => {
    expect([needsQuorum(profile), needsHolder(profile), slotCount(profile)]).toEqual([quorum, holder, slots])
    const parts = {
      custodyKey,
      ...(quorum ? { quorum: filled(64, 1) } : {}),
      ...(holder ? { share: filled(32, 2) } : {}),
    }
    expect(preparedCustody(profile, parts)).toEqual(
      hkdfPrepare(reference.custodyIkm(custodyKey, parts.quorum, parts.share)),
    )
  })

  test('parts of the wrong length, and parts too many, are refused', () => {
    for (const [profile, parts] of [
      [0, { custodyKey: filled(31, 1) }],
      [0, { custodyKey, share: filled(32, 1) }],
      [0, { custodyKey, quorum: filled(64, 1) }],
      [1, { custodyKey, quorum: filled(63, 1) }],
      [1, { custodyKey, quorum: filled(64, 1), share: filled(32, 1) }],
      [2, { custodyKey, quorum: filled(64, 1), share: filled(32, 1) }],
      [2, { custodyKey, share: 'share' as unknown as Uint8Array }],
    ] as const) {
      expect(() => preparedCustody(profile, parts)).toThrow(input)
    }
  })
})

describe('wraps', () => {
  const custody = (): Uint8Array => preparedCustody(0, { custodyKey })

  test('every part of the binding counts', () => {
    const sealed = wrapSecret(drawRecordSecret(), { custody: custody(), binding: OPERATOR, outer })
    const others: WrapBinding[] = [
      { ...OPERATOR, realm: 'klinik' as Realm },
      { ...OPERATOR, record: filled(16, 9) },
      { ...OPERATOR, handle: filled(16, 9) },
      { ...OPERATOR, generation: filled(20, 9) },
      { ...OPERATOR, purpose: 'gate' },
      { ...OPERATOR, profile: 1 },
      { ...OPERATOR, keyVersion: 2 },
    ]
    for (const binding of others)
      expect(openWrap(sealed, { custody: custody(), binding, outer })).toBeUndefined()
    const header = { prepared: outer.prepared, header: filled(80, 11) }
    expect(openWrap(sealed, { custody: custody(), binding: OPERATOR, outer: header })).toBeUndefined()
    expect(
      openWrap(sealed, { custody: hkdfPrepare(filled(32, 1)), binding: OPERATOR, outer }),
    ).toBeUndefined()
    expect(openWrap(sealed, { custody: custody(), binding: OPERATOR, outer })?.slot).toBe(0)
  })

  test('every bit of the wrap counts', () => {
    const sealed = wrapSecret(drawRecordSecret(), { custody: custody(), binding: OPERATOR, outer })
    for (const part of ['nonce', 'commitment', 'ciphertext'] as const) {
      for (let bit = 0; bit < sealed[part].length * 8; bit++) {
        const flipped = Uint8Array.from(sealed[part])
        flipped[bit >> 3]! ^= 1 << (bit & 7)
        const altered: Sealed = { ...sealed, [part]: flipped }
        expect(openWrap(altered, { custody: custody(), binding: OPERATOR, outer })).toBeUndefined()
      }
    }
  })

  test('a wrap of another number of slots does not open', () => {
    const one = wrapSecret(drawRecordSecret(), { custody: custody(), binding: OPERATOR, outer })
    expect(rotateOuter(one, { profile: 2, from: outer, to: outer })).toBeUndefined()
    const rotated = rotateOuter(one, { profile: 0, from: outer, to: outer })
    expect(rotated?.ciphertext).toHaveLength(SLOT_BYTES + 16)
  })

  test('slots of unused devices are random, and each wrap is another', () => {
    const secret = drawRecordSecret()
    const share = preparedCustody(2, { custodyKey, share: filled(32, 1) })
    const slots = Array.from({ length: 2 }, () => {
      const sealed = wrapSecret(secret, { custody: share, binding: HOLDER, outer, slot: 3 })
      expect(sealed.ciphertext).toHaveLength(4 * SLOT_BYTES + 16)
      expect(openWrap(sealed, { custody: share, binding: HOLDER, outer })).toEqual({
        recordSecret: secret,
        slot: 3,
      })
      return committingOpenPrepared(outer.prepared, 'guise/v1/outer', outer.header, sealed) as Uint8Array
    })
    for (let slot = 0; slot < 4; slot++) {
      const [a, b] = slots.map((all) => all.subarray(slot * SLOT_BYTES, (slot + 1) * SLOT_BYTES))
      expect(a).not.toEqual(b)
      expect(a?.some((byte) => byte !== 0)).toBe(true)
    }
  })

  test('a slot moved to another place does not open there', () => {
    const share = preparedCustody(2, { custodyKey, share: filled(32, 1) })
    const sealed = wrapSecret(drawRecordSecret(), { custody: share, binding: HOLDER, outer })
    const slots = committingOpenPrepared(outer.prepared, 'guise/v1/outer', outer.header, sealed) as Uint8Array
    const moved = concatBytes(slots.subarray(SLOT_BYTES), slots.subarray(0, SLOT_BYTES))
    const planted = committingSealPrepared(outer.prepared, 'guise/v1/outer', outer.header, moved)
    expect(openWrap(planted, { custody: share, binding: HOLDER, outer })).toBeUndefined()
  })

  test('arguments out of range are refused', () => {
    const good = { custody: custody(), binding: OPERATOR, outer }
    expect(() => wrapSecret(filled(31, 1), good)).toThrow(input)
    expect(() => wrapSecret(filled(32, 1), { ...good, slot: 1 })).toThrow(input)
    expect(() => wrapSecret(filled(32, 1), { ...good, binding: HOLDER, slot: 4 })).toThrow(input)
    const sealed = wrapSecret(filled(32, 1), good)
    const change = { binding: OPERATOR, from: outer, to: outer, present: custody(), added: custody() }
    expect(() => addSlot(sealed, { ...change, device: filled(16, 1), slot: 1 })).toThrow(input)
    const free = { ...HOLDER, devices: DEVICES.map(() => filled(16, 0)) }
    expect(() => wrapSecret(filled(32, 1), { ...good, binding: free })).toThrow(input)
    for (const device of [filled(15, 1), filled(17, 1), filled(16, 0)])
      expect(() => addSlot(sealed, { ...change, device, slot: 0 })).toThrow(input)
  })

  test('a change of devices under the wrong epoch opens nothing', () => {
    const share = preparedCustody(2, { custodyKey, share: filled(32, 1) })
    const sealed = wrapSecret(filled(32, 1), { custody: share, binding: HOLDER, outer })
    const from = { prepared: hkdfPrepare(filled(32, 1)), header: outer.header }
    const device = filled(16, 12)
    const change = { binding: HOLDER, from, to: outer, present: share, added: share, device, slot: 1 }
    expect(addSlot(sealed, change)).toBeUndefined()
  })

  test('a device is added while the wrap moves to another epoch', () => {
    const secret = drawRecordSecret()
    const [first, second] = [1, 2].map((n) => preparedCustody(2, { custodyKey, share: filled(32, n) })) as [
      Uint8Array,
      Uint8Array,
    ]
    const sealed = wrapSecret(secret, { custody: first, binding: HOLDER, outer })
    const to = { prepared: hkdfPrepare(filled(32, 44)), header: filled(80, 45) }
    const moved = addSlot(sealed, {
      binding: HOLDER,
      from: outer,
      to,
      present: first,
      added: second,
      device: filled(16, 14),
      slot: 3,
    })
    if (moved === undefined) throw new Error('it did not open')
    expect(openWrap(moved, { custody: second, binding: HOLDER, outer: to })).toEqual({
      recordSecret: secret,
      slot: 3,
    })
    expect(openWrap(moved, { custody: first, binding: HOLDER, outer: to })).toEqual({
      recordSecret: secret,
      slot: 0,
    })
  })
})

describe('pseudonyms', () => {
  const indexKey = filled(32, 5)
  const handle = filled(16, 6)

  function place(change: Partial<IndexPlace> = {}): IndexPlace {
    return { realm: REALM, version: 1, tag: subjectTag(indexKey, 'ada'), ...change }
  }

  const refused = expect.objectContaining({ code: 'ERR_KEYS_INDEX' })

  test('a row lies under prefix, version and tag', () => {
    const key = indexRowKey(place({ version: 258 }))
    expect(key).toEqual(
      concatBytes(
        Uint8Array.of(6),
        new TextEncoder().encode('clinic'),
        Uint8Array.of(0, 0, 1, 2),
        place().tag,
      ),
    )
  })

  test('a row opens at its own place only', () => {
    const row = encodeIndexRow(place(), indexKey, handle)
    expect(decodeIndexRow(row, place(), indexKey)).toEqual(handle)
    expect(() => decodeIndexRow(row, place({ tag: subjectTag(indexKey, 'bob') }), indexKey)).toThrow(refused)
    expect(() => decodeIndexRow(row, place({ version: 2 }), indexKey)).toThrow(refused)
    expect(() => decodeIndexRow(row, place({ realm: 'klinik' as Realm }), indexKey)).toThrow(refused)
    expect(() => decodeIndexRow(row, place(), filled(32, 1))).toThrow(refused)
  })

  test('every bit of a row counts, and so does its length', () => {
    const row = encodeIndexRow(place(), indexKey, handle)
    for (let bit = 0; bit < row.length * 8; bit++) {
      const flipped = Uint8Array.from(row)
      flipped[bit >> 3]! ^= 1 << (bit & 7)
      expect(() => decodeIndexRow(flipped, place(), indexKey)).toThrow(refused)
    }
    for (let length = 0; length < row.length; length++) {
      expect(() => decodeIndexRow(row.slice(0, length), place(), indexKey)).toThrow(refused)
    }
    expect(() => decodeIndexRow(filled(200, 0), place(), indexKey)).toThrow(refused)
  })

  test.each([
    ['another format', [2, 5, REALM, 1, handle]],
    ['another kind', [1, 4, REALM, 1, handle]],
    ['another realm', [1, 5, 'klinik', 1, handle]],
    ['another version', [1, 5, REALM, 2, handle]],
    ['a short handle', [1, 5, REALM, 1, filled(15, 6)]],
    ['another arity', [1, 5, REALM, 1, handle, 0]],
  ] as const)('a row with the right tag and %s is refused', (_, items) => {
    const body = encodeCbor(items)
    const tag = mac(indexKey, concatBytes(Uint8Array.of(2), place().tag, body))
    expect(() => decodeIndexRow(concatBytes(body, tag), place(), indexKey)).toThrow(refused)
  })

  test('a handle is never the sixteen bytes that no subject has', () => {
    const draws = [filled(16, 0xff), filled(16, 0xff), filled(16, 1)]
    expect(drawHandle(() => draws.shift() as Uint8Array)).toEqual(filled(16, 1))
    expect(drawHandle()).toHaveLength(16)
    expect(drawHandle()).not.toEqual(drawHandle())
  })
})

describe('holder share', () => {
  const context = { realm: 'clinic', record: filled(16, 1), generation: filled(20, 2) }

  test('a record may be named by its text', () => {
    const record = toBase64Url(context.record)
    expect(holderShare(filled(32, 1), { ...context, record })).toEqual(holderShare(filled(32, 1), context))
  })

  test('long device secrets count to their last byte', () => {
    const secret = filled(1024, 1)
    const before = holderShare(secret, context)
    secret[1023] = 2
    expect(holderShare(secret, context)).not.toEqual(before)
  })

  test('arguments out of range are refused', () => {
    expect(() => holderShare(filled(31, 1), context)).toThrow(input)
    expect(() => holderShare(filled(1025, 1), context)).toThrow(input)
    expect(() => holderShare('secret' as unknown as Uint8Array, context)).toThrow(input)
    expect(() => holderShare(filled(32, 1), { ...context, realm: 'Clinic' })).toThrow(input)
    expect(() => holderShare(filled(32, 1), { ...context, record: filled(15, 1) })).toThrow(input)
    expect(() => holderShare(filled(32, 1), { ...context, record: 'not base64!' })).toThrow(input)
    expect(() => holderShare(filled(32, 1), { ...context, record: toBase64Url(filled(15, 1)) })).toThrow(
      input,
    )
    expect(() => holderShare(filled(32, 1), { ...context, generation: filled(16, 1) })).toThrow(input)
  })
})
