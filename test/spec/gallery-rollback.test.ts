/** Requirements GALLERY-8 and GALLERY-25 of SPEC.md: rows of a gallery that others change meanwhile, or put back. @module */
import { memoryStore, type Store, type StoredRow } from 'guise'
import { fsck } from 'guise/node'
import { expect, test } from 'vitest'
import type { Realm } from '../../src/base/brand.ts'
import { fromBase64, toHex } from '../../src/base/bytes.ts'
import { decodeMemberRow } from '../../src/gallery/member-row.ts'
import { memberKey, shardKey } from '../../src/gallery/place.ts'
import {
  coordinator,
  enrollPeople,
  galleryVault,
  openInside,
  openParts,
  pseudonym,
  range,
  reached,
} from '../support/gallery.ts'
import { hookedStore, overwrite, rowsOf, typedCode } from '../support/rows.ts'
import { basis, sample, type TestVault } from '../support/vault.ts'

const REALM = 'clinic' as Realm
const PREFIX = 1 + REALM.length

/** Rows of one kind: 0 head, 1 shard, 2 member. */
async function rowsOfKind(store: Store, kind: number): Promise<readonly StoredRow[]> {
  return (await rowsOf(store, 'galleries')).filter(({ key }) => key[PREFIX] === kind)
}

async function putBack(store: Store, rows: readonly StoredRow[]): Promise<void> {
  for (const { key, bytes } of rows) await overwrite(store, 'galleries', key, bytes)
}

/** The shard that a person is in. */
async function shardOf({ vault, store }: TestVault, person: number): Promise<number> {
  const handle = fromBase64(await pseudonym(vault, person)) as Uint8Array
  const row = await store.get('galleries', memberKey(REALM, handle))
  return decodeMemberRow(row?.bytes as Uint8Array, { profile: { realm: REALM }, handle }).number
}

const ROLLBACK = 'ERR_AUDIT_ROLLBACK'

test('GALLERY-25 a head that was put back is refused by every process that has read a newer one', async () => {
  const world = await galleryVault()
  const parts = await openParts(world, 2)
  const asks = await coordinator(world, reached(parts))
  await enrollPeople(world.vault, range(1, 5))
  const heads = await rowsOfKind(world.store, 0)
  await enrollPeople(world.vault, range(6, 200))
  for (const vault of [world.vault, asks]) await vault.loadGallery()
  await putBack(world.store, heads)
  for (const vault of [world.vault, asks]) {
    expect(await typedCode(vault.identify({ limit: 1, ...sample(1) }))).toBe(ROLLBACK)
    const unique = { subject: 'new', basis: basis(), unique: true, ...sample(999) } as const
    expect(await typedCode(vault.enroll(unique))).toBe(ROLLBACK)
  }
  for (const part of parts) expect(await typedCode(part.load())).toBe(ROLLBACK)
})

test('GALLERY-25 a shard that was put back is refused, and hides nobody from who has seen them', async () => {
  const world = await galleryVault()
  const { vault } = await openInside(world)
  await enrollPeople(world.vault, range(1, 40))
  const shards = await rowsOfKind(world.store, 1)
  await enrollPeople(world.vault, range(41, 80))
  await vault.loadGallery()
  await putBack(world.store, shards)
  expect(await typedCode(vault.identify({ limit: 1, ...sample(60) }))).toBe(ROLLBACK)
  const unique = { subject: 'again', basis: basis(), unique: true, ...sample(60, 1) } as const
  expect(await typedCode(vault.enroll(unique))).toBe(ROLLBACK)
  // Who has seen neither is told by fsck.
  const faults: string[] = []
  for await (const { kind, table } of fsck(world)) faults.push(`${kind} ${table}`)
  expect(faults.filter((fault) => fault === 'misplaced galleries').length).toBeGreaterThan(20)
})

test('GALLERY-25 a head that calls full shards open leads nobody into them', async () => {
  const world = await galleryVault()
  await enrollPeople(world.vault, range(1, 30))
  const heads = await rowsOfKind(world.store, 0)
  await enrollPeople(world.vault, range(31, 400))
  const { vault, table } = await openInside(world)
  await vault.loadGallery()
  const full = range(1, table.shards).filter((number) => table.fill(number) === 16)
  const versions = async (): Promise<readonly (string | undefined)[]> =>
    await Promise.all(
      full.map(async (number) => (await world.store.get('galleries', shardKey(REALM, number)))?.version),
    )
  const before = await versions()
  await putBack(world.store, heads)
  const fresh = await world.open()
  const codes = await Promise.all(
    range(500, 530).map((person) =>
      typedCode(fresh.enroll({ subject: `person-${person}`, basis: basis(), ...sample(person) })),
    ),
  )
  // A place without a shard begins one whose number is taken: a conflict that stays.
  for (const code of codes) expect(code).toMatch(/^resolved|^ERR_AUDIT_ROLLBACK$|^ERR_STORE_CONFLICT$/)
  expect(codes).toContain(ROLLBACK)
  expect(full.length).toBeGreaterThan(8)
  expect(await versions()).toEqual(before)
}, 60_000)

test('GALLERY-8 a member goes although every try meets a change of its shard, as often as a shard can change', async () => {
  const store = hookedStore(memoryStore())
  const world = await galleryVault({ store })
  const other = await world.open()
  await enrollPeople(world.vault, [1])
  const key = shardKey(REALM, await shardOf(world, 1))
  const version = async (): Promise<string | undefined> => (await store.get('galleries', key))?.version
  let next = 1000
  let leaving: number[] = []
  let changes = 0
  /** Somebody comes into the shard of person 1; once it is full somebody else leaves it. */
  const disturb = async (): Promise<void> => {
    const before = await version()
    for (let tries = 0; tries < 400; tries++) {
      const person = next++
      const at = await version()
      await enrollPeople(other, [person])
      if ((await version()) === at) continue
      leaving.push(person)
      changes += 1
      return
    }
    const person = leaving.pop()
    if (person === undefined) return
    await other.erase(`person-${person}`)
    if ((await version()) !== before) changes += 1
  }
  let busy = false
  let met = 0
  store.fault = {
    before: async ({ name, steps }) => {
      const mine = steps.some(
        (step) => step.step === 'put' && step.table === 'galleries' && toHex(step.key) === toHex(key),
      )
      const revokes = steps.some((step) => step.step === 'delete' && step.table === 'references')
      if (name !== 'commit' || busy || !mine || !revokes) return
      busy = true
      met += 1
      await disturb()
      busy = false
    },
  }
  await world.vault.revoke('person-1', 'other')
  leaving = []
  expect((await world.vault.describe('person-1'))?.state).toBe('revoked')
  // Sixteen insertions, person 1 among them, and the other fifteen leave: then nothing is left to change.
  expect(changes).toBe(30)
  expect(met).toBe(31)
}, 120_000)
