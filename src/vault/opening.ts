/** Handing members to a thread, and opening here what it could not (SPEC §16.4). @module */

import { wipe } from '../base/bytes.ts'
import type { GalleryProfile } from '../gallery/declaration.ts'
import type { VaultContext } from './context.ts'
import { kindOf } from './fsck-fault.ts'
import { openMembers, type StoredMember } from './gallery-members.ts'
import type { Openers } from './openers.ts'
import { type PageItem, packPage, unpackPage } from './opening-page.ts'
import { openSecret } from './wrap.ts'

type Codes = readonly (Uint8Array | undefined)[]
type Members = readonly (StoredMember | undefined)[]

/**
 * The codes of members whose rows are on their way to a thread; `undefined` when none is free, or there is nothing that a thread could
 * open. What a thread does not open is read `again` and opened here, where it is known what that means: nobody keeps thousands of rows
 * meanwhile, which the collector would move again and again.
 */
export async function openInThread(
  ctx: VaultContext,
  openers: Openers,
  profile: GalleryProfile,
  members: Members,
  again: () => Promise<Members>,
): Promise<{ readonly codes: Promise<Codes> } | undefined> {
  const wrap = openers.free ? await usualWrap(ctx, members) : undefined
  if (wrap === undefined) return undefined
  const { epoch, keyVersion } = wrap
  const custodyKey = ctx.ring.requireRealmKeys(keyVersion).preparedOperator
  const places: number[] = []
  const items: PageItem[] = []
  for (const [place, member] of members.entries()) {
    if (member?.wrap === undefined) continue
    const { row, bytes } = member
    const { name, number, slot } = row
    places.push(place)
    items.push({ handle: name.handle, number, slot, member: bytes, wrap: member.wrap.bytes })
  }
  const codeBytes = profile.bits / 8
  const page = openers.open(() =>
    ctx.ring.withEpoch(epoch, (epochKey) =>
      packPage(items, { epoch, epochKey, keyVersion, custodyKey }, codeBytes),
    ),
  )
  return page && { codes: finish(ctx, { places, of: members.length, again }, page, codeBytes) }
}

/** Epoch and key version of the first wrap that can be read, when they may be used. */
async function usualWrap(
  ctx: VaultContext,
  members: Members,
): Promise<{ readonly epoch: number; readonly keyVersion: number } | undefined> {
  const first = members.find((member) => member?.wrap !== undefined)
  try {
    const row = first && openSecret(first.row.name, first.wrap)?.row
    if (row === undefined || !ctx.ring.versions.includes(row.keyVersion)) return undefined
    await ctx.ring.loadEpoch(row.epoch)
    return row
  } catch (error) {
    kindOf(error)
    return undefined
  }
}

/** What is left of members that went to a thread. */
interface Sent {
  /** Where those of the page stand among all. */
  readonly places: readonly number[]
  readonly of: number
  readonly again: () => Promise<Members>
}

async function finish(
  ctx: VaultContext,
  { places, of, again }: Sent,
  opening: Promise<ArrayBuffer | undefined>,
  codeBytes: number,
): Promise<Codes> {
  const page = await opening
  if (page === undefined) return await openMembers(ctx, await again())
  const codes: (Uint8Array | undefined)[] = Array.from({ length: of }, () => undefined)
  for (const [i, code] of unpackPage(page, codeBytes).entries()) codes[places[i] as number] = code
  const left = places.filter((place) => codes[place] === undefined)
  if (left.length === 0) return codes
  try {
    const members = await again()
    const rest = await openMembers(
      ctx,
      left.map((place) => members[place]),
    )
    for (const [i, place] of left.entries()) codes[place] = rest[i]
  } catch (error) {
    wipe(...codes)
    throw error
  }
  return codes
}
