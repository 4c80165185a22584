/** Requirement GALLERY-21 of SPEC.md: a gallery that several processes keep answers as one would. @module */
import { type GalleryPart, memoryStore, type Vault } from 'guise'
import { expect, test } from 'vitest'
import {
  coordinator,
  enrollPeople,
  gallery,
  galleryVault,
  idPoint,
  openParts,
  pseudonym,
  range,
  reached,
  search,
} from '../support/gallery.ts'
import { hookedStore, overwrite, rowsOf, typedCode } from '../support/rows.ts'
import { basis, manualClock, numbers, sample } from '../support/vault.ts'

const PREFIX = 1 + 'clinic'.length

test('GALLERY-21 the answers are those of the undivided gallery, for every number of parts', async () => {
  const world = await galleryVault()
  await enrollPeople(world.vault, range(1, 150))
  for (const person of [3, 50, 51, 149]) await world.vault.erase(`person-${person}`)
  for (const person of [8, 90])
    await world.vault.enroll({ subject: `twin-${person}`, basis: basis(), ...sample(person, 3) })
  for (const of of [1, 2, 3, 7, 40]) {
    const parts = await openParts(world, of)
    const vault = await coordinator(world, reached(parts))
    for (const person of [1, 3, 8, 50, 90, 150, 999]) {
      const question = (): object => ({ limit: 8, ...sample(person, 5) })
      expect(await vault.identify(question() as never)).toEqual(
        await world.vault.identify(question() as never),
      )
    }
    const loads = await Promise.all(parts.map((part) => part.load()))
    const members = loads.reduce((sum, load) => sum + load.members, 0)
    const shards = loads.reduce((sum, load) => sum + load.shards, 0)
    expect(await vault.loadGallery()).toMatchObject({ members, shards, of: shards, unreadable: 0 })
    expect(await world.vault.loadGallery()).toMatchObject({ members, shards })
    // No part has what belongs to another.
    expect(Math.max(...loads.map((load) => load.shards))).toBeLessThanOrEqual(Math.ceil(shards / of))
    for (const part of parts) await part.close()
    await vault.close()
  }
}, 120_000)

test('GALLERY-21 whoever was enrolled before is found, whoever has gone is not, by parts that were loaded long ago', async () => {
  const clock = manualClock()
  const world = await galleryVault({ clock })
  const parts = await openParts(world, 3, { clock })
  await enrollPeople(world.vault, range(1, 30))
  for (const part of parts) await part.load()
  const vault = await coordinator(world, reached(parts))
  for (const person of range(31, 60)) {
    await enrollPeople(world.vault, [person])
    expect(await search(vault, person)).toContain(await pseudonym(world.vault, person))
  }
  const verbs = ['revoke', 'suspend', 'hold', 'erase', 'reissue'] as const
  for (const [i, verb] of verbs.entries()) {
    const subject = `person-${i + 1}`
    if (verb === 'revoke') await world.vault.revoke(subject, 'other')
    else if (verb === 'reissue') await world.vault.reissue({ subject, basis: basis(), ...sample(500) })
    else await world.vault[verb](subject)
    expect(await search(vault, i + 1)).toEqual([])
  }
  expect(await search(vault, 500)).toHaveLength(1)
  // A full shard is looked at again after a minute, and what has gone is wiped in every part.
  clock.advance(60_000)
  const members = (await Promise.all(parts.map((part) => part.load()))).reduce(
    (sum, one) => sum + one.members,
    0,
  )
  expect(members).toBe(58)
})

test('GALLERY-21 one face under 24 subjects at once, through four coordinators: one record', async () => {
  const world = await galleryVault()
  const parts = reached(await openParts(world, 3))
  const vaults = await Promise.all(range(1, 4).map(() => coordinator(world, parts)))
  await enrollPeople(world.vault, range(50, 70))
  const codes = await Promise.all(
    range(1, 24).map((i) => {
      const vault = vaults[i % 4] as Vault
      return typedCode(vault.enroll({ subject: `shell-${i}`, basis: basis(), unique: true, ...sample(1, i) }))
    }),
  )
  expect(codes.filter((code) => code.startsWith('resolved'))).toHaveLength(1)
  expect(codes.filter((code) => code === 'ERR_GALLERY_DUPLICATE')).toHaveLength(23)
  expect(await rowsOf(world.store, 'references')).toHaveLength(22)
}, 120_000)

test('GALLERY-21 a twin that commits after the parts have answered is met by a new decision', async () => {
  const store = hookedStore(memoryStore())
  const world = await galleryVault({ store })
  const vault = await coordinator(world, reached(await openParts(world, 2)))
  await enrollPeople(world.vault, range(1, 120))
  for (const person of range(200, 206)) {
    let twin: string | undefined
    store.fault = {
      before: async ({ name, steps }) => {
        const enrols = steps.some(({ step, table }) => step === 'put' && table === 'references')
        if (name !== 'commit' || !enrols || twin !== undefined) return
        twin = ''
        const unique = { unique: true, basis: basis() } as const
        twin = await typedCode(
          world.vault.enroll({ subject: `twin-${person}`, ...unique, ...sample(person, 1) }),
        )
      },
    }
    const request = { subject: `person-${person}`, basis: basis(), unique: true, ...sample(person) } as const
    expect(await typedCode(vault.enroll(request))).toBe('ERR_GALLERY_DUPLICATE')
    expect(twin).toMatch(/^resolved/)
  }
}, 60_000)

test('GALLERY-21 a twin that commits while the answers are under way is met by a new decision', async () => {
  const world = await galleryVault()
  await enrollPeople(world.vault, range(1, 120))
  const inner = reached(await openParts(world, 2))
  let person = 300
  let enrolling: Promise<string> | undefined
  // Both parts have looked; their answers wait until the twin is enrolled.
  const waiting: Promise<Uint8Array>[] = []
  const late = inner.map(
    (part): GalleryPart =>
      async (question, options) => {
        const answer = part(question, options)
        waiting.push(answer)
        await answer
        if (waiting.length === 2 && enrolling === undefined) {
          const unique = { unique: true, basis: basis() } as const
          const request = { subject: `twin-${person}`, ...unique, ...sample(person, 1) }
          enrolling = Promise.all(waiting).then(() => typedCode(world.vault.enroll(request)))
        }
        await enrolling
        return await answer
      },
  )
  const vault = await coordinator(world, late)
  for (; person < 310; person++) {
    enrolling = undefined
    waiting.length = 0
    const request = { subject: `person-${person}`, basis: basis(), unique: true, ...sample(person) } as const
    expect(await typedCode(vault.enroll(request))).toBe('ERR_GALLERY_DUPLICATE')
    expect(await (enrolling as Promise<string> | undefined)).toMatch(/^resolved/)
  }
}, 60_000)

test('GALLERY-21 the size that counts is that of all parts together, and a lost member of one keeps nobody unique', async () => {
  const world = await galleryVault()
  await enrollPeople(world.vault, range(1, 40))
  const parts = reached(await openParts(world, 4))
  const small = await coordinator(world, parts, {})
  await small.close()
  const vault = await world.open({ gallery: gallery({ parts, points: [idPoint({ gallerySize: 39 })] }) })
  expect(await search(vault, 1)).toEqual(['gallery-too-large'])
  const [member] = (await rowsOf(world.store, 'galleries')).filter(({ key }) => key[PREFIX] === 2)
  if (member === undefined) throw new Error('no member')
  await overwrite(world.store, 'galleries', member.key, new Uint8Array(9))
  const fresh = reached(await openParts(world, 4))
  const damaged = await coordinator(world, fresh)
  expect(await damaged.loadGallery()).toMatchObject({ unreadable: 1 })
  const unique = damaged.enroll({ subject: 'new', basis: basis(), unique: true, ...sample(300) })
  expect(await typedCode(unique)).toBe('ERR_GALLERY_DAMAGED')
})

test('GALLERY-21 random enrolments, departures and searches, three parts beside one process', async () => {
  const world = await galleryVault()
  const parts = await openParts(world, 3)
  const vault = await coordinator(world, reached(parts))
  const random = numbers(2109)
  const there = new Set<number>()
  for (let turn = 0; turn < 120; turn++) {
    const person = 1 + Math.floor(40 * random())
    if (random() < 0.5) {
      if (there.delete(person)) await world.vault.erase(`person-${person}`)
      else {
        there.add(person)
        await enrollPeople(turn % 2 === 0 ? vault : world.vault, [person])
      }
    }
    const whole = await search(world.vault, person, turn)
    expect(await search(vault, person, turn)).toEqual(whole)
    expect(whole).toHaveLength(there.has(person) ? 1 : 0)
  }
}, 120_000)
