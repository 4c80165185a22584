/** Members of a gallery opened in threads: the same codes, and nothing lost with a thread (SPEC §16.4). @module */
import { afterEach, describe, expect, test } from 'vitest'
import { compareBytes } from '../../src/base/bytes.ts'
import type { VaultContext } from '../../src/vault/context.ts'
import { openShards } from '../../src/vault/gallery-loading.ts'
import { openMembers, readMembers, type StoredMember } from '../../src/vault/gallery-members.ts'
import { openShard, readOpenRows } from '../../src/vault/gallery-rows.ts'
import type { Openers } from '../../src/vault/openers.ts'
import { openInThread } from '../../src/vault/opening.ts'
import { openPage, packPage, unpackPage } from '../../src/vault/opening-page.ts'
import { enrollPeople, galleryVault, openInside, range } from '../support/gallery.ts'

const PEOPLE = 30

interface World {
  readonly context: VaultContext
  readonly members: readonly (StoredMember | undefined)[]
  /** What the vault itself opens. */
  readonly codes: readonly (Uint8Array | undefined)[]
}

async function openWorld(): Promise<World> {
  const world = await galleryVault()
  await enrollPeople(world.vault, range(1, PEOPLE))
  await world.vault.revoke('person-3', 'other')
  const { context } = await openInside(world)
  const { head, shards } = await readOpenRows(context)
  const members: (StoredMember | undefined)[] = []
  for (const [number, stored] of [...shards].sort(([a], [b]) => a - b)) {
    const { row } = await openShard(context, number, stored)
    members.push(...(await readMembers(context, head.row.profile, row, 0)))
  }
  const codes = await openMembers(context, members)
  expect(codes.filter((code) => code !== undefined)).toHaveLength(PEOPLE - 1)
  return { context, members, codes }
}

function settingOf({ settings, gallery }: VaultContext): ConstructorParameters<typeof Openers>[1] {
  const { profile } = (gallery as NonNullable<typeof gallery>).settings
  return { profile, purpose: settings.profile.purpose }
}

/** Threads run the built files, as the sources are no modules to every Node. */
async function builtOpeners(threads: number, context: VaultContext): Promise<Openers> {
  const url = new URL('../../dist/vault/openers.js', import.meta.url).href
  const built = (await import(/* @vite-ignore */ url)) as { readonly Openers: typeof Openers }
  return new built.Openers(threads, settingOf(context))
}

let openers: Openers | undefined
afterEach(async () => {
  await openers?.close()
  openers = undefined
})

async function openElsewhere(
  { context, members }: World,
  by: Pick<Openers, 'free' | 'open'>,
): Promise<readonly (Uint8Array | undefined)[]> {
  const again = async (): Promise<typeof members> => members
  const started = await openInThread(context, by as Openers, settingOf(context).profile, members, again)
  return await (started as NonNullable<typeof started>).codes
}

/** A thread that is none: opens at once, after somebody did something to the page. */
function byHand(
  context: VaultContext,
  spoil: (page: ArrayBuffer) => ArrayBuffer | undefined,
): Pick<Openers, 'free' | 'open'> {
  return {
    free: true,
    open: async (page) => {
      const spoilt = spoil(page())
      if (spoilt !== undefined) openPage(spoilt, settingOf(context))
      return spoilt
    },
  }
}

describe('opening members in threads', () => {
  test('gives the codes that the vault opens itself, holes included', async () => {
    const world = await openWorld()
    openers = await builtOpeners(2, world.context)
    expect(await openElsewhere(world, openers)).toEqual(world.codes)
  })

  test('GALLERY-26 a thread that ends while members are opened loses nothing', async () => {
    const world = await openWorld()
    openers = await builtOpeners(1, world.context)
    const started = await openInThread(
      world.context,
      openers,
      settingOf(world.context).profile,
      world.members,
      async () => world.members,
    )
    await openers.close()
    expect(await started?.codes).toEqual(world.codes)
    expect(openers.open(() => new ArrayBuffer(0))).toBeUndefined()
  })

  test('no more pages wait for a thread than it may have', async () => {
    const { context } = await openWorld()
    openers = await builtOpeners(1, context)
    const empty = (): ArrayBuffer =>
      packPage(
        [],
        { epoch: 1, epochKey: new Uint8Array(416), keyVersion: 1, custodyKey: new Uint8Array(416) },
        8,
      )
    const pages = range(1, openers.most + 1).map(() => openers?.open(empty))
    expect(pages.map((page) => page === undefined)).toEqual([...pages.slice(1).map(() => false), true])
    await Promise.all(pages.filter((page) => page !== undefined))
    expect(openers.open(empty)).toBeDefined()
  })

  test('what a thread cannot open is opened here', async () => {
    const world = await openWorld()
    let opened = 0
    const codes = await openElsewhere(world, {
      free: true,
      open: async (page) => {
        // Another epoch than the wraps have.
        const other = page()
        new Uint32Array(other, 0, 4)[1] = 7
        openPage(other, settingOf(world.context))
        opened = unpackPage(other.slice(0), 8).filter((code) => code !== undefined).length
        return other
      },
    })
    expect(opened).toBe(0)
    expect(codes).toEqual(world.codes)
  })

  test('a row that was damaged on its way opens nothing of anybody', async () => {
    const world = await openWorld()
    const { length } = world.codes.filter((code) => code !== undefined)
    for (const from of [0, 1, 2, 3]) {
      const codes = await openElsewhere(
        world,
        byHand(world.context, (page) => {
          const bytes = new Uint8Array(page)
          const words = new Uint32Array(page, 16 + 832, 6)
          const at = (words[3] as number) + from * 97
          bytes[at] = (bytes[at] as number) ^ 1
          return page
        }),
      )
      expect(codes).toEqual(world.codes)
    }
    expect(length).toBe(PEOPLE - 1)
  })

  test('while threads are busy shards are opened here, the others elsewhere as soon as one is free', async () => {
    const world = await openWorld()
    const { context, members, codes } = world
    for (const busy of [0, 1, 3, 9]) {
      const shards = [0, 1, 2, 3].map((i) => {
        const rows = members.slice(8 * i, 8 * i + 8)
        return { slots: { count: rows.length, rows, again: async () => rows } }
      })
      let asked = 0
      let pages = 0
      const hand = byHand(context, (page) => {
        pages += 1
        return page
      })
      const by = {
        get free() {
          asked += 1
          return asked > busy
        },
        open: hand.open,
      }
      const parts: Promise<readonly (Uint8Array | undefined)[]>[] = []
      await openShards(context, settingOf(context).profile, by as Openers, { shards, parts })
      expect((await Promise.all(parts)).flat()).toEqual(codes)
      expect(parts).toHaveLength(Math.min(4, busy + 1))
      expect(pages).toBe(busy < 4 ? 1 : 0)
    }
  })

  test('the page keeps no key when it was opened, and nothing when it was read', async () => {
    const world = await openWorld()
    let held: ArrayBuffer | undefined
    await openElsewhere(
      world,
      byHand(world.context, (page) => {
        expect(new Uint8Array(page, 16, 832).some((byte) => byte !== 0)).toBe(true)
        held = page
        queueMicrotask(() => expect(new Uint8Array(page, 16, 832).every((byte) => byte === 0)).toBe(true))
        return page
      }),
    )
    expect(new Uint8Array(held as ArrayBuffer).every((byte) => byte === 0)).toBe(true)
    const [first, second] = world.codes.filter((code) => code !== undefined)
    expect(compareBytes(first as Uint8Array, second as Uint8Array)).not.toBe(0)
  })
})
