/** The ring's row: every bit of it counts, and only one form of it is read. @module */
import { beforeAll, describe, expect, test } from 'vitest'
import { concatBytes, labelBytes } from '../../src/base/bytes.ts'
import { type CborValue, decodeCbor, encodeCbor } from '../../src/base/cbor.ts'
import type { GuiseError } from '../../src/base/errors.ts'
import { mac } from '../../src/crypto/kdf.ts'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { openKeyring, ringAccess } from '../../src/keys/keyring.ts'
import { decodeRing, encodeRing, type Ring, ringIsGenuine } from '../../src/keys/ring.ts'
import { withPrimary } from '../../src/keys/transition.ts'
import { bench, FakeKms, failureOf, plantRing, REALM, ringRow } from './keys-support.ts'

beforeAll(cryptoReady)

const KEY = new Uint8Array(32).fill(4)
const EXPECTED = { realm: REALM, provider: 'fake-kms' }
const wrapped = (n: number): Uint8Array => new Uint8Array(24).fill(n)

const RING: Ring = {
  realm: REALM,
  version: 9,
  provider: 'fake-kms',
  primary: 3,
  minAccepted: 2,
  epochs: [
    { epoch: 1, status: 2, createdMs: 5, changedMs: 0, wrapped: new Uint8Array(0) },
    { epoch: 2, status: 1, createdMs: 6, changedMs: 7, wrapped: wrapped(2) },
    { epoch: 3, status: 0, createdMs: 8, changedMs: 8, wrapped: wrapped(3) },
  ],
  secrets: [
    { version: 1, createdMs: 5, wrapped: wrapped(4) },
    { version: 2, createdMs: 9, wrapped: wrapped(5) },
  ],
}

const refused = expect.objectContaining({ code: 'ERR_KEYS_RING', retryable: false })

/** A row with one part of its body replaced, its tag right. */
function rowWith(change: (items: CborValue[]) => CborValue): Uint8Array {
  const row = encodeRing(RING, KEY)
  const items = decodeCbor(row.subarray(0, -32), 65_536, (why) => new Error(why)) as CborValue[]
  const body = encodeCbor(change(items))
  return concatBytes(body, mac(KEY, concatBytes(labelBytes('guise/v1/ring'), body)))
}

function withItem(place: number, value: CborValue): Uint8Array {
  return rowWith((items) => items.map((item, index) => (index === place ? value : item)))
}

function withEpochs(change: (epochs: CborValue[][]) => CborValue): Uint8Array {
  return rowWith((items) => items.map((item, index) => (index === 7 ? change(item as CborValue[][]) : item)))
}

function withSecrets(change: (secrets: CborValue[][]) => CborValue): Uint8Array {
  return rowWith((items) => items.map((item, index) => (index === 8 ? change(item as CborValue[][]) : item)))
}

test('a row reads back as the ring that was written', () => {
  const decoded = decodeRing(encodeRing(RING, KEY), EXPECTED)
  expect(decoded.ring).toEqual(RING)
  expect(ringIsGenuine(decoded, KEY)).toBe(true)
  expect(ringIsGenuine(decoded, new Uint8Array(32))).toBe(false)
})

test('an epoch below the lowest accepted one cannot become primary', () => {
  const ring: Ring = { ...RING, epochs: RING.epochs.map((entry) => ({ ...entry, status: 0 })) }
  expect(withPrimary(ring, 2)).toMatchObject({ primary: 2, version: 10 })
  expect(() => withPrimary(ring, 1)).toThrow(expect.objectContaining({ code: 'ERR_KEYS_RETIRED' }))
})

test('the body is the one of the specification', () => {
  const row = encodeRing(RING, KEY)
  const body = encodeCbor([
    1,
    7,
    REALM,
    9,
    'fake-kms',
    3,
    2,
    [
      [1, 2, 5, 0, new Uint8Array(0)],
      [2, 1, 6, 7, wrapped(2)],
      [3, 0, 8, 8, wrapped(3)],
    ],
    [
      [1, 5, wrapped(4)],
      [2, 9, wrapped(5)],
    ],
  ])
  expect(row.subarray(0, -32)).toEqual(body)
})

const unread: Record<string, () => Uint8Array> = {
  'another format': () => withItem(0, 2),
  'another kind': () => withItem(1, 5),
  'another realm': () => withItem(2, 'klinik'),
  'a realm that is no text': () => withItem(2, 7),
  'version 0': () => withItem(3, 0),
  'another provider': () => withItem(4, 'fake-kmt'),
  'no primary': () => withItem(5, 4),
  'a primary of 0': () => withItem(5, 0),
  'a disabled primary': () => withItem(5, 2),
  'a destroyed primary': () => withItem(5, 1),
  'a lowest epoch of 0': () => withItem(6, 0),
  'a lowest epoch above the primary': () => withItem(6, 4),
  'epochs that are no list': () => withItem(7, 3),
  'no versions': () => withItem(8, []),
  'one item more': () => rowWith((items) => [...items, 0]),
  'one item less': () => rowWith((items) => items.slice(0, -1)),
  'an epoch out of order': () => withEpochs((epochs) => epochs.toReversed()),
  'epochs that changed numbers': () => withEpochs(([a, b, c]) => [a!.with(0, 2), b!.with(0, 1), c!]),
  'a gap between epochs': () => withEpochs((epochs) => epochs.slice(1)),
  'an unknown status': () => withEpochs(([a, b, c]) => [a!, b!.with(1, 3), c!]),
  'a destroyed epoch with its key': () => withEpochs(([a, b, c]) => [a!.with(4, wrapped(1)), b!, c!]),
  'an enabled epoch without a key': () => withEpochs(([a, b, c]) => [a!, b!, c!.with(4, new Uint8Array(0))]),
  'a wrapped key that is too long': () =>
    withEpochs(([a, b, c]) => [a!, b!, c!.with(4, new Uint8Array(4097))]),
  'an instant that no date holds': () =>
    withEpochs(([a, b, c]) => [a!, b!, c!.with(2, 8_640_000_000_000_001)]),
  'an epoch of another arity': () => withEpochs(([a, b, c]) => [a!, b!, [...c!, 0]]),
  'versions out of order': () => withSecrets((secrets) => secrets.toReversed()),
  'a version without a secret': () => withSecrets(([a, b]) => [a!, b!.with(2, new Uint8Array(0))]),
  'a body that is no list': () => {
    const body = encodeCbor('ring')
    return concatBytes(body, mac(KEY, body))
  },
  'nothing but a tag': () => new Uint8Array(32),
  'more than a row holds': () => new Uint8Array(65_537),
}

test.each(Object.entries(unread))('a ring with %s is refused', (_, make) => {
  expect(() => decodeRing(make(), EXPECTED)).toThrow(refused)
})

test('a ring that no longer fits a row is not written', () => {
  const secrets = Array.from({ length: 20 }, (_, i) => ({
    version: i + 1,
    createdMs: 0,
    wrapped: new Uint8Array(4096).fill(i),
  }))
  expect(() => encodeRing({ ...RING, secrets }, KEY)).toThrow(
    expect.objectContaining({ code: 'ERR_KEYS_FULL' }),
  )
})

describe('a stored ring', () => {
  test('with any bit flipped is refused by an open keyring and does not open', async () => {
    const { store, keyring, where } = await bench()
    await keyring.add()
    const { bytes } = await ringRow(store)
    const access = ringAccess(keyring)
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = Uint8Array.from(bytes)
      flipped[bit >> 3]! ^= 1 << (bit & 7)
      await plantRing(store, flipped)
      const error = await failureOf(access.refresh())
      if ((error as GuiseError).code !== 'ERR_KEYS_RING') throw new Error(`bit ${bit}`, { cause: error })
      const opening = await failureOf(openKeyring(where))
      // Which of the two it is depends on whether the provider still recognises what it wrapped.
      expect(['ERR_KEYS_RING', 'ERR_KEYS_PROVIDER']).toContain((opening as GuiseError).code)
    }
    await plantRing(store, bytes)
    await access.refresh()
    expect(keyring.epochs).toHaveLength(2)
  }, 60_000)

  test('cut short at any length is refused', async () => {
    const { store, keyring } = await bench()
    const { bytes } = await ringRow(store)
    for (let length = 0; length < bytes.length; length++) {
      await plantRing(store, bytes.slice(0, length))
      expect(await failureOf(keyring.refresh())).toEqual(refused)
    }
  })

  test('of an earlier day is refused by who has seen a later one', async () => {
    const { store, keyring } = await bench()
    const old = await ringRow(store)
    await keyring.add()
    await keyring.promote(2)
    await plantRing(store, old.bytes)
    expect(await failureOf(keyring.refresh())).toEqual(refused)
    expect(keyring.primary).toBe(2)
  })

  test('that forked after a restored backup is refused by who has seen the other branch', async () => {
    const { store, keyring, where } = await bench()
    const old = await ringRow(store)
    await keyring.add()
    await plantRing(store, old.bytes)
    const other = await openKeyring(where)
    await other.renew()
    expect(await failureOf(keyring.refresh())).toEqual(refused)
    await plantRing(store, old.bytes)
    await (await openKeyring(where)).add()
    expect(await failureOf(keyring.refresh())).toEqual(refused)
  })

  test('made anew under another secret is refused by who has the first', async () => {
    const { store, keyring, where } = await bench()
    const row = await store.get('keyrings', ringAccess(keyring).row().key)
    if (row === undefined) throw new Error('there is no ring')
    await store.commit([{ step: 'delete', table: 'keyrings', key: row.key, expected: row.version }])
    expect(await failureOf(keyring.refresh())).toMatchObject({ code: 'ERR_KEYS_ABSENT' })
    const kms = new FakeKms()
    const { store: elsewhere } = await bench({ provider: kms })
    const { bytes } = await ringRow(elsewhere)
    await plantRing(store, bytes)
    expect(await failureOf(keyring.refresh())).toEqual(refused)
    expect((await openKeyring({ ...where, provider: kms })).primary).toBe(1)
  })
})
