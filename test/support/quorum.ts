/** A quorum for tests: dealt shares, holders over memory stores, and a vault's log that shows what is asked. @module */

import { memoryStore, type Store } from 'guise'
import {
  type AuditEvent,
  type EntryProof,
  type LocalLogSigner,
  logSigner,
  type MerkleTree,
  memoryTreeHashes,
  openTree,
  signCheckpoint,
  type WriterChain,
  writerChain,
} from 'guise/audit'
import {
  type DealtQuorum,
  dealQuorum,
  type Quorum,
  type QuorumHolder,
  type QuorumMember,
  type QuorumOptions,
  type QuorumPeer,
  quorumOf,
} from 'guise/quorum'
import type { Anchor } from '../../src/audit/anchor.ts'
import type { Checkpoint } from '../../src/audit/checkpoint.ts'
import { type ManualClock, manualClock } from '../../src/base/manual-clock.ts'
import { openHolder, type QuorumHolderOptions } from '../../src/quorum/holder.ts'

export const REALM = 'clinic'
const START_MS = 1_767_225_600_000
export const BUDGETS = { recordPerHour: 100, recordTotal: 1000, allPerHour: 10_000 }
export const RECORD: Uint8Array = new Uint8Array(16).fill(5)

/** Counter `n`, then bytes that nobody chose twice. */
export function generation(n: number, fill = 9): Uint8Array {
  const bytes = new Uint8Array(20).fill(fill)
  bytes.set([0, 0, 0, n])
  return bytes
}

/** The vault's log, in memory. */
export interface RequestLog {
  readonly signer: LocalLogSigner
  readonly tree: MerkleTree
  readonly clock: ManualClock
  /** Logs an event and proves it under a new checkpoint. */
  log(event: AuditEvent): Promise<EntryProof>
  /** Logs that `record` is to be opened. */
  open(options?: { record?: Uint8Array; generation?: Uint8Array; epoch?: number }): Promise<EntryProof>
  consistency(from: number, to: number): Promise<readonly Uint8Array[]>
}

export async function requestLog(realm: string = REALM, fill = 7): Promise<RequestLog> {
  const clock = manualClock(START_MS)
  const signer = await logSigner('clinic.example/guise', new Uint8Array(32).fill(fill))
  const tree = await openTree(memoryTreeHashes())
  const chain: WriterChain = writerChain(realm, { clock })
  const log = async (event: AuditEvent): Promise<EntryProof> => {
    const entry = chain.next(event)
    await tree.append([entry])
    const { size } = tree
    const { note } = await signCheckpoint(signer, { size, root: tree.root() })
    return { entry, index: size - 1, size, hashes: await tree.inclusion(size - 1, size), checkpoint: note }
  }
  return {
    signer,
    tree,
    clock,
    log,
    open: ({ record = RECORD, generation: of = generation(1), epoch = 1 } = {}) =>
      log({ action: 'open', outcome: 'done', record, generation: of, epoch }),
    consistency: (from, to) => tree.consistency(from, to),
  }
}

/** An anchor in memory. */
export function memoryAnchor(): Anchor & { kept: Checkpoint | undefined } {
  const anchor = {
    kept: undefined as Checkpoint | undefined,
    read: async () => anchor.kept,
    advance: async (next: Checkpoint) => {
      anchor.kept = next
    },
  }
  return anchor
}

export interface QuorumWorld {
  readonly log: RequestLog
  readonly dealt: DealtQuorum
  readonly stores: readonly Store[]
  readonly anchors: readonly (Anchor & { kept: Checkpoint | undefined })[]
  readonly holders: QuorumHolder[]
  /** The options that holder `index` was opened with. */
  options(index: number): QuorumHolderOptions
  reopen(index: number, changed?: Partial<QuorumHolderOptions>): Promise<QuorumHolder>
  members(change?: (peer: QuorumPeer, index: number) => QuorumPeer): QuorumMember[]
  quorum(change?: (peer: QuorumPeer, index: number) => QuorumPeer, options?: Partial<QuorumOptions>): Quorum
}

export async function quorumWorld(
  threshold: number,
  count: number,
  given: Partial<QuorumHolderOptions> = {},
): Promise<QuorumWorld> {
  const log = await requestLog()
  const dealt = dealQuorum({ realm: REALM, epoch: 1, threshold, holders: count })
  const stores = dealt.shares.map(() => memoryStore())
  const anchors = dealt.shares.map(() => memoryAnchor())
  const options = (index: number): QuorumHolderOptions => ({
    shares: [dealt.shares[index - 1] as (typeof dealt.shares)[number]],
    key: new Uint8Array(32).fill(100 + index),
    store: stores[index - 1] as Store,
    anchor: anchors[index - 1] as Anchor,
    logKey: log.signer.verifierKey,
    budgets: BUDGETS,
    ...given,
  })
  const holders = await Promise.all(dealt.shares.map(({ index }) => openHolder(options(index), log.clock)))
  const world: QuorumWorld = {
    log,
    dealt,
    stores,
    anchors,
    holders,
    options,
    reopen: async (index, changed = {}) => {
      holders[index - 1]?.close()
      const holder = await openHolder({ ...options(index), ...changed }, log.clock)
      holders[index - 1] = holder
      return holder
    },
    members: (change = (peer) => peer) =>
      holders.map(({ index, verifierKey }) => {
        const peer: QuorumPeer = {
          handle: (message, more) => (holders[index - 1] as QuorumHolder).handle(message, more),
        }
        return { index, verifierKey, peer: change(peer, index) }
      }),
    quorum: (change, more) =>
      quorumOf({
        keys: [dealt.key],
        holders: world.members(change),
        logKey: log.signer.verifierKey,
        ...more,
      }),
  }
  return world
}

/** All subsets of 1 … n with `size` members. */
export function subsets(n: number, size: number): number[][] {
  const from = (least: number, left: number): number[][] => {
    if (left === 0) return [[]]
    const found: number[][] = []
    for (let first = least; first <= n; first++)
      for (const rest of from(first + 1, left - 1)) found.push([first, ...rest])
    return found
  }
  return from(1, size)
}

/** The code of the error that a call ends with; `none` when it ends well. */
export async function codeOf(call: () => unknown): Promise<string> {
  try {
    await call()
    return 'none'
  } catch (error) {
    return String((error as { code?: unknown }).code)
  }
}
