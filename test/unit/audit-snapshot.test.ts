/** Snapshots of a reading of the log (SPEC §14.7). @module */
import { logElsewhere, type Store, type Vault } from 'guise'
import { expect, test } from 'vitest'
import { Follower } from '../../src/audit/follower.ts'
import { integrateSome } from '../../src/audit/integrate.ts'
import { readSnapshot, type SnapshotPlace, writeSnapshot } from '../../src/audit/snapshot.ts'
import { concatBytes, labelBytes, toHex } from '../../src/base/bytes.ts'
import { type CborValue, decodeCbor, encodeCbor } from '../../src/base/cbor.ts'
import { mac } from '../../src/crypto/kdf.ts'
import { randomBytes } from '../../src/crypto/random.ts'
import { ringAccess } from '../../src/keys/keyring.ts'
import { VaultKeys } from '../../src/vault/keys.ts'
import { rowTag } from '../../src/vault/row-tags.ts'
import { overwrite, rowsOf } from '../support/rows.ts'
import { basis, sample, type TestVault, testVault } from '../support/vault.ts'

const QUIET = { logSigner: undefined as never, [logElsewhere]: true } as const
const enroll = (vault: Vault, person: number): Promise<unknown> =>
  vault.enroll({ subject: `p${person}`, basis: basis(), ...sample(person) })

function placeOf({ store, keyring }: TestVault): SnapshotPlace {
  const access = ringAccess(keyring)
  return { store, realm: access.realm, keys: new VaultKeys(access) }
}

function reader(place: SnapshotPlace): Follower {
  return new Follower(place.store as Store, place.realm, place.keys)
}

/** What a reading knows of the rows that are in the store now. */
async function knows(follower: Follower, { store }: TestVault): Promise<boolean> {
  for (const [table, kind] of [
    ['states', 'state'],
    ['attempts', 'attempts'],
  ] as const) {
    for (const { key, bytes } of await rowsOf(store, table)) {
      const handle = key.subarray(7, 23)
      if (handle[0] !== 0xff && !follower.changes.isLast(handle, kind, rowTag(bytes))) return false
    }
  }
  return true
}

test('a reading goes on from a snapshot, with entries in the queue, and from an older one', async () => {
  const made = await testVault(QUIET)
  const place = placeOf(made)
  for (let person = 0; person < 5; person++) await enroll(made.vault, person)
  const first = reader(place)
  await first.follow()
  expect(await integrateSome(place, first)).toBe(true)
  await made.vault.rebind('p1')
  await made.vault.verify({ subject: 'p2', ...sample(3, 1) })
  await first.follow()
  expect([first.size, first.queued]).toEqual([6, 2])
  expect(await writeSnapshot(place, first)).toBe(6)

  const second = reader(place)
  expect(await readSnapshot(place, second)).toBe(true)
  expect([second.size, toHex(second.frontier.root())]).toEqual([6, toHex(first.frontier.root())])
  await second.follow()
  expect([second.queued, second.strange]).toEqual([2, 0])
  expect(await knows(second, made)).toBe(true)
  expect(second.ring).toEqual(first.ring)
  // The one that waited is integrated by whoever read the snapshot, and read as such by the other.
  await enroll(made.vault, 9)
  await second.follow()
  expect(await integrateSome(place, second)).toBe(true)
  await first.follow()
  expect([first.size, first.queued]).toEqual([9, 0])

  const third = reader(place)
  expect(await readSnapshot(place, third)).toBe(true)
  expect(third.size).toBe(6)
  await third.follow()
  expect([third.size, third.strange]).toEqual([9, 0])
  expect(await knows(third, made)).toBe(true)
  // The next snapshot takes the other slot; the former is overwritten by the one after.
  expect(await writeSnapshot(place, third)).toBe(9)
  expect(await writeSnapshot(place, third)).toBe(9)
  const fourth = reader(place)
  expect(await readSnapshot(place, fourth)).toBe(true)
  await fourth.follow()
  expect(await knows(fourth, made)).toBe(true)
})

test('a snapshot that does not hold is not used, and the log is read', async () => {
  const made = await testVault(QUIET)
  const place = placeOf(made)
  expect(await readSnapshot(place, reader(place))).toBe(false)
  for (let person = 0; person < 3; person++) await enroll(made.vault, person)
  const first = reader(place)
  await first.follow()
  await integrateSome(place, first)
  await writeSnapshot(place, first)
  const rows = (await rowsOf(made.store, 'log')).filter(({ key }) => key[7] === 4 || key[7] === 5)
  expect(rows.length).toBe(3)
  for (const { key, bytes } of rows) {
    for (const at of [0, 5, bytes.length >> 1, bytes.length - 1]) {
      await overwrite(made.store, 'log', key, bytes.with(at, (bytes[at] as number) ^ 1))
      const follower = reader(place)
      expect(await readSnapshot(place, follower)).toBe(false)
      await follower.follow()
      expect(await knows(follower, made)).toBe(true)
    }
    await overwrite(made.store, 'log', key, new Uint8Array(0))
    expect(await readSnapshot(place, reader(place))).toBe(false)
    await overwrite(made.store, 'log', key, bytes)
    expect(await readSnapshot(place, reader(place))).toBe(true)
  }
})

test('a snapshot of nobody, and one of many, in several rows', async () => {
  const made = await testVault(QUIET)
  const place = placeOf(made)
  const nobody = reader(place)
  await nobody.follow()
  expect(await integrateSome(place, nobody)).toBe(true)
  await writeSnapshot(place, nobody)
  expect(await readSnapshot(place, reader(place))).toBe(true)
  const names = randomBytes(16 * 5000)
  const tag = randomBytes(16)
  for (let i = 0; i < 5000; i++) nobody.changes.set(names.subarray(16 * i, 16 * i + 16), 'state', tag)
  await writeSnapshot(place, nobody)
  const many = reader(place)
  expect(await readSnapshot(place, many)).toBe(true)
  expect(many.changes.size).toBe(5000)
  for (let i = 0; i < 5000; i += 7) {
    expect(many.changes.isLast(names.subarray(16 * i, 16 * i + 16), 'state', tag)).toBe(true)
  }
  expect((await rowsOf(made.store, 'log')).filter(({ key }) => key[7] === 5).length).toBeGreaterThan(3)
})

test('a snapshot that counts more chains than it has is not used', async () => {
  const made = await testVault(QUIET)
  const place = placeOf(made)
  await enroll(made.vault, 1)
  const first = reader(place)
  await first.follow()
  await writeSnapshot(place, first)
  const row = (await rowsOf(made.store, 'log')).find(({ key }) => key.at(-1) === 4)
  if (row === undefined) throw new Error('no snapshot')
  const body = row.bytes.subarray(0, -32)
  const items = decodeCbor(body, 65_536, () => new Error('not a snapshot')) as readonly CborValue[]
  const counts = (items[6] as readonly number[]).with(3, 0xffff_ffff)
  const other = encodeCbor(items.with(6, counts))
  await place.keys.load()
  const tag = mac(place.keys.key(place.keys.newestVersion) as Uint8Array, [
    labelBytes('guise/v1/log-snapshot'),
    other,
  ])
  await overwrite(made.store, 'log', row.key, concatBytes(other, tag))
  expect(await readSnapshot(place, reader(place))).toBe(false)
})
