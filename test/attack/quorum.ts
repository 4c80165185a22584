/** Two attacks on a quorum: a request that no log shows, and a holder that lies. What comes of each is told, not judged. @module */
import type { Realm } from '../../src/base/brand.ts'
import { decodeReply, encodeAnswer, encodeRequest } from '../../src/quorum/messages.ts'
import { hex } from '../reference/bytes.ts'
import { generation, quorumWorld, REALM, RECORD, requestLog } from '../support/quorum.ts'

/** What a holder says to a request whose receipt is of another log: `answer`, or why not. */
export async function forgedReceipt(): Promise<string> {
  const world = await quorumWorld(2, 3)
  const insider = await requestLog(REALM, 99)
  const { entry, index: place, hashes: inclusion, checkpoint } = await insider.open()
  const receipt = { entry, place, inclusion, checkpoint, from: 0, consistency: [] }
  const named = { realm: REALM as Realm, record: RECORD, generation: generation(1), index: 1 }
  const request = encodeRequest({ ...named, epoch: 1, refresh: 0, id: new Uint8Array(16), receipt })
  const reply = decodeReply((await world.holders[0]?.handle(request)) ?? new Uint8Array(0))
  return reply.kind === 'refusal' ? reply.code : reply.kind
}

/** What comes of a holder that answers with another point: `named`, or an output that is `wrong`. */
export async function lyingHolder(): Promise<string> {
  const world = await quorumWorld(2, 3)
  const question = { record: RECORD, generation: generation(1), epoch: 1, log: world.log }
  const { output } = await world.quorum().open({ ...question, receipt: await world.log.open() })
  const liar = world.quorum((peer, index) => ({
    handle: async (message, options) => {
      if (index === 3) throw new Error('away')
      const reply = decodeReply(await peer.handle(message, options))
      if (reply.kind !== 'answer') return peer.handle(message, options)
      // The generator's encoding: an element as good as another, but not this one.
      return encodeAnswer(
        index === 2 ? { ...reply, evaluated: world.dealt.key.shareKey(1).toBytes() } : reply,
      )
    },
  }))
  // Each tries again from what it has seen already.
  const receipt = await world.log.open()
  return liar.open({ ...question, receipt }).then(
    (wrong) => (hex(wrong.output) === hex(output) ? 'right' : 'wrong'),
    (error: { faults: readonly { index: number; fault: string }[] }) =>
      error.faults.some(({ index, fault }) => index === 2 && fault === 'lied') ? 'named' : 'failed',
  )
}
