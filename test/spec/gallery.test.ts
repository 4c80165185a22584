/** Requirements GALLERY-1 to GALLERY-10 of SPEC.md: what is declared, and what is kept. @module */
import {
  allowHighFalseMatchRate,
  allowOvercomplete,
  embedding,
  type GalleryOptions,
  memoryStore,
  type Vault,
  type VaultOptions,
} from 'guise'
import { fsck } from 'guise/node'
import { expect, test } from 'vitest'
import { toHex } from '../../src/base/bytes.ts'
import { toIntegers } from '../../src/embedding/embedding.ts'
import { decodeHeadRow, type GalleryHead } from '../../src/gallery/head-row.ts'
import { decodeMemberRow, openMember } from '../../src/gallery/member-row.ts'
import { decodeShardRow, type ShardRow } from '../../src/gallery/shard-row.ts'
import { openShardKey } from '../../src/gallery/shard-wrap.ts'
import { ringAccess } from '../../src/keys/keyring.ts'
import { decodeSecretRow } from '../../src/record/secret-row.ts'
import { encodeReference } from '../../src/template/template.ts'
import { VaultKeys } from '../../src/vault/keys.ts'
import { vaultStatus } from '../../src/vault/status.ts'
import {
  BITS,
  enrollPeople,
  gallery,
  galleryVault,
  idPoint,
  pseudonym,
  range,
  search,
} from '../support/gallery.ts'
import { hookedStore, overwrite, remove, rowsOf, typedCode } from '../support/rows.ts'
import { basis, face, MODEL, point, sample, type TestVault, testVault } from '../support/vault.ts'
import { entriesOf } from '../support/vault-log.ts'

const PREFIX = 1 + 'clinic'.length

async function keysOf({ keyring }: TestVault): Promise<VaultKeys> {
  const ring = new VaultKeys(ringAccess(keyring))
  await ring.refresh()
  await ring.load()
  return ring
}

/** What the gallery's rows say. */
async function rowsSaid(world: TestVault): Promise<{
  readonly head: GalleryHead | undefined
  readonly shards: readonly ShardRow[]
  readonly members: number
}> {
  const ring = await keysOf(world)
  const key = (version: number): Uint8Array | undefined => ring.realmKeys(version)?.state
  const realm = world.keyring.realm
  let head: GalleryHead | undefined
  const shards: ShardRow[] = []
  let members = 0
  for (const row of await rowsOf(world.store, 'galleries')) {
    const kind = row.key[PREFIX]
    if (kind === 0) head = decodeHeadRow(row.bytes, realm, key)
    if (kind === 1) shards.push(decodeShardRow(row.bytes, { realm, number: shards.length + 1 }, key))
    if (kind === 2) members += 1
  }
  return { head, shards, members }
}

async function faultsOf({ keyring, store }: TestVault): Promise<readonly string[]> {
  const faults: string[] = []
  for await (const { kind, table } of fsck({ keyring, store })) faults.push(`${kind} ${table}`)
  return faults.sort()
}

const declared = (options: Partial<VaultOptions>): Promise<string> => typedCode(galleryVault(options))
const without = (field: keyof GalleryOptions): GalleryOptions => gallery({ [field]: undefined })

test('GALLERY-1 under no other custody, and not without purpose, basis, limit and point', async () => {
  expect(await declared({ custody: { profile: 'holder' } })).toBe('ERR_GALLERY_CUSTODY')
  for (const field of ['purpose', 'basis', 'limit'] as const) {
    expect(await declared({ gallery: without(field) })).toBe('ERR_GALLERY_DECLARATION')
  }
  expect(await declared({ gallery: gallery({ purpose: 'x'.repeat(41) }) })).toBe('ERR_GALLERY_DECLARATION')
  expect(await declared({ gallery: gallery({ limit: 0 }) })).toBe('ERR_GALLERY_DECLARATION')
  expect(await declared({ gallery: gallery({ points: [] }) })).toBe('ERR_GALLERY_POINT')
  expect(await declared({ gallery: without('points') })).toBe('ERR_GALLERY_POINT')
})

test('GALLERY-1 template and member code together store no more bits than dimensions', async () => {
  const whole = { bits: 128, operatingPoints: [point(MODEL, 128)] } as const
  const points = [idPoint({ bits: 128 })]
  expect(await declared({ ...whole, gallery: gallery({ points }) })).toBe('ERR_GALLERY_BITS')
  expect(await declared({ ...whole, gallery: gallery({ points, bits: 64 }) })).toBe('ERR_GALLERY_BITS')
  const { vault } = await galleryVault({
    ...whole,
    gallery: gallery({ points, bits: 64 }),
    [allowOvercomplete]: true,
  })
  await enrollPeople(vault, [1])
  expect(await search(vault, 1)).toEqual([await pseudonym(vault, 1)])
})

test('GALLERY-1 a vault without a gallery searches nothing', async () => {
  const { vault } = await testVault()
  expect(await typedCode(vault.identify({ limit: 1, ...sample(1) }))).toBe('ERR_GALLERY_UNDECLARED')
  expect(await typedCode(vault.loadGallery())).toBe('ERR_GALLERY_UNDECLARED')
  const unique = vault.enroll({ subject: 'anna', basis: basis(), unique: true, ...sample(1) })
  expect(await typedCode(unique)).toBe('ERR_GALLERY_UNDECLARED')
})

test('GALLERY-2 one declaration for the realm; another limit replaces it, logged', async () => {
  const world = await galleryVault()
  const other = (change: Partial<GalleryOptions>): Promise<string> =>
    typedCode(world.open({ gallery: gallery(change) }))
  expect(await other({ purpose: 'another' })).toBe('ERR_GALLERY_DECLARATION')
  expect(await other({ basis: 'law' })).toBe('ERR_GALLERY_DECLARATION')
  const more = await world.open({ gallery: gallery({ limit: 7 }) })
  await world.open({ gallery: gallery({ limit: 7 }) })
  expect((await rowsSaid(world)).head).toMatchObject({ limit: 7, version: 2, basis: 'consent', count: 0 })
  await enrollPeople(more, [1])
  await more.suspend('person-1')
  const entries = (await entriesOf(world.store)).filter(({ action }) => action === 'gallery')
  expect(entries).toMatchObject([
    { outcome: 'done', policy: 'one-record', basis: 'consent' },
    { outcome: 'done', policy: 'one-record', basis: 'consent' },
  ])
})

test('GALLERY-3 nobody whose basis is of another kind', async () => {
  const world = await galleryVault()
  const law = basis({ kind: 'law' })
  const enrolled = world.vault.enroll({ subject: 'anna', basis: law, ...sample(1) })
  expect(await typedCode(enrolled)).toBe('ERR_GALLERY_BASIS')
  await enrollPeople(world.vault, [2])
  const renewed = world.vault.reissue({ subject: 'person-2', basis: law, ...sample(2, 1) })
  expect(await typedCode(renewed)).toBe('ERR_GALLERY_BASIS')
  expect((await rowsSaid(world)).members).toBe(1)
})

test('GALLERY-4 a shard takes min(32, d/8) insertions in its life; holes stay holes', async () => {
  const world = await galleryVault()
  await enrollPeople(world.vault, range(1, 150))
  for (const person of range(1, 60)) await world.vault.erase(`person-${person}`)
  const before = (await rowsSaid(world)).shards
  await enrollPeople(world.vault, range(201, 350))
  const { shards, members, head } = await rowsSaid(world)
  expect(members).toBe(240)
  expect(shards.flatMap(({ slots }) => slots)).toHaveLength(300)
  expect(Math.max(...shards.map(({ slots }) => slots.length))).toBe(16)
  expect(shards.flatMap(({ slots }) => slots).filter((slot) => slot === null)).toHaveLength(60)
  for (const [i, { slots }] of before.entries()) {
    for (const [slot, handle] of slots.entries()) expect(shards[i]?.slots[slot]).toEqual(handle)
  }
  const full = shards.filter(({ slots }) => slots.length === 16).map(({ number }) => number)
  expect(full.length).toBeGreaterThan(2)
  expect(head?.count).toBe(shards.length)
  expect(head?.open.filter((number) => full.includes(number))).toEqual([])
  expect(await faultsOf(world)).toEqual([])
}, 60_000)

test('GALLERY-4 every shard has a key of its own, that stays', async () => {
  const world = await galleryVault()
  await enrollPeople(world.vault, range(1, 40))
  const keys = await shardKeys(world)
  expect(new Set(keys).size).toBe(keys.length)
  await enrollPeople(world.vault, range(41, 60))
  expect((await shardKeys(world)).slice(0, keys.length)).toEqual(keys)
})

async function shardKeys(world: TestVault): Promise<readonly string[]> {
  const ring = await keysOf(world)
  const keys: string[] = []
  for (const shard of (await rowsSaid(world)).shards) {
    await ring.loadEpoch(shard.epoch)
    const custody = ring.requireRealmKeys(shard.custodyVersion).preparedOperator
    keys.push(toHex(ring.withEpoch(shard.epoch, (epoch) => openShardKey(shard, { custody, epoch }))))
  }
  return keys
}

test('GALLERY-5 places are drawn at random, each about as often', async () => {
  const { drawPlace } = await import('../../src/vault/gallery-change.ts')
  const counts = new Array<number>(16).fill(0)
  for (let i = 0; i < 16_000; i++) {
    const place = drawPlace()
    counts[place] = (counts[place] ?? 0) + 1
  }
  // Standard deviation 31: eight of them.
  for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(250)
  const world = await galleryVault()
  await enrollPeople(world.vault, range(1, 30))
  const { head, shards } = await rowsSaid(world)
  expect(shards.length).toBeGreaterThan(8)
  for (const shard of shards) expect(head?.open).toContain(shard.number)
})

test('GALLERY-6 rotation re-wraps shards without opening them, and status counts them', async () => {
  const world = await galleryVault()
  await enrollPeople(world.vault, range(1, 20))
  const keys = await shardKeys(world)
  const { shards } = await rowsSaid(world)
  const epoch = await world.keyring.add()
  await world.keyring.promote(epoch)
  const results = []
  for await (const result of world.vault.rotate()) results.push(result)
  expect(results).toHaveLength(20)
  const after = (await rowsSaid(world)).shards
  expect(after.map((shard) => [shard.epoch, shard.since])).toEqual(shards.map(() => [2, 1]))
  expect(await shardKeys(world)).toEqual(keys)
  const status = await vaultStatus({ keyring: world.keyring, store: world.store })
  expect(status.epochs.map(({ wraps }) => wraps)).toEqual([0, 20 + shards.length])
  await world.keyring.disable(1)
  await world.keyring.destroy(1)
  const other = await world.open()
  expect(await search(other, 7)).toContain(await pseudonym(other, 7))
  expect(await faultsOf(world)).toEqual([])
})

test('GALLERY-7 a member is the B6 code under its shard key, sealed under the record secret', async () => {
  const world = await galleryVault()
  await enrollPeople(world.vault, [3])
  const ring = await keysOf(world)
  const rows = await rowsOf(world.store, 'galleries')
  const stored = rows.find(({ key }) => key[PREFIX] === 2)
  const handle = stored?.key.slice(PREFIX + 1) as Uint8Array
  const realm = world.keyring.realm
  const member = decodeMemberRow(stored?.bytes as Uint8Array, { profile: { realm }, handle })
  expect(member.profile).toMatchObject({ purpose: 'one-record', bits: BITS, dimensions: 128 })
  const recordSecret = await openRecordSecret(world, ring, member.name)
  const code = openMember(member, recordSecret)
  const [key] = await shardKeys(world)
  const integers = toIntegers(embedding(face(3), MODEL))
  const expected = encodeReference(integers, 'B6', BITS, Uint8Array.from(Buffer.from(key ?? '', 'hex')))
  expect(toHex(code)).toBe(toHex(expected))
  expect(() =>
    openMember(
      member,
      recordSecret.map((byte) => byte ^ 1),
    ),
  ).toThrow(/seal|open/i)
})

async function openRecordSecret(
  world: TestVault,
  ring: VaultKeys,
  name: ReturnType<typeof decodeMemberRow>['name'],
): Promise<Uint8Array> {
  const { openWrap } = await import('../../src/keys/wraps.ts')
  const [wrap] = await rowsOf(world.store, 'secrets')
  const row = decodeSecretRow(wrap?.bytes as Uint8Array, name)
  await ring.loadEpoch(row.epoch)
  const custody = ring.requireRealmKeys(row.keyVersion).preparedOperator
  const binding = { ...name, purpose: 'login', profile: 0, keyVersion: row.keyVersion, devices: [] } as const
  const opened = ring.withEpoch(row.epoch, (prepared) =>
    openWrap(row, { custody, binding, outer: { prepared, header: row.header } }),
  )
  return opened?.recordSecret as Uint8Array
}

test.each(['revoke', 'erase', 'reissue'] as const)(
  'GALLERY-8 %s takes the member out, also by a vault that declares no gallery',
  async (verb) => {
    const world = await galleryVault()
    const plain = await testVaultBeside(world)
    for (const vault of [world.vault, plain]) {
      await enrollPeople(world.vault, [1])
      await end(vault, verb)
      const { members, shards } = await rowsSaid(world)
      const live = verb === 'reissue' && vault === world.vault ? 1 : 0
      expect(members).toBe(live)
      const slots = shards.flatMap((shard) => shard.slots)
      expect(slots.filter((slot) => slot !== null)).toHaveLength(live)
      expect(await faultsOf(world)).toEqual([])
      if (verb !== 'erase') await world.vault.erase('person-1')
    }
    const { shards } = await rowsSaid(world)
    expect(shards.flatMap(({ slots }) => slots)).toHaveLength(verb === 'reissue' ? 3 : 2)
  },
)

async function end(vault: Vault, verb: 'revoke' | 'erase' | 'reissue'): Promise<void> {
  if (verb === 'revoke') await vault.revoke('person-1', 'other')
  else if (verb === 'erase') await vault.erase('person-1')
  else await vault.reissue({ subject: 'person-1', basis: basis(), ...sample(1, 1) })
}

/** The same realm without a gallery. */
async function testVaultBeside(world: TestVault): Promise<Vault> {
  return await world.open({ gallery: undefined } as unknown as Partial<VaultOptions>)
}

test('GALLERY-8 a record of before the gallery joins it when it is reissued; suspension keeps the slot', async () => {
  const world = await testVault({ bits: BITS, operatingPoints: [point(MODEL, BITS)] })
  await enrollPeople(world.vault, [1])
  const vault = await world.open({ gallery: gallery() })
  expect(await search(vault, 1)).toEqual([])
  await vault.reissue({ subject: 'person-1', basis: basis(), ...sample(1, 1) })
  const found = [await pseudonym(vault, 1)]
  expect(await search(vault, 1)).toEqual(found)
  await vault.suspend('person-1')
  expect(await search(vault, 1)).toEqual([])
  await vault.resume('person-1')
  expect(await search(vault, 1)).toEqual(found)
})

test('GALLERY-9 never more members than declared, from several processes at once', async () => {
  const world = await galleryVault({ gallery: gallery({ limit: 20 }) })
  const vaults = [world.vault, await world.open(), await world.open()]
  const codes = await Promise.all(
    range(1, 48).map((person) =>
      typedCode(
        (vaults[person % 3] as Vault).enroll({
          subject: `person-${person}`,
          basis: basis(),
          ...sample(person),
        }),
      ),
    ),
  )
  expect(codes.filter((code) => code.startsWith('resolved'))).toHaveLength(20)
  expect(codes.filter((code) => code === 'ERR_GALLERY_FULL')).toHaveLength(28)
  expect((await rowsSaid(world)).members).toBe(20)
  const inside = codes.findIndex((code) => code.startsWith('resolved')) + 1
  const outside = codes.indexOf('ERR_GALLERY_FULL') + 1
  await world.vault.erase(`person-${inside}`)
  await enrollPeople(world.vault, [outside])
  expect((await rowsSaid(world)).members).toBe(20)
}, 60_000)

test('GALLERY-9 near the limit all that comes beside an enrolment is counted', async () => {
  const store = hookedStore(memoryStore())
  const world = await galleryVault({ store, gallery: gallery({ limit: 121 }) })
  const other = await world.open({ gallery: gallery({ limit: 121 }) })
  await enrollPeople(world.vault, range(1, 120))
  let beside: string | undefined
  store.fault = {
    before: async ({ name, steps }) => {
      const enrols = steps.some(({ step, table }) => step === 'put' && table === 'references')
      if (name !== 'commit' || !enrols || beside !== undefined) return
      beside = ''
      beside = await typedCode(other.enroll({ subject: 'beside', basis: basis(), ...sample(300) }))
    },
  }
  const last = world.vault.enroll({ subject: 'last', basis: basis(), ...sample(301) })
  expect([await typedCode(last), beside?.slice(0, 8)]).toEqual(['ERR_GALLERY_FULL', 'resolved'])
}, 60_000)

test('GALLERY-10 every altered, swapped or missing row of a gallery is found', async () => {
  const world = await galleryVault()
  await enrollPeople(world.vault, range(1, 12))
  await search(world.vault, 1)
  const { store } = world
  const rows = await rowsOf(store, 'galleries')
  const kinds = rows.map(({ key }) => key[PREFIX])
  expect(new Set(kinds)).toEqual(new Set([0, 1, 2, 3]))
  for (const kind of [0, 1, 2, 3]) {
    const [row, other] = rows.filter(({ key }) => key[PREFIX] === kind)
    if (row === undefined) throw new Error('no such row')
    for (const at of [row.bytes.length - 1, 5, row.bytes.length >> 1]) {
      const bytes = row.bytes.map((byte, i) => (i === at ? byte ^ 4 : byte))
      await overwrite(store, 'galleries', row.key, bytes)
      expect([kind, at, (await faultsOf(world)).length > 0]).toEqual([kind, at, true])
    }
    if (other !== undefined) {
      await overwrite(store, 'galleries', row.key, other.bytes)
      expect(await faultsOf(world)).toContain('misplaced galleries')
    }
    await remove(store, 'galleries', row.key)
    // A missing budget begins a new hour: it names nobody.
    if (kind !== 3) expect(await faultsOf(world)).toContain('missing galleries')
    await overwrite(store, 'galleries', row.key, row.bytes)
    expect(await faultsOf(world)).toEqual([])
  }
  await overwrite(store, 'galleries', new Uint8Array([...(rows[0]?.key ?? []), 1]), Uint8Array.of(0))
  expect(await faultsOf(world)).toEqual(['orphan galleries'])
}, 60_000)

test('GALLERY-10 a person whose member row was altered can be erased all the same', async () => {
  const world = await galleryVault()
  await enrollPeople(world.vault, [1])
  const row = (await rowsOf(world.store, 'galleries')).find(({ key }) => key[PREFIX] === 2)
  await overwrite(world.store, 'galleries', row?.key as Uint8Array, Uint8Array.of(1, 2, 3))
  await world.vault.erase('person-1')
  const { members, shards } = await rowsSaid(world)
  expect([members, shards[0]?.slots]).toEqual([0, [null]])
  expect(await faultsOf(world)).toEqual([])
})

test('GALLERY-4 two stores: the gallery lies with the codes, the wraps apart', async () => {
  const secrets = memoryStore()
  const world = await galleryVault({ secrets, [allowHighFalseMatchRate]: true })
  await enrollPeople(world.vault, range(1, 20))
  expect(await search(world.vault, 4)).toContain(await pseudonym(world.vault, 4))
  expect(await rowsOf(secrets, 'galleries')).toEqual([])
  await world.vault.erase('person-4')
  expect(await search(world.vault, 4)).toEqual([])
})
