/** Requirements GALLERY-18 to GALLERY-20 of SPEC.md: how often may be asked, and one record a person. @module */
import { type Candidate, memoryStore, type Vault } from 'guise'
import { expect, test } from 'vitest'
import { enrollPeople, gallery, galleryVault, pseudonym, range, search } from '../support/gallery.ts'
import { dump, hookedStore, overwrite, rowsOf, typedCode } from '../support/rows.ts'
import { basis, manualClock, sample } from '../support/vault.ts'
import { entriesOf } from '../support/vault-log.ts'

const PREFIX = 1 + 'clinic'.length

test('GALLERY-18 at most so many searches an hour, all processes together, counted before they are made', async () => {
  const clock = manualClock()
  const world = await galleryVault({ clock, gallery: gallery({ queriesPerHour: 20 }) })
  const vaults = [world.vault, await world.open(), await world.open()]
  await enrollPeople(world.vault, range(1, 3))
  const decisions = await Promise.all(
    range(1, 40).map((i) => (vaults[i % 3] as Vault).identify({ limit: 1, ...sample(1, i) })),
  )
  expect(decisions.filter(({ outcome }) => outcome === 'candidates')).toHaveLength(20)
  const refused = decisions.filter(({ outcome }) => outcome === 'refused')
  expect(refused).toHaveLength(20)
  for (const one of refused)
    expect(one).toEqual({ outcome: 'refused', reason: 'throttled', retryAfterMs: 3_600_000 })
  const unique = world.vault.enroll({ subject: 'new', basis: basis(), unique: true, ...sample(9) })
  expect(await typedCode(unique)).toBe('ERR_GALLERY_THROTTLED')
  clock.advance(3_599_999)
  expect(await search(world.vault, 1)).toEqual(['throttled'])
  clock.advance(1)
  expect(await search(world.vault, 1)).toHaveLength(1)
})

test('GALLERY-18 a wall clock that jumps gives no search more, and locks for no more than an hour', async () => {
  const clock = manualClock()
  const world = await galleryVault({ clock, gallery: gallery({ queriesPerHour: 1 }) })
  await search(world.vault, 1)
  clock.jump(1e10)
  expect(await search(world.vault, 1)).toEqual(['throttled'])
  clock.jump(-2e10)
  expect(await search(world.vault, 1)).toEqual(['throttled'])
  clock.advance(3_600_000)
  expect(await search(world.vault, 1)).toEqual([])
})

test('GALLERY-18 a search that cannot be counted is not made', async () => {
  const store = hookedStore(memoryStore())
  const world = await galleryVault({ store })
  await enrollPeople(world.vault, [1])
  const [budget] = (await rowsOf(store, 'galleries')).filter(({ key }) => key[PREFIX] === 3)
  expect(budget).toBeUndefined()
  store.fault = {
    before: ({ steps }) => {
      if (steps.some(({ step, table }) => step === 'put' && table === 'galleries'))
        throw new Error('read only')
    },
  }
  await expect(world.vault.identify({ limit: 1, ...sample(1, 1) })).rejects.toThrow('read only')
})

test('GALLERY-19 one face under 24 subjects at once, in four processes: one record', async () => {
  const world = await galleryVault()
  const vaults = [world.vault, await world.open(), await world.open(), await world.open()]
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
  expect(await search(world.vault, 1, 99)).toHaveLength(1)
}, 120_000)

test('GALLERY-19 a twin that commits between search and answer is met by a new decision', async () => {
  const store = hookedStore(memoryStore())
  const world = await galleryVault({ store })
  const other = await world.open()
  // Every place has a shard: the two go to different ones without touching the head.
  await enrollPeople(world.vault, range(1, 120))
  for (const person of range(200, 212)) {
    let twin: string | undefined
    store.fault = {
      before: async ({ name, steps }) => {
        const enrols = steps.some(({ step, table }) => step === 'put' && table === 'references')
        if (name !== 'commit' || !enrols || twin !== undefined) return
        twin = ''
        const unique = { unique: true, basis: basis() } as const
        twin = await typedCode(other.enroll({ subject: `twin-${person}`, ...unique, ...sample(person, 1) }))
      },
    }
    const enrolled = world.vault.enroll({
      subject: `person-${person}`,
      basis: basis(),
      unique: true,
      ...sample(person),
    })
    expect(await typedCode(enrolled)).toBe('ERR_GALLERY_DUPLICATE')
    expect(twin).toMatch(/^resolved/)
  }
}, 60_000)

test('GALLERY-19 a refused enrolment writes nothing but its entry', async () => {
  const world = await galleryVault()
  await enrollPeople(world.vault, [1])
  await world.vault.suspend('person-1')
  const rows = async (): Promise<readonly string[]> =>
    [...(await dump(world.store)).keys()].filter((key) => !/^galleries .*03$/.test(key))
  const before = await rows()
  const again = world.vault.enroll({ subject: 'again', basis: basis(), unique: true, ...sample(1, 1) })
  expect(await typedCode(again)).toBe('ERR_GALLERY_DUPLICATE')
  expect(await rows()).toEqual(before)
  await world.vault.resume('person-1')
  await world.vault.suspend('person-1')
  const refused = (await entriesOf(world.store)).filter(({ outcome }) => outcome === 'refused')
  expect(refused).toMatchObject([{ action: 'enroll', handle: null, basis: 'consent' }])
})

test('GALLERY-19 to be flagged is to be enrolled, with the names of those alike', async () => {
  const world = await galleryVault()
  await enrollPeople(world.vault, range(1, 10))
  const first = await world.vault.enroll({ subject: 'new', basis: basis(), unique: 'flag', ...sample(20) })
  expect(first.duplicates).toEqual([])
  const flagged = await world.vault.enroll({
    subject: 'again',
    basis: basis(),
    unique: 'flag',
    ...sample(3, 1),
  })
  const [alike] = flagged.duplicates as readonly Candidate[]
  expect(alike).toMatchObject({ rank: 1, subject: await pseudonym(world.vault, 3) })
  expect(
    await typedCode(
      world.vault.enroll({ subject: 'x', basis: basis(), unique: 'no' as never, ...sample(4) }),
    ),
  ).toBe('ERR_VAULT_INPUT')
})

test('GALLERY-19 a person who was erased may come again', async () => {
  const world = await galleryVault()
  const other = await world.open()
  const enroll = (vault: Vault, subject: string): Promise<string> =>
    typedCode(vault.enroll({ subject, basis: basis(), unique: true, ...sample(1) }))
  expect(await enroll(world.vault, 'one')).toMatch(/^resolved/)
  expect(await enroll(other, 'two')).toBe('ERR_GALLERY_DUPLICATE')
  await world.vault.erase('one')
  expect(await enroll(other, 'two')).toMatch(/^resolved/)
})

test('GALLERY-20 nobody is unique while a member cannot be read', async () => {
  const world = await galleryVault()
  await enrollPeople(world.vault, range(1, 5))
  const member = (await rowsOf(world.store, 'galleries')).find(({ key }) => key[PREFIX] === 2)
  const { key, bytes } = member ?? { key: new Uint8Array(1), bytes: new Uint8Array(1) }
  const altered = bytes.map((byte, i) => (i === bytes.length - 1 ? byte ^ 1 : byte))
  await overwrite(world.store, 'galleries', key, altered)
  expect(await world.vault.loadGallery()).toMatchObject({ members: 4, unreadable: 1 })
  const enroll = (): Promise<string> =>
    typedCode(world.vault.enroll({ subject: 'new', basis: basis(), unique: true, ...sample(9) }))
  expect(await enroll()).toBe('ERR_GALLERY_DAMAGED')
  const named: string[] = []
  for (const person of range(1, 5))
    if ((await search(world.vault, person)).length === 0) named.push(`person-${person}`)
  expect(named).toHaveLength(1)
  await world.vault.erase(named[0] as string)
  expect(await enroll()).toMatch(/^resolved/)
})
