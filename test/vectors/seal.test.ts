/** Keys and seals against the vectors (SPEC §4, §8). @module */
import { beforeAll, describe, expect, test } from 'vitest'
import type { Realm } from '../../src/base/brand.ts'
import { aeadDecrypt } from '../../src/crypto/aead.ts'
import {
  committingOpen,
  committingOpenPrepared,
  committingSealPrepared,
} from '../../src/crypto/committing.ts'
import { hkdf, hkdfPrepare } from '../../src/crypto/kdf.ts'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { type Profile, preparedCustody, slotCount } from '../../src/keys/custody.ts'
import { holderShare } from '../../src/keys/holder.ts'
import { epochContext, realmContext } from '../../src/keys/provider.ts'
import { subjectTag } from '../../src/keys/pseudonym.ts'
import { RealmKeys } from '../../src/keys/realm-keys.ts'
import { openWrap } from '../../src/keys/wraps.ts'
import { openCode } from '../../src/seal/code.ts'
import { concat, lp } from '../reference/bytes.ts'
import keyFile from './keys.json' with { type: 'json' }
import { expectRefused, hex, unhex } from './read.ts'
import sealFile from './seal.json' with { type: 'json' }

beforeAll(cryptoReady)

/** All fields are text or numbers; each test reads those of its kind. */
type Vector = Readonly<Record<string, string>> & { readonly [field: string]: unknown }

const list = (vectors: readonly unknown[], field: string, value: string): Vector[] =>
  (vectors as unknown as Vector[]).filter((vector) => vector[field] === value)
const bytes = (vector: Vector, field: string): Uint8Array => unhex(String(vector[field]))
const sealedOf = (vector: Vector): { nonce: Uint8Array; commitment: Uint8Array; ciphertext: Uint8Array } => ({
  nonce: bytes(vector, 'nonce'),
  commitment: bytes(vector, 'commitment'),
  ciphertext: bytes(vector, 'ciphertext'),
})

describe('seal', () => {
  const open = (vector: Vector): Uint8Array | undefined =>
    committingOpen(bytes(vector, 'k'), String(vector['label']), bytes(vector, 'aad'), sealedOf(vector))

  test.each(list(sealFile.positive, 'procedure', 'seal'))('opens $name', (vector) => {
    const plaintext = open(vector)
    expect(plaintext === undefined ? undefined : hex(plaintext)).toBe(vector['plaintext'])
    const info = concat(lp(String(vector['label'])), bytes(vector, 'nonce'), bytes(vector, 'aad'))
    expect(hex(hkdf(bytes(vector, 'k'), info, 64))).toBe(vector['okm'])
  })

  test.each(list(sealFile.negative, 'procedure', 'seal'))('does not open: $name', (vector) => {
    expect(open(vector)).toBeUndefined()
    if (vector['bareKey'] === undefined) return
    const { nonce, ciphertext } = sealedOf(vector)
    expect(aeadDecrypt(bytes(vector, 'bareKey'), nonce, bytes(vector, 'aad'), ciphertext)).toBeDefined()
  })

  const openRecord = (vector: Vector, length: number): [string, string] =>
    openCode(
      bytes(vector, 'recordSecret'),
      bytes(vector, 'header'),
      sealedOf(vector),
      length,
      (code, rotationKey) => [hex(code), hex(rotationKey)],
    )

  test.each(list(sealFile.positive, 'procedure', 'record'))('opens $name', (vector) => {
    expect(openRecord(vector, bytes(vector, 'code').length)).toEqual([vector['code'], vector['rotationKey']])
  })

  test.each(list(sealFile.negative, 'procedure', 'record'))('does not open: $name', (vector) => {
    expectRefused(() => openRecord(vector, 64), String(vector['code']), String(vector['name']))
  })
})

interface Context {
  readonly realm: Realm
  readonly record: string
  readonly handle: string
  readonly generation: string
  readonly purpose: string
  readonly profile: Profile
  readonly v: number
  readonly devices: readonly string[]
}

/** Puts the slot where it says, under an outer wrap of its own, and opens both. */
function throughWrap(vector: Vector): { recordSecret: string; slot: number } | undefined {
  const context = vector['context'] as unknown as Context
  const slot = vector['slot'] as unknown as number
  const pieces = Array.from({ length: slotCount(context.profile) }, (_, i) =>
    i === slot ? bytes(vector, 'sealed') : new Uint8Array(104).fill(i),
  )
  const outer = { prepared: hkdfPrepare(new Uint8Array(32).fill(7)), header: Uint8Array.of(1, 2, 3) }
  const wrapped = committingSealPrepared(outer.prepared, 'guise/v1/outer', outer.header, concat(...pieces))
  const opened = openWrap(wrapped, {
    custody: hkdfPrepare(bytes(vector, 'ikm')),
    outer,
    binding: {
      realm: context.realm,
      record: unhex(context.record),
      handle: unhex(context.handle),
      generation: unhex(context.generation),
      purpose: context.purpose,
      profile: context.profile,
      keyVersion: context.v,
      devices: context.devices.map(unhex),
    },
  })
  return opened === undefined ? undefined : { recordSecret: hex(opened.recordSecret), slot: opened.slot }
}

describe('keys', () => {
  test.each(list(keyFile.positive, 'what', 'realm keys'))('$name', (vector) => {
    const keys = new RealmKeys(vector['realm'] as Realm, Number(vector['v']), bytes(vector, 'secret'))
    const { index, custody, state, limiter, ring, receipt, log, part, capture } = keys
    const found = Object.entries({ index, custody, state, limiter, ring, receipt, log, part, capture })
    expect(Object.fromEntries(found.map(([name, key]) => [name, hex(key)]))).toEqual(vector['keys'])
  })

  test.each(list(keyFile.positive, 'what', 'context'))('$name', (vector) => {
    const context = vector['kind'] === 'epoch' ? epochContext : realmContext
    expect(hex(context(vector['realm'] as Realm, Number(vector['number'])))).toBe(vector['context'])
  })

  const partsOf = (vector: Vector): Parameters<typeof preparedCustody>[1] => ({
    custodyKey: bytes(vector, 'custody'),
    quorum: vector['quorum'] === null ? undefined : bytes(vector, 'quorum'),
    share: vector['share'] === null ? undefined : bytes(vector, 'share'),
  })

  test.each(list(keyFile.positive, 'what', 'custody-ikm'))('$name', (vector) => {
    const profile = ['operator', 'quorum', 'holder', 'quorum+holder'].indexOf(
      String(vector['profile']),
    ) as Profile
    expect(hex(preparedCustody(profile, partsOf(vector)))).toBe(hex(hkdfPrepare(bytes(vector, 'ikm'))))
    for (const part of ['quorum', 'share'] as const) {
      if (vector[part] === null) continue
      expectRefused(
        () => preparedCustody(profile, { ...partsOf(vector), [part]: undefined }),
        'ERR_KEYS_MISSING',
        part,
      )
    }
  })

  test.each(list(keyFile.negative, 'what', 'custody-ikm'))('refuses $name', (vector) => {
    expectRefused(() => preparedCustody(2, partsOf(vector)), null, String(vector['name']))
  })

  test.each(list(keyFile.positive, 'what', 'slot'))('opens $name', (vector) => {
    expect(throughWrap(vector)).toEqual({ recordSecret: vector['recordSecret'], slot: vector['slot'] })
  })

  test.each(list(keyFile.negative, 'what', 'slot'))('does not open $name', (vector) => {
    expect(throughWrap(vector)).toBeUndefined()
  })

  const openOuter = (vector: Vector): Uint8Array | undefined => {
    const prepared = hkdfPrepare(bytes(vector, 'epochKey'))
    return committingOpenPrepared(prepared, 'guise/v1/outer', bytes(vector, 'header'), sealedOf(vector))
  }

  test.each(list(keyFile.positive, 'what', 'outer'))('opens $name', (vector) => {
    const slots = openOuter(vector)
    expect(slots === undefined ? undefined : hex(slots)).toBe(vector['slots'])
  })

  test.each(list(keyFile.negative, 'what', 'outer'))('does not open $name', (vector) => {
    expect(openOuter(vector)).toBeUndefined()
  })

  test.each(list(keyFile.positive, 'what', 'holder share'))('$name', (vector) => {
    const share = holderShare(bytes(vector, 'deviceSecret'), {
      realm: String(vector['realm']),
      record: bytes(vector, 'record'),
      generation: bytes(vector, 'generation'),
    })
    expect(hex(share)).toBe(vector['share'])
  })

  test.each(list(keyFile.positive, 'what', 'tag'))('$name', (vector) => {
    expect(hex(subjectTag(bytes(vector, 'index'), String(vector['subject'])))).toBe(vector['tag'])
  })
})
