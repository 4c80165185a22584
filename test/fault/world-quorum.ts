/** A quorum of three in the process of a fault test's vault, two of them enough; its shares lie in a folder. @module */
/// <reference types="node" />

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Anchor } from '../../src/audit/anchor.ts'
import type { Checkpoint } from '../../src/audit/checkpoint.ts'
import { type Quorum, quorumOf } from '../../src/quorum/client.ts'
import { quorumHolder } from '../../src/quorum/holder.ts'
import { dealQuorum } from '../../src/quorum/setup.ts'
import { type QuorumShare, readQuorumShare } from '../../src/quorum/share.ts'
import { memoryStore } from '../../src/store/memory.ts'
import { numberedBytes, REALM, worldSigner } from './vault-world.ts'

const COUNT = 3
const BUDGETS = { recordPerHour: 100_000, recordTotal: 1_000_000, allPerHour: 10_000_000 }
const TIMEOUT_MS = 30_000

/** Deals the shares into a folder. */
export function dealWorldQuorum(folder: string): void {
  const { shares } = dealQuorum({ realm: REALM, epoch: 1, threshold: 2, holders: COUNT })
  shares.forEach((share, i) => writeFileSync(shareFile(folder, i), share.encode()))
}

/** The shares of that folder. */
export function worldShares(folder: string): readonly QuorumShare[] {
  return Array.from({ length: COUNT }, (_, i) => readQuorumShare(readFileSync(shareFile(folder, i))))
}

/** Opens the holders over new stores, in memory. */
export async function openWorldQuorum(folder: string): Promise<Quorum> {
  const { verifierKey: logKey } = await worldSigner()
  const shares = worldShares(folder)
  const open = (share: QuorumShare): ReturnType<typeof quorumHolder> =>
    quorumHolder({
      shares: [share],
      key: numberedBytes(1_000_000 + share.index),
      store: memoryStore(),
      anchor: memoryAnchor(),
      logKey,
      budgets: BUDGETS,
    })
  const holders = await Promise.all(shares.map(open))
  return quorumOf({
    keys: shares.slice(0, 1).map(({ key }) => key),
    holders: holders.map((peer) => ({ index: peer.index, verifierKey: peer.verifierKey, peer })),
    logKey,
    timeoutMs: TIMEOUT_MS,
  })
}

function shareFile(folder: string, i: number): string {
  return join(folder, `share-${i + 1}`)
}

function memoryAnchor(): Anchor {
  let kept: Checkpoint | undefined
  return {
    read: async () => kept,
    advance: async (next) => {
      kept = next
    },
  }
}
