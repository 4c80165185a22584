/** Requirements CONVENTIONS-1 to CONVENTIONS-5 of SPEC.md. @module */
import { inspect } from 'node:util'
import { GuiseError, type Model, openKeyring } from 'guise'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Realm } from '../../src/base/brand.ts'
import { concatBytes, fromHex, labelBytes, toHex } from '../../src/base/bytes.ts'
import { type CborValue, decodeCbor, encodeCbor } from '../../src/base/cbor.ts'
import { mac } from '../../src/crypto/kdf.ts'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { malformed } from '../../src/record/errors.ts'
import { decodeStructure } from '../../src/record/row.ts'
import { decodeStateRow } from '../../src/record/state-row.ts'
import { dump, fastest, rowsOf, typedCode } from '../support/rows.ts'
import { basis, codeOf, MODEL, sample, testVault } from '../support/vault.ts'

beforeAll(cryptoReady)

const decode = (hex: string): unknown => decodeCbor(fromHex(hex) ?? new Uint8Array(0), 65_536, malformed)

describe('CONVENTIONS-1 deterministic CBOR only', () => {
  test.each([
    ['a length that is not minimal', '811801'],
    ['an array of indefinite length', '9f0102ff'],
    ['a text of indefinite length', '7f616161ff'],
    ['bytes of indefinite length', '5f4101ff'],
    ['a float', 'f90000'],
    ['a double', 'fb3ff0000000000000'],
    ['a tag', 'c10a'],
    ['undefined', 'f7'],
    ['a simple value', 'f8ff'],
    ['a negative integer', '20'],
    ['a map', 'a10102'],
    ['a map with a key twice', 'a201010101'],
    ['trailing bytes', '8000'],
    ['nothing', ''],
    ['bad UTF-8', '62c328'],
    ['a claim of 2^64 items', '9bffffffffffffffff'],
    ['a claim of 4 GiB', '5affffffff'],
    ['an integer above 2^53', '1b0020000000000000'],
    ['depth', '81'.repeat(2000)],
  ])('CONVENTIONS-1 %s is refused', (_, hex) => {
    expect(fastest(() => expect(() => decode(hex)).toThrow(GuiseError))).toBeLessThan(50)
  })

  test('CONVENTIONS-1 what is read encodes to the bytes that were read', () => {
    const taken = new Set<number>()
    const look = (bytes: Uint8Array): void => {
      let value: CborValue
      try {
        value = decodeCbor(bytes, 64, malformed)
      } catch {
        return
      }
      expect(toHex(encodeCbor(value))).toBe(toHex(bytes))
      taken.add(bytes[0] as number)
    }
    // Every head, with what each length of head may say at its bounds, and with enough behind it or too little.
    for (let first = 0; first < 256; first++) {
      look(Uint8Array.of(first))
      for (const second of [0x00, 0x01, 0x17, 0x18, 0x19, 0x61, 0xff]) {
        for (const fill of [0x00, 0x01]) {
          for (const length of [2, 3, 5, 9, 24, 25, 26]) {
            look(Uint8Array.of(first, second, ...new Uint8Array(length - 2).fill(fill)))
          }
        }
      }
    }
    // Every type that is allowed, and each form of its head that input as short as this can have.
    for (const first of [
      0x00, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x40, 0x57, 0x58, 0x60, 0x77, 0x78, 0x80, 0xf4, 0xf5, 0xf6,
    ]) {
      expect(taken).toContain(first)
    }
  })

  test('CONVENTIONS-1 the length is bounded before anything is decoded', () => {
    // Ten bytes would not decode: the bound speaks first.
    expect(() => decodeCbor(new Uint8Array(11).fill(255), 10, malformed)).toThrow(/10/)
    const long = encodeCbor(new Uint8Array(70_000))
    expect(fastest(() => expect(() => decodeStructure(long, 1, 1)).toThrow(GuiseError))).toBeLessThan(1)
  })
})

describe('CONVENTIONS-2 nothing unknown is read', () => {
  const key = new Uint8Array(32)
  const place = { realm: 'clinic' as Realm, handle: new Uint8Array(16) }
  const row = (body: CborValue): Uint8Array => {
    const bytes = encodeCbor(body)
    return concatBytes(bytes, mac(key, concatBytes(labelBytes('guise/v1/state'), bytes)))
  }
  const fields = (): CborValue[] => [
    1,
    4,
    'clinic',
    new Uint8Array(16),
    new Uint8Array(16),
    new Uint8Array(20),
    1,
    1,
    false,
    0,
    [],
    1,
    'test@1',
    128,
    null,
    1,
    1,
    0,
    0,
    [],
  ]
  const read = (items: CborValue[]): unknown => {
    try {
      return decodeStateRow(row(items), place, () => key).state
    } catch (error) {
      return (error as { code?: unknown }).code
    }
  }

  test('CONVENTIONS-2 another format, kind or arity, under a tag that fits', () => {
    expect(read(fields())).toBe('active')
    for (const format of [0, 2, 255, '1', null, new Uint8Array([1])]) {
      expect(read([format, ...fields().slice(1)])).toBe('ERR_RECORD_VERSION')
    }
    for (const kind of [0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12]) {
      expect(read([1, kind, ...fields().slice(2)])).toBe('ERR_RECORD_VERSION')
    }
    expect(read([...fields(), 0])).toBe('ERR_RECORD_FORMAT')
    expect(read(fields().slice(0, -1))).toBe('ERR_RECORD_FORMAT')
    expect(read([])).toBe('ERR_RECORD_VERSION')
  })

  test('CONVENTIONS-2 a field of another type or range, under a tag that fits', () => {
    for (let at = 2; at < 20; at++) {
      for (const wrong of [[[]], 'x'.repeat(300), new Uint8Array(300), 2 ** 53 - 1, true]) {
        if (wrong === true && at === 8) continue
        const items = fields()
        items[at] = wrong as CborValue
        if (at === 6 && wrong === 2 ** 53 - 1) continue
        expect(String(read(items)), `field ${at}`).toMatch(/^ERR_RECORD_/)
      }
    }
  })
})

test('CONVENTIONS-3 every failure is typed, with a stable code, and says nothing of anyone', async () => {
  const subject = 'Sophie-Canary-4711'
  const { vault, provider, store } = await testVault()
  await vault.enroll({ subject, basis: basis(), ...sample(1) })
  const errors: unknown[] = []
  const calls: (() => Promise<unknown>)[] = [
    () => vault.enroll({ subject, basis: basis(), ...sample(1) }),
    () => vault.resume(subject),
    () => vault.revoke(subject, subject as never),
    () => vault.verify({ subject, ...sample(1), probeClass: subject }),
    () => vault.suspend(`${subject}2`),
    () => vault.suspend(`${subject}${'x'.repeat(300)}`),
    () => vault.verify({ subject } as never),
    () => vault.enroll({ subject, basis: basis({ purpose: subject }), ...sample(1) }),
    () => openKeyring({ realm: subject, provider, store }),
  ]
  for (const call of calls) errors.push(await call().catch((error: unknown) => error))
  for (const error of errors) {
    expect(error).toBeInstanceOf(GuiseError)
    expect((error as { code: string }).code).toMatch(/^ERR_(VAULT|POLICY|KEYS|EMBEDDING)_[A-Z_]+$/)
    for (const text of [
      inspect(error, { depth: 9 }),
      JSON.stringify(error),
      String((error as Error).stack),
    ]) {
      expect(text).not.toContain(subject)
    }
  }
})

test('CONVENTIONS-4 handles, keys, generations and nonces are drawn, and cannot be given', async () => {
  const seen = new Set<string>()
  let rows = 0
  for (let i = 0; i < 8; i++) {
    const { vault, store } = await testVault()
    const wish = {
      handle: new Uint8Array(16),
      record: new Uint8Array(16),
      generation: 7,
      nonce: new Uint8Array(24),
    }
    await vault.enroll({ subject: 'anna', basis: basis(), ...sample(1), ...wish })
    for (const table of ['references', 'secrets', 'states', 'index'] as const) {
      for (const { key, bytes } of await rowsOf(store, table)) {
        seen.add(toHex(key.subarray(7)))
        seen.add(toHex(bytes.subarray(-48)))
        rows += 2
      }
    }
    expect((await vault.describe('anna'))?.generation).toBe(1)
  }
  expect(seen.size).toBe(rows)
})

describe('CONVENTIONS-5 identifiers', () => {
  test('CONVENTIONS-5 realms, models and purposes outside the rules are refused', async () => {
    const { provider, store, open } = await testVault()
    const names = [
      '',
      'A',
      'a b',
      '-a',
      'a-',
      'é',
      'a\0',
      'x'.repeat(65),
      '__proto__',
      '.',
      'a/b',
      7,
      null,
      ['a'],
    ]
    for (const name of names) {
      expect(await typedCode(openKeyring({ realm: name as string, provider, store }))).toBe('ERR_KEYS_INPUT')
      expect(await typedCode(open({ purpose: name as string }))).toBe('ERR_VAULT_CONFIGURATION')
      const model = { ...MODEL, id: `${String(name)}@1` } as Model
      expect(await typedCode(open({ model }))).toMatch(/^ERR_EMBEDDING_MODEL|^resolved|^ERR_POLICY/)
    }
  })

  test('CONVENTIONS-5 two subjects that differ in any byte are two', async () => {
    const { vault, store } = await testVault()
    const twins = [
      'anna',
      'Anna',
      'anna ',
      'ann\u00e4',
      'anna\u0308',
      '\u00e9',
      'e\u0301',
      'anna\0',
      '\u212b',
      '\u00c5',
    ]
    for (const [i, subject] of twins.entries()) await vault.enroll({ subject, basis: basis(), ...sample(i) })
    for (const [i, subject] of twins.entries()) {
      expect((await vault.verify({ subject, ...sample(i, 1) })).outcome).toBe('match')
    }
    const before = await dump(store)
    for (const subject of ['', 'x'.repeat(257), '\ud800', 'a\udc00', 7, null, undefined, {}, ['anna']]) {
      expect(await codeOf(vault.verify({ subject: subject as string, ...sample(1) }))).toBe('ERR_VAULT_INPUT')
      expect(await codeOf(vault.describe(subject as string))).toBe('ERR_VAULT_INPUT')
    }
    expect(await dump(store)).toEqual(before)
  })
})
