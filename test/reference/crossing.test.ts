/** What one seals the other opens; what one writes the other reads, and refuses, alike (SPEC §2, §4, §8, §9). @module */
import { beforeAll, describe, expect, test } from 'vitest'
import type { Realm } from '../../src/base/brand.ts'
import { decodeCbor, encodeCbor } from '../../src/base/cbor.ts'
import { GuiseError } from '../../src/base/errors.ts'
import { checkRealm, checkSubject } from '../../src/base/identifier.ts'
import { committingOpen, committingSeal } from '../../src/crypto/committing.ts'
import { hkdfPrepare } from '../../src/crypto/kdf.ts'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { checkModel } from '../../src/embedding/model.ts'
import { type Profile, preparedCustody, slotCount } from '../../src/keys/custody.ts'
import { holderShare } from '../../src/keys/holder.ts'
import { subjectTag } from '../../src/keys/pseudonym.ts'
import { RealmKeys } from '../../src/keys/realm-keys.ts'
import { openWrap, rotateOuter, wrapSecret } from '../../src/keys/wraps.ts'
import { openCode, sealCode } from '../../src/seal/code.ts'
import { Random } from './agreement.ts'
import { hex } from './bytes.ts'
import { decode, encode, type Value } from './cbor.ts'
import { isModelId, isRealm, isSubject } from './identifiers.ts'
import * as plainKeys from './keys.ts'
import * as plainSeal from './seal.ts'

beforeAll(cryptoReady)

class Rejected extends GuiseError {
  readonly code = 'ERR_TEST_REJECTED'
}

const reject = (why: string): Rejected => new Rejected(why)
const REALM = 'example' as Realm

function refuses(call: () => unknown): boolean {
  try {
    call()
    return false
  } catch {
    return true
  }
}

describe('seals', () => {
  test('200 seals open on the other side, and no longer after one flipped bit', () => {
    const random = new Random(1)
    for (let i = 0; i < 200; i++) {
      const k = random.bytes(32 + random.below(100))
      const label = `guise/v1/${i}`
      const aad = random.bytes(random.below(200))
      const plaintext = random.bytes(random.below(450))
      const theirs = committingSeal(k, label, aad, plaintext)
      expect(hex(plainSeal.open(k, label, aad, theirs))).toBe(hex(plaintext))
      expect(plainSeal.seal(k, label, aad, plaintext, theirs.nonce)).toEqual(theirs)
      const ours = plainSeal.seal(k, label, aad, plaintext, random.bytes(24))
      expect(hex(committingOpen(k, label, aad, ours) ?? new Uint8Array(1))).toBe(hex(plaintext))
      const part = (['nonce', 'commitment', 'ciphertext'] as const)[random.below(3)] ?? 'nonce'
      const at = random.below(ours[part].length)
      const bent = {
        ...ours,
        [part]: ours[part].map((byte, j) => (j === at ? byte ^ (1 << random.below(8)) : byte)),
      }
      expect(committingOpen(k, label, aad, bent)).toBeUndefined()
      expect(refuses(() => plainSeal.open(k, label, aad, bent))).toBe(true)
    }
  })

  test('100 codes', () => {
    const random = new Random(2)
    for (let i = 0; i < 100; i++) {
      const rs = random.bytes(32)
      const header = random.bytes(100 + random.below(100))
      const code = random.bytes(8 << random.below(5))
      let rotationKey = ''
      const theirs = sealCode(rs, header, (key) => {
        rotationKey = hex(key)
        return Uint8Array.from(code)
      })
      expect(hex(plainSeal.recordOpen(rs, header, theirs))).toBe(hex(code))
      expect(hex(plainSeal.recordKeys(rs, theirs.nonce, header).rotationKey)).toBe(rotationKey)
      const ours = plainSeal.recordSeal(rs, header, code, random.bytes(24))
      expect(openCode(rs, header, ours, code.length, (opened) => hex(opened))).toBe(hex(code))
    }
  })
})

describe('wraps', () => {
  const NONE = new Uint8Array(0)

  test.each([0, 1, 2, 3] as const)(
    'profile %i: wrapped, rotated and opened on both sides',
    (profile: Profile) => {
      const random = new Random(10 + profile)
      for (let i = 0; i < 25; i++) {
        const [record, handle, generation] = [random.bytes(16), random.bytes(16), random.bytes(20)]
        const names = { realm: REALM, record, handle, generation, purpose: 'access', profile }
        const custodyKey = random.bytes(32)
        const quorum = profile % 2 === 1 ? random.bytes(64) : undefined
        const share = profile >= 2 ? random.bytes(32) : undefined
        const custody = preparedCustody(profile, { custodyKey, quorum, share })
        const ikm = plainKeys.custodyIkm(custodyKey, quorum, share)
        const [oldKey, newKey, oldHeader, newHeader] = [
          random.bytes(32),
          random.bytes(32),
          random.bytes(80),
          random.bytes(80),
        ]
        const from = { prepared: hkdfPrepare(oldKey), header: oldHeader }
        const to = { prepared: hkdfPrepare(newKey), header: newHeader }
        const slot = random.below(slotCount(profile))
        const devices = profile >= 2 ? [0, 1, 2, 3].map(() => random.bytes(16)) : []
        const binding = { ...names, keyVersion: 1 + i, devices }
        const rs = random.bytes(32)
        const wrapped = wrapSecret(rs, { custody, binding, slot, outer: from })
        const slots = plainKeys.openOuter(oldKey, oldHeader, wrapped)
        expect(slots).toHaveLength(104 * plainKeys.slotCount(profile))
        const place = { ...names, v: 1 + i, devices }
        expect(hex(plainKeys.openSlot(ikm, place, slot, slots.slice(104 * slot, 104 * slot + 104)))).toBe(
          hex(rs),
        )
        const rotated = rotateOuter(wrapped, { profile, from, to })
        if (rotated === undefined) throw new Error('rotation did not open the wrap')
        expect(hex(plainKeys.openOuter(newKey, newHeader, rotated))).toBe(hex(slots))

        const plainSlots = random.bytes(104 * plainKeys.slotCount(profile))
        plainSlots.set(plainKeys.sealSlot(ikm, place, slot, rs, random.bytes(24)), 104 * slot)
        const plainWrap = plainKeys.sealOuter(oldKey, oldHeader, plainSlots, random.bytes(24))
        const opened = openWrap(plainWrap, { custody, binding, outer: from })
        expect([opened?.slot, hex(opened?.recordSecret ?? NONE)]).toEqual([slot, hex(rs)])
      }
    },
  )
})

test('realm keys, tags and holder shares of random secrets', () => {
  const random = new Random(20)
  for (let i = 1; i <= 50; i++) {
    const secret = random.bytes(32)
    const v = 1 + random.below(2 ** 20)
    const keys = new RealmKeys(REALM, v, secret)
    const plain = plainKeys.realmKeys(secret, REALM, v)
    for (const name of ['index', 'custody', 'state', 'limiter', 'ring', 'receipt'] as const)
      expect(hex(keys[name])).toBe(hex(plain[name]))
    const subject = String.fromCodePoint(
      ...Array.from({ length: 1 + random.below(40) }, () => 1 + random.below(0xd7ff)),
    )
    expect(hex(subjectTag(plain.index, subject))).toBe(hex(plainKeys.subjectTag(plain.index, subject)))
    const device = random.bytes(32 + random.below(64))
    const [record, generation] = [random.bytes(16), random.bytes(20)]
    expect(hex(holderShare(device, { realm: REALM, record, generation }))).toBe(
      hex(plainKeys.holderShare(device, REALM, record, generation)),
    )
  }
})

test('20,000 texts: both accept the same realms, models and subjects', () => {
  const random = new Random(30)
  const alphabet = [...Array.from('az09.-_@A /\n\u0000éı'), '\ud800', '\udfff', '😀']
  const accepted = { realm: 0, model: 0, subject: 0 }
  for (let i = 0; i < 20_000; i++) {
    // Mostly short and plain, so that many are accepted; now and then as long as the bounds.
    const wild = random.below(4) === 0 ? alphabet.length : 8
    const length = random.below(20) === 0 ? 60 + random.below(240) : random.below(8)
    const text = Array.from({ length }, () => alphabet[random.below(wild)]).join('')
    const verdicts = {
      realm: [isRealm(text), !refuses(() => checkRealm(text, reject))],
      model: [isModelId(text), !refuses(() => checkModel({ id: text, dimensions: 64, metric: 'cosine' }))],
      subject: [isSubject(text), !refuses(() => checkSubject(text, reject))],
    }
    for (const [kind, [plainly, found]] of Object.entries(verdicts)) {
      expect(found, `${kind} ${JSON.stringify(text)}`).toBe(plainly)
      if (found === true) accepted[kind as keyof typeof accepted]++
    }
  }
  for (const count of Object.values(accepted)) expect(count).toBeGreaterThan(300)
})

describe('CBOR', () => {
  function randomValue(random: Random, depth = 0): Value {
    const kind = random.below(depth < 3 ? 8 : 6)
    if (kind === 0) return random.below(2) === 0
    if (kind === 1) return null
    if (kind === 2) return random.below(300)
    if (kind === 3) return Math.floor(random.next() * 2 ** random.below(54))
    if (kind === 4) return random.bytes(random.below(30))
    if (kind === 5)
      return String.fromCodePoint(...Array.from({ length: random.below(8) }, () => random.below(0xd800)))
    return Array.from({ length: random.below(6) }, () => randomValue(random, depth + 1))
  }

  test('5,000 values have the same bytes, and 20,000 damaged ones the same fate', () => {
    const random = new Random(40)
    let accepted = 0
    for (let i = 0; i < 5000; i++) {
      const value = randomValue(random)
      const bytes = encode(value)
      expect(hex(encodeCbor(value))).toBe(hex(bytes))
      expect(hex(encodeCbor(decodeCbor(bytes, 4096, reject)))).toBe(hex(bytes))
      for (let damage = 0; damage < 4; damage++) {
        const at = random.below(bytes.length + 1)
        const bent = [
          (): Uint8Array => bytes.map((byte, j) => (j === at ? random.below(256) : byte)),
          (): Uint8Array => bytes.slice(0, at),
          (): Uint8Array => Uint8Array.from([...bytes.slice(0, at), random.below(256), ...bytes.slice(at)]),
          (): Uint8Array => random.bytes(1 + random.below(12)),
        ][damage]?.() as Uint8Array
        const plainly = refuses(() => decode(bent, 4096))
        if (!plainly) accepted++
        expect(
          refuses(() => decodeCbor(bent, 4096, reject)),
          hex(bent),
        ).toBe(plainly)
      }
    }
    expect(accepted).toBeGreaterThan(1000)
  })
})
