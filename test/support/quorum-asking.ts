/** Asking one holder as somebody would who makes each message by hand. @module */
import type { EntryProof } from 'guise/audit'
import type { QuorumHolder } from 'guise/quorum'
import type { Realm } from '../../src/base/brand.ts'
import {
  decodeReply,
  encodeRequest,
  encodeRevocation,
  type Receipt,
  type Refusal,
} from '../../src/quorum/messages.ts'
import { generation, type QuorumWorld, REALM, RECORD } from './quorum.ts'

export const ID = new Uint8Array(16).fill(1)
export const realm = REALM as Realm

interface Asked {
  readonly record?: Uint8Array
  readonly generation?: Uint8Array
  readonly epoch?: number
  readonly refresh?: number
  readonly index?: number
  readonly realm?: Realm
}

export async function receiptOf(world: QuorumWorld, proof: EntryProof, from: number): Promise<Receipt> {
  const { entry, index: place, hashes: inclusion, checkpoint, size } = proof
  const consistency = await world.log.consistency(Math.min(from, size), Math.max(from, size))
  return { entry, place, inclusion, checkpoint, from, consistency }
}

/** What the first holder says: `answer`, `acknowledgement` or the code of its refusal. */
export async function say(holder: QuorumHolder, message: Uint8Array): Promise<string> {
  const reply = decodeReply(await holder.handle(message))
  return reply.kind === 'refusal' ? reply.code : reply.kind
}

export async function seenBy(holder: QuorumHolder): Promise<number> {
  return (decodeReply(await holder.handle(new Uint8Array(3))) as Refusal).seen
}

export function holderOf(world: QuorumWorld): QuorumHolder {
  return world.holders[0] as QuorumHolder
}

export async function ask(
  world: QuorumWorld,
  proof: EntryProof,
  asked: Asked = {},
  receipt: Partial<Receipt> = {},
): Promise<string> {
  const holder = holderOf(world)
  const made = { ...(await receiptOf(world, proof, await seenBy(holder))), ...receipt }
  const named = { realm, record: RECORD, generation: generation(1), epoch: 1, refresh: 0, index: 1, id: ID }
  return say(holder, encodeRequest({ ...named, ...asked, receipt: made }))
}

export async function revoke(world: QuorumWorld, proof: EntryProof, of = generation(1)): Promise<string> {
  const receipt = await receiptOf(world, proof, await seenBy(holderOf(world)))
  const named = { realm, record: RECORD, generation: of, index: 1, id: ID }
  return say(holderOf(world), encodeRevocation({ ...named, receipt }))
}

/** Opens as often as `times`, each time with an entry of its own. */
export async function openTimes(world: QuorumWorld, times: number): Promise<string[]> {
  const said: string[] = []
  for (let i = 0; i < times; i++) said.push(await ask(world, await world.log.open()))
  return said
}
