/** Requirements GALLERY-11 to GALLERY-17 of SPEC.md: who is found. @module */
import {
  embedding,
  type GalleryOptions,
  type IdentifyDecision,
  memoryStore,
  openKeyring,
  type Store,
  type Vault,
} from 'guise'
import { expect, test } from 'vitest'
import type { Realm } from '../../src/base/brand.ts'
import { toHex } from '../../src/base/bytes.ts'
import { realmPrefix } from '../../src/base/identifier.ts'
import { toIntegers } from '../../src/embedding/embedding.ts'
import { identificationPointId } from '../../src/gallery/identification-point.ts'
import { rankOf, scanTable } from '../../src/gallery/scan.ts'
import { GalleryTable } from '../../src/gallery/table.ts'
import { subjectId } from '../../src/vault/lookup.ts'
import { allowHighFalseMatchRate } from '../../src/vault/symbols.ts'
import {
  BITS,
  enrollPeople,
  gallery,
  galleryVault,
  idPoint,
  openInside,
  pseudonym,
  range,
  search,
} from '../support/gallery.ts'
import { dump, hookedStore, rowsOf, typedCode } from '../support/rows.ts'
import { basis, face, MODEL, manualClock, sample } from '../support/vault.ts'
import { entriesOf } from '../support/vault-log.ts'

test('GALLERY-11 a member of another process is found at once, a hundred times in turn', async () => {
  const world = await galleryVault()
  const other = await world.open()
  await other.loadGallery()
  for (const person of range(1, 100)) {
    await enrollPeople(world.vault, [person])
    expect(await search(other, person)).toContain(await pseudonym(world.vault, person))
  }
}, 60_000)

test('GALLERY-11 a store that shows an older moment for a while hides nobody', async () => {
  const inner = memoryStore()
  const world = await galleryVault({ store: inner })
  await enrollPeople(world.vault, range(1, 40))
  const late = new Map((await rowsOf(inner, 'galleries')).map((row) => [toHex(row.key), row]))
  let lies = 0
  const store: Store = {
    ...hookedStore(inner),
    get: async (table, key, options) => {
      const old = table === 'galleries' && lies > 0 ? late.get(toHex(key)) : undefined
      if (old !== undefined) lies -= 1
      return old ?? (await inner.get(table, key, options))
    },
  }
  const keyring = await openKeyring({ realm: 'clinic', provider: world.provider, store })
  const reader = await openInside({ ...world, keyring, store })
  expect(await search(reader.vault, 40)).toHaveLength(1)
  for (const person of range(41, 50)) {
    await enrollPeople(world.vault, [person])
    lies = 17
    expect(await search(reader.vault, person)).toContain(await pseudonym(world.vault, person))
    expect(lies).toBeLessThan(17)
  }
})

test('GALLERY-11 a load tells how far it is, and what it found', async () => {
  const world = await galleryVault()
  await enrollPeople(world.vault, range(1, 40))
  const other = await world.open()
  const told: number[] = []
  const loaded = await other.loadGallery({ onProgress: ({ members }) => told.push(members) })
  expect(loaded).toMatchObject({ members: 40, unreadable: 0 })
  expect(loaded.shards).toBe(loaded.of)
  expect(told.at(-1)).toBe(40)
})

test('GALLERY-12 a million members of 512 bits take less than 100 MiB', async () => {
  const table = new GalleryTable(32, 512)
  const key = new Uint8Array(32).fill(1)
  const member = { handle: new Uint8Array(16).fill(7), code: new Uint8Array(64).fill(9) }
  for (let number = 1; number <= 31_250; number++) {
    table.addShard(key)
    for (let slot = 0; slot < 32; slot++) table.addSlot(number, member)
  }
  expect(table.members).toBe(1_000_000)
  expect(table.bytes).toBeLessThan(100 * 2 ** 20)
  const views = [table.view(1), table.view(31_250)]
  await table.wipe()
  for (const view of views) expect(view.key.every((byte) => byte === 0)).toBe(true)
  expect([table.members, table.bytes]).toEqual([0, 0])
})

test('GALLERY-12 a code is wiped with its member, and all of them when the vault is closed', async () => {
  const { vault, table } = await openInside(await galleryVault())
  await enrollPeople(vault, range(1, 10))
  await search(vault, 1)
  const views = range(1, table.shards).map((number) => table.view(number))
  const codes = (): number =>
    views.flatMap((view) => range(0, view.fill - 1).map((slot) => view.code(slot))).filter(isWritten).length
  expect(codes()).toBe(10)
  await vault.erase('person-3')
  await vault.revoke('person-4', 'other')
  expect(codes()).toBe(8)
  await vault.close()
  expect(views.some((view) => isWritten(view.key))).toBe(false)
})

test('GALLERY-12 members whom another process removes go with the next look at all shards', async () => {
  const clock = manualClock()
  const world = await galleryVault({ clock })
  const { vault, table } = await openInside(world, clock)
  await enrollPeople(vault, range(1, 30))
  await search(vault, 1)
  expect(table.members).toBe(30)
  await world.vault.erase('person-30')
  clock.advance(60_000)
  await search(vault, 1)
  expect(table.members).toBe(29)
})

test('GALLERY-12 members of full shards go with it, too', async () => {
  const clock = manualClock()
  const inner = memoryStore()
  const store = hookedStore(inner)
  const world = await galleryVault({ clock, store })
  const { vault, table } = await openInside(world, clock)
  // More than the sixteen open shards take: sixteen each.
  for (const from of [1, 101, 201]) await enrollPeople(vault, range(from, from + 99))
  await search(vault, 1)
  const full = range(1, table.shards).filter((number) => table.fill(number) === 16)
  expect(full.length).toBeGreaterThan(0)
  const handles = await Promise.all(range(1, 300).map((person) => pseudonym(vault, person)))
  const inFull = full.flatMap((number) => range(0, 15).map((slot) => table.handle(number, slot)))
  const gone = handles.findIndex((name) =>
    inFull.some((handle) => handle !== undefined && subjectId(handle) === name),
  )
  expect(gone).toBeGreaterThanOrEqual(0)
  await world.vault.erase(`person-${gone + 1}`)
  for (const members of [299, 299]) {
    clock.advance(60_000)
    await search(vault, 2)
    expect(table.members).toBe(members)
  }
}, 60_000)

function isWritten(bytes: Uint8Array | undefined): boolean {
  return bytes?.some((byte) => byte !== 0) === true
}

test('GALLERY-13 scan, confirmation and rank are those of the text, against a plain search', async () => {
  const world = await galleryVault()
  const { vault, table } = await openInside(world)
  // Ten people of whom every two resemble each other: the second is a capture of the first with much noise.
  for (const person of range(1, 40)) await enrollPeople(vault, [person])
  await vault.enroll({ subject: 'twin', basis: basis(), ...sample(7, 3) })
  const decision = await vault.identify({ limit: 8, ...sample(7, 9) })
  expect(decision.outcome).toBe('candidates')
  const { candidates } = decision as Extract<IdentifyDecision, { outcome: 'candidates' }>
  const twin = await vault.describe('twin')
  const both = [await pseudonym(vault, 7), twin?.subject]
  expect(
    candidates
      .map(({ subject }) => subject)
      .slice(0, 2)
      .sort((a, b) => a.localeCompare(b)),
  ).toEqual(both.sort((a, b) => String(a).localeCompare(String(b))))
  expect(candidates.map(({ rank }) => rank)).toEqual(candidates.map((_, i) => i + 1))
  for (const candidate of candidates) {
    expect(Object.keys(candidate).sort()).toEqual(['exposed', 'rank', 'record', 'subject'])
  }
  const one = await vault.identify({ limit: 1, ...sample(7, 9) })
  expect((one as typeof decision & { candidates: unknown }).candidates).toEqual([candidates[0]])
  const integers = toIntegers(embedding(face(7, 9), MODEL))
  const hits = await scanTable(table, { integers, bits: BITS, threshold: 1 })
  expect(hits.length).toBeGreaterThan(10)
  const ranks = hits.map(({ rank }) => rank)
  expect([...ranks].sort((a, b) => b - a)).toEqual(ranks)
  expect(new Set(hits.slice(0, 2).map(({ handle }) => toHex(handle))).size).toBe(2)
})

test('GALLERY-13 of more than 64 the 64 most alike stay, of equal ones those that come first', async () => {
  const table = new GalleryTable(32, BITS)
  for (let number = 1; number <= 4; number++) {
    table.addShard(new Uint8Array(32).fill(number > 2 ? 1 : number))
    for (let slot = 0; slot < 32; slot++) {
      const handle = new Uint8Array(16).fill(1 + number * 32 + slot)
      table.addSlot(number, { handle, code: new Uint8Array(BITS / 8).fill(slot * 7) })
    }
  }
  const integers = toIntegers(embedding(face(1), MODEL))
  const all: { number: number; slot: number; rank: number }[] = []
  for (let number = 1; number <= 4; number++) {
    const one = new GalleryTable(32, BITS)
    one.addShard(table.view(number).key)
    for (let slot = 0; slot < 32; slot++) {
      const code = table.view(number).code(slot) as Uint8Array
      one.addSlot(1, { handle: new Uint8Array(16).fill(1), code })
    }
    for (const hit of await scanTable(one, { integers, bits: BITS, threshold: 1 }))
      all.push({ ...hit, number })
  }
  const hits = await scanTable(table, { integers, bits: BITS, threshold: 1 })
  const order = (a: (typeof all)[0], b: (typeof all)[0]): number =>
    b.rank - a.rank || a.number - b.number || a.slot - b.slot
  const expected = all.sort(order).slice(0, 64)
  expect(hits.map(({ number, slot, rank }) => ({ number, slot, rank }))).toEqual(
    expected.map(({ number, slot, rank }) => ({ number, slot, rank })),
  )
  expect(rankOf(-3, 9)).toBe(-1)
})

test('GALLERY-13 the confirmation decides: whoever only passes the scan is no candidate', async () => {
  const world = await galleryVault()
  await enrollPeople(world.vault, range(1, 60))
  const strict = await world.open({
    gallery: gallery({ points: [idPoint({ scanThreshold: 1, threshold: 9900 })] }),
  })
  const lax = await world.open({
    gallery: gallery({ points: [idPoint({ scanThreshold: 1, threshold: 1 })] }),
  })
  expect(await search(strict, 1)).toEqual([])
  expect((await search(lax, 1)).length).toBe(8)
  const blind = await world.open({
    gallery: gallery({ points: [idPoint({ scanThreshold: 10_000, threshold: 1 })] }),
  })
  expect(await search(blind, 1)).toEqual([])
})

test.each([
  ['revoke', (vault: Vault) => vault.revoke('person-1', 'other')],
  ['suspend', (vault: Vault) => vault.suspend('person-1')],
  ['hold', (vault: Vault) => vault.hold('person-1')],
  ['erase', (vault: Vault) => vault.erase('person-1')],
] as const)('GALLERY-14 after %s no process names the person, also one that has the code', async (_, end) => {
  const world = await galleryVault()
  const other = await world.open()
  await enrollPeople(world.vault, range(1, 5))
  expect(await search(other, 1)).toHaveLength(1)
  await end(world.vault)
  expect(await search(other, 1)).toEqual([])
  expect(await search(world.vault, 1)).toEqual([])
})

test('GALLERY-14 who is reissued under another face is found by that one only', async () => {
  const world = await galleryVault()
  const other = await world.open()
  await enrollPeople(world.vault, range(1, 5))
  expect(await search(other, 1)).toHaveLength(1)
  await world.vault.reissue({ subject: 'person-1', basis: basis(), ...sample(77) })
  expect(await search(other, 1)).toEqual([])
  expect(await search(other, 77)).toEqual([await pseudonym(other, 1)])
})

test('GALLERY-14 a basis that has ended, to the millisecond, names nobody', async () => {
  const clock = manualClock()
  const world = await galleryVault({ clock })
  await world.vault.enroll({
    subject: 'person-1',
    basis: basis({ expiresAt: new Date(clock.nowMs() + 1000) }),
    ...sample(1),
  })
  clock.advance(999)
  expect(await search(world.vault, 1)).toHaveLength(1)
  clock.advance(1)
  expect(await search(world.vault, 1)).toEqual([])
})

test('GALLERY-14 a revocation that commits between confirmation and answer leads to a new decision', async () => {
  const inner = memoryStore()
  const store = hookedStore(inner)
  const world = await galleryVault({ store })
  await enrollPeople(world.vault, range(1, 5))
  expect(await search(world.vault, 1)).toHaveLength(1)
  const other = await world.open()
  let done = false
  store.fault = {
    before: async ({ name, steps }) => {
      const answers =
        steps.some((step) => step.step === 'append') && steps.some((step) => step.table === 'states')
      if (name !== 'commit' || !answers || done) return
      done = true
      await other.revoke('person-1', 'other')
    },
  }
  expect(await search(world.vault, 1)).toEqual([])
  expect(done).toBe(true)
})

test('GALLERY-13 two realms in one store: a search of one sees and changes nothing of the other', async () => {
  const store = memoryStore()
  const [one, other] = [await galleryVault({ store }), await galleryVault({ store, realm: 'other' })]
  await enrollPeople(one.vault, range(1, 10))
  await enrollPeople(other.vault, range(11, 20))
  const before = [...(await dump(store))].filter(([key]) =>
    key.includes(toHex(realmPrefix('other' as Realm))),
  )
  for (const person of [3, 13]) {
    expect(await search(one.vault, person)).toHaveLength(person === 3 ? 1 : 0)
    expect(await typedCode(one.vault.enroll({ ...unique(person), ...sample(person, 2) }))).toMatch(
      person === 3 ? /DUPLICATE/ : /^resolved/,
    )
  }
  const after = [...(await dump(store))].filter(([key]) => key.includes(toHex(realmPrefix('other' as Realm))))
  expect(before.length).toBeGreaterThan(50)
  expect(after).toEqual(before)
  expect(await search(other.vault, 3)).toEqual([])
})

const unique = (person: number): { subject: string; basis: ReturnType<typeof basis>; unique: true } => ({
  subject: `again-${person}`,
  basis: basis(),
  unique: true,
})

test('GALLERY-15 every answer is logged: asker, ground, purpose, point, outcome, the first candidate', async () => {
  const world = await galleryVault({ gallery: gallery({ queriesPerHour: 2 }) })
  await enrollPeople(world.vault, range(1, 5))
  const asked = { actor: 'desk-4' }
  await world.vault.identify({ limit: 1, ...sample(2, 1) }, asked)
  await world.vault.identify({ limit: 1, ...sample(900, 1) }, asked)
  await world.vault.identify({ limit: 1, ...sample(2, 1) }, asked)
  await world.vault.suspend('person-5')
  const entries = (await entriesOf(world.store)).filter(({ action }) => action === 'identify')
  const policy = `one-record/${identificationPointId(idPoint())}`
  expect(entries).toHaveLength(3)
  for (const entry of entries) expect(entry).toMatchObject({ actor: 'desk-4', policy, basis: 'consent' })
  expect(entries.map(({ outcome }) => outcome)).toEqual(['match', 'nonmatch', 'refused'])
  const [match, ...others] = entries
  const { record } = (await world.vault.describe('person-2')) ?? {}
  expect(Buffer.from(match?.record ?? []).toString('base64url')).toBe(record)
  for (const { handle, record: nobody } of others) expect([handle, nobody]).toEqual([null, null])
})

test('GALLERY-15 an answer that cannot be logged does not leave', async () => {
  const store = hookedStore(memoryStore())
  const world = await galleryVault({ store })
  await enrollPeople(world.vault, [1])
  store.fault = {
    before: ({ steps }) => {
      if (steps.some((step) => step.step === 'append')) throw new Error('the disk is full')
    },
  }
  await expect(world.vault.identify({ limit: 1, ...sample(1, 1) })).rejects.toThrow('the disk is full')
})

test('GALLERY-16 points that do not fit, or do not show one false answer in 1,000', async () => {
  const world = await galleryVault()
  const open = (points: GalleryOptions['points'], high = false): Promise<string> =>
    typedCode(world.open({ gallery: gallery({ points }), [allowHighFalseMatchRate]: high as true }))
  const few = { value: 0, low: 0, high: 2e-3, trials: 2999, confidence: 0.95 } as const
  const many = { value: 1.1e-3, low: 1e-3, high: 2e-3, trials: 100_000, confidence: 0.95 } as const
  expect(await open([idPoint({ falsePositiveRate: few })])).toBe('ERR_GALLERY_POINT')
  expect(await open([idPoint({ falsePositiveRate: many })])).toBe('ERR_GALLERY_POINT')
  expect(await open([idPoint({ falsePositiveRate: many })], true)).toMatch(/^resolved/)
  expect(await open([idPoint()])).toMatch(/^resolved/)
  for (const wrong of [
    { model: 'another@1' },
    { meanHash: 'ab'.repeat(32) },
    { bits: 128 },
    { galleryBits: 128 },
    { threshold: 0 },
    { scanThreshold: 10_001 },
    { gallerySize: 0 },
    { source: '' },
    { falsePositiveRate: { ...few, high: 1e-6 } },
  ]) {
    expect(await open([idPoint(wrong as never)], true)).toBe('ERR_GALLERY_POINT')
  }
  expect(await open([idPoint(), idPoint()], true)).toBe('ERR_GALLERY_POINT')
})

test('GALLERY-17 no search of a gallery that is larger than the one of the measurement', async () => {
  const points = [idPoint({ gallerySize: 5 })]
  const world = await galleryVault({ gallery: gallery({ points }) })
  await enrollPeople(world.vault, range(1, 5))
  expect(await search(world.vault, 1)).toHaveLength(1)
  await enrollPeople(world.vault, [6])
  const decision = await world.vault.identify({ limit: 1, ...sample(1, 1) })
  expect(decision).toEqual({ outcome: 'refused', reason: 'gallery-too-large' })
  const unique = world.vault.enroll({ subject: 'seven', basis: basis(), unique: true, ...sample(7) })
  expect(await typedCode(unique)).toBe('ERR_GALLERY_TOO_LARGE')
  await world.vault.erase('person-6')
  expect(await search(world.vault, 1)).toHaveLength(1)
})
