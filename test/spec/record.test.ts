/** Requirements RECORD-1 to RECORD-7 of SPEC.md. @module */
import type { Table } from 'guise'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Realm } from '../../src/base/brand.ts'
import { toHex } from '../../src/base/bytes.ts'
import { type CborValue, decodeCbor, encodeCbor } from '../../src/base/cbor.ts'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { malformed, RecordError } from '../../src/record/errors.ts'
import { decodeReferenceRow, referenceHeader, type TemplateProfile } from '../../src/record/reference-row.ts'
import { decodeSecretRow, secretHeader } from '../../src/record/secret-row.ts'
import { decodeStateRow } from '../../src/record/state-row.ts'
import { fastest, onlyRow, rowsOf } from '../support/rows.ts'
import { realmOf } from '../support/secrets.ts'
import { REFUSED, tell, type World, world } from '../support/tamper.ts'
import { basis, codeOf, face, faceOf, memoryProvider, sample, testVault } from '../support/vault.ts'

beforeAll(cryptoReady)

const REALM = 'clinic' as Realm
const PROFILE: TemplateProfile = {
  realm: REALM,
  purpose: 'login',
  model: 'test@1',
  meanHash: new Uint8Array(32).fill(4),
  dimensions: 128,
  bits: 128,
  suite: 'B4',
}
const NAME = {
  realm: REALM,
  handle: new Uint8Array(16).fill(1),
  record: new Uint8Array(16).fill(2),
  generation: new Uint8Array(20).fill(3),
}

function code(run: () => unknown): string {
  try {
    run()
    return 'read'
  } catch (error) {
    return error instanceof RecordError ? error.code : String(error)
  }
}

test('RECORD-1 a row of any kind with one bit changed is refused', async () => {
  const made = await world(0)
  for (const [table, row] of made.rows) {
    for (let bit = 0; bit < 8 * row.bytes.length; bit += 7) {
      const bytes = Uint8Array.from(row.bytes)
      bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7))
      expect(await tell(made, { table, key: row.key, bytes })).toMatch(REFUSED)
    }
  }
})

describe('RECORD-2 a genuine row in another place', () => {
  test('RECORD-2 of another realm, subject, record or generation', async () => {
    const provider = memoryProvider()
    const { vault, store } = await testVault({ provider })
    await vault.enroll({ subject: 'anna', basis: basis(), ...sample(1) })
    const { keys } = await realmOf(store, provider)
    const state = await onlyRow(store, 'states')
    const handle = state.key.subarray(7)
    const read = (place: { readonly realm: Realm; readonly handle: Uint8Array }): string =>
      code(() => decodeStateRow(state.bytes, place, () => keys.state))
    expect(read({ realm: REALM, handle })).toBe('read')
    expect(read({ realm: 'other' as Realm, handle })).toBe('ERR_RECORD_BINDING')
    expect(read({ realm: REALM, handle: handle.map((byte) => byte ^ 1) })).toBe('ERR_RECORD_BINDING')
  })

  test('RECORD-2 rows of two people exchanged, table by table', async () => {
    const { vault, store } = await testVault()
    await vault.enroll({ subject: 'anna', basis: basis(), ...sample(1) })
    const before = await rowsByTable(store)
    await vault.enroll({ subject: 'ben', basis: basis(), ...sample(2) })
    const both = await rowsByTable(store)
    for (const [table, [row]] of before) {
      const other = both.get(table)?.find(({ key }) => toHex(key) !== toHex(row?.key ?? new Uint8Array(0)))
      if (row === undefined || other === undefined) throw new Error('no row')
      const now = await store.get(table, row.key)
      const put = async (bytes: Uint8Array): Promise<void> => {
        const version = (await store.get(table, row.key))?.version ?? null
        await store.commit([
          { step: 'put', table: table as 'states', key: row.key, bytes, expected: version },
        ])
      }
      await put(other.bytes)
      const refused = await codeOf(vault.verify({ subject: 'anna', ...sample(2, 1) }))
      expect([table, refused]).toEqual([table, table === 'index' ? 'ERR_KEYS_INDEX' : 'ERR_RECORD_BINDING'])
      await put(now?.bytes ?? new Uint8Array(0))
      expect((await vault.verify({ subject: 'anna', ...sample(1, 1) })).outcome).toBe('match')
    }
  })
})

async function rowsByTable(
  store: Awaited<ReturnType<typeof testVault>>['store'],
): Promise<ReadonlyMap<Table, Awaited<ReturnType<typeof rowsOf>>>> {
  const tables = new Map<Table, Awaited<ReturnType<typeof rowsOf>>>()
  for (const table of ['references', 'secrets', 'states', 'attempts', 'index'] as const) {
    tables.set(table, await rowsOf(store, table))
  }
  return tables
}

describe('RECORD-3 headers against the configuration', () => {
  const sealed = [new Uint8Array(24), new Uint8Array(32), new Uint8Array(32)] as const
  const header = decodeCbor(referenceHeader(PROFILE, NAME, 1_700_000_000_000), 1024, malformed) as CborValue[]
  const readReference = (at: number, value: CborValue): string => {
    const items = header.map((item, index) => (index === at ? value : item))
    const row = encodeCbor([encodeCbor(items), ...sealed])
    return code(() => decodeReferenceRow(row, PROFILE, NAME))
  }

  test('RECORD-3 a reference row is read only as what the vault makes', () => {
    expect(readReference(12, 5)).toBe('read')
    const bound = 'ERR_RECORD_BINDING'
    for (const at of [3, 4]) expect(readReference(at, new Uint8Array(16))).toBe(bound)
    expect(readReference(5, new Uint8Array(20))).toBe(bound)
    expect(readReference(2, 'other')).toBe(bound)
    expect(readReference(6, 'payment')).toBe(bound)
    expect(readReference(7, 'other@1')).toBe(bound)
    expect(readReference(8, new Uint8Array(32))).toBe(bound)
    expect(readReference(9, 512)).toBe(bound)
    expect(readReference(10, 64)).toBe(bound)
    expect(readReference(11, 'B6')).toBe(bound)
    for (const suite of ['B5', 'B8', 'b4', '']) expect(readReference(11, suite)).toBe('ERR_RECORD_VERSION')
    for (const format of [0, 2, 3]) expect(readReference(0, format)).toBe('ERR_RECORD_VERSION')
    for (const kind of [0, 2, 4, 12]) expect(readReference(1, kind)).toBe('ERR_RECORD_VERSION')
    for (let at = 2; at < 13; at++) expect(readReference(at, [])).toBe('ERR_RECORD_FORMAT')
  })

  test('RECORD-3 a secret row is read only in a format and profile that is known', () => {
    const parts = { ...NAME, epoch: 1, since: 1, profile: 0, keyVersion: 1 }
    const items = decodeCbor(secretHeader(parts), 512, malformed) as CborValue[]
    const read = (at: number, value: CborValue, length = 120): string => {
      const altered = encodeCbor(items.map((item, index) => (index === at ? value : item)))
      const row = encodeCbor([altered, sealed[0], sealed[1], new Uint8Array(length)])
      return code(() => decodeSecretRow(row, NAME))
    }
    expect(read(7, 0)).toBe('read')
    expect(read(7, 1)).toBe('ERR_RECORD_FORMAT')
    expect(read(7, 2)).toBe('ERR_RECORD_FORMAT')
    expect(read(7, 2, 432)).toBe('read')
    expect(read(7, 3, 432)).toBe('ERR_RECORD_FORMAT')
    for (const profile of [4, 5, 255]) expect(read(7, profile, 432)).toBe('ERR_RECORD_VERSION')
    for (const format of [0, 2]) expect(read(0, format)).toBe('ERR_RECORD_VERSION')
    expect(read(2, 'other')).toBe('ERR_RECORD_BINDING')
    expect(read(3, new Uint8Array(16))).toBe('ERR_RECORD_BINDING')
    expect(read(4, new Uint8Array(20))).toBe('ERR_RECORD_BINDING')
    for (let at = 2; at < 9; at++) expect(read(at, [])).toBe('ERR_RECORD_FORMAT')
  })

  test('RECORD-3 a secret row names an epoch of the quorum where one takes part, and nowhere else', () => {
    const read = (profile: number, quorumEpoch: number | undefined, length = 120): string => {
      const header = secretHeader({ ...NAME, epoch: 1, since: 1, profile, keyVersion: 1, quorumEpoch })
      const row = encodeCbor([header, sealed[0], sealed[1], new Uint8Array(length)])
      return code(() => expect(decodeSecretRow(row, NAME).quorumEpoch).toBe(quorumEpoch))
    }
    expect(read(0, undefined)).toBe('read')
    expect(read(1, 1)).toBe('read')
    expect(read(1, 0xffff_ffff)).toBe('read')
    expect(read(3, 7, 432)).toBe('read')
    for (const profile of [0, 2])
      expect(read(profile, 1, profile === 2 ? 432 : 120)).toBe('ERR_RECORD_FORMAT')
    for (const profile of [1, 3]) {
      for (const epoch of [0, undefined])
        expect(read(profile, epoch, profile === 3 ? 432 : 120)).toBe('ERR_RECORD_FORMAT')
    }
    expect(read(5, 1)).toBe('ERR_RECORD_VERSION')
  })
})

test('RECORD-4 one length, whoever it is of and whatever the sample and generation', async () => {
  for (const profile of ['operator', 'holder'] as const) {
    const { vault, store } = await testVault({ custody: { profile } })
    const share = { holderShare: async () => new Uint8Array(32).fill(8) }
    const source = profile === 'holder' ? share : {}
    for (let i = 0; i < 12; i++) {
      const more = Array.from({ length: i }, (_, k) => sample(i, k + 1))
      const subject = 'x'.repeat(1 + 20 * i)
      await vault.enroll({ subject, basis: basis(), ...source, ...sample(i), more })
      for (let g = 0; g < i % 4; g++)
        await vault.reissue({ subject, basis: basis(), ...source, ...sample(i, g) })
    }
    for (const table of ['references', 'secrets'] as const) {
      const lengths = (await rowsOf(store, table)).map((row) => row.bytes.length)
      expect(lengths).toHaveLength(12)
      expect(new Set(lengths).size).toBe(1)
    }
    const [reference] = await rowsOf(store, 'references')
    const [secret] = await rowsOf(store, 'secrets')
    if (profile === 'operator') {
      expect((reference?.bytes.length ?? 0) + (secret?.bytes.length ?? 0)).toBeLessThanOrEqual(640 - 48)
    }
  }
})

test('RECORD-5 no row holds the identifier, and biometrics lie apart from the mapping', async () => {
  const { vault, store } = await testVault()
  const subject = 'Sophie-Canary-4711'
  const embedding = faceOf(1)
  await vault.enroll({ subject, basis: basis(), ...sample(1), embedding })
  await vault.verify({ subject, ...sample(2) }, { operationId: subject, actor: subject })
  await vault.suspend(subject, { operationId: subject, actor: subject })
  const forms = [subject, toHex(new TextEncoder().encode(subject)), btoa(subject)]
  const vector = toHex(new Uint8Array(face(1).buffer)).slice(0, 64)
  for (const table of ['references', 'secrets', 'states', 'index', 'attempts', 'keyrings'] as const) {
    for (const row of await rowsOf(store, table)) {
      const hex = toHex(row.key) + toHex(row.bytes)
      for (const form of forms) expect(hex).not.toContain(toHex(new TextEncoder().encode(form)))
      expect(hex).not.toContain(vector)
    }
  }
  // The handle leads from the mapping to the state; the code lies under another name.
  const index = await onlyRow(store, 'index')
  const reference = await onlyRow(store, 'references')
  const record = toHex(reference.key.subarray(7))
  expect(toHex(index.bytes)).not.toContain(record)
})

test('RECORD-6 both rows are needed; a reference without its wrap is refused as erased', async () => {
  const made: World = await world(0)
  const key = (table: Table): Uint8Array => made.rows.get(table)?.key ?? new Uint8Array(1)
  const without = (table: Table): Promise<string> => tell(made, { table, key: key(table), bytes: undefined })
  expect(await without('secrets')).toBe('resolved {"outcome":"refused","reason":"erased"}')
  expect(await without('references')).toBe('ERR_RECORD_MISSING')
  expect(await made.ask()).toMatchObject({ outcome: 'match' })
})

test('RECORD-7 a row above 64 KiB is refused before it is decoded', async () => {
  const made = await world(0)
  for (const [table, { key }] of made.rows) {
    for (const length of [65_537, 1_000_000]) {
      expect(await tell(made, { table, key, bytes: new Uint8Array(length).fill(0x81) })).toMatch(REFUSED)
    }
  }
  const long = new Uint8Array(65_537).fill(0x81)
  const place = { realm: REALM, handle: NAME.handle }
  const none = (): undefined => undefined
  expect(
    fastest(() => expect(code(() => decodeStateRow(long, place, none))).toBe('ERR_RECORD_FORMAT')),
  ).toBeLessThan(1)
  expect(
    fastest(() => expect(code(() => decodeReferenceRow(long, PROFILE, NAME))).toBe('ERR_RECORD_FORMAT')),
  ).toBeLessThan(1)
  expect(
    fastest(() => expect(code(() => decodeSecretRow(long, NAME))).toBe('ERR_RECORD_FORMAT')),
  ).toBeLessThan(1)
})
