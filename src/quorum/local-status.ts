/** What a holder remembers, in numbers, read without changing anything (SPEC §13.5, §13.8). @module */
/// <reference types="node" />

import { setTimeout } from 'node:timers/promises'
import type { Anchor } from '../audit/anchor.ts'
import { openCheckpoint } from '../audit/checkpoint.ts'
import { concatBytes, toHex, wipe } from '../base/bytes.ts'
import type { Store } from '../store/store.ts'
import { QuorumError } from './errors.ts'
import type { HolderFolder, HolderSettings } from './local-holder.ts'
import type { Floor } from './rows.ts'
import { HolderState } from './state.ts'

/** A holder that serves meanwhile writes between two reads: then it is looked at again. */
const TRIES = 10
const PAUSE_MS = 50

export interface HolderStatus extends HolderSettings {
  readonly realm: string
  readonly index: number
  readonly verifierKey: string
  readonly shares: readonly {
    readonly epoch: number
    readonly refresh: number
    readonly threshold: number
    readonly holders: number
    readonly groupKey: string
  }[]
  readonly generations: number
  readonly revoked: number
  /** Answers in the hour that is counted now: milliseconds of the clock divided by 3,600,000. */
  readonly hour: number
  readonly answers: number
  /** Size of the vault's log as the holder saw it last. */
  readonly seen: number
  /** Rollbacks of the vault's log that were accepted, the oldest first. */
  readonly accepted: readonly {
    readonly from: number
    readonly to: number
    readonly actor: string
    readonly at: string
  }[]
  readonly sequence: number
  /** What the anchor keeps; `undefined` when it keeps nothing. */
  readonly anchored: number | undefined
  readonly leastEpoch: number
  readonly floors: readonly Floor[]
}

/** Reads a holder's state. Throws `ERR_QUORUM_ROLLBACK` when it is not what the holder left. */
export async function holderStatus(
  folder: HolderFolder,
  store: Store,
  anchor: Anchor,
): Promise<HolderStatus> {
  for (let left = TRIES; ; left--) {
    try {
      return await look(folder, store, anchor)
    } catch (error) {
      if (!(error instanceof QuorumError && error.code === 'ERR_QUORUM_ROLLBACK') || left <= 1) throw error
      await setTimeout(PAUSE_MS)
    }
  }
}

async function look(folder: HolderFolder, store: Store, anchor: Anchor): Promise<HolderStatus> {
  // Read first: what is anchored later than the rows were read says nothing about them.
  const kept = await anchor.read()
  const { realm, index } = folder
  const key = folder.use((own) => concatBytes(own))
  const state = await HolderState.open({ name: { realm, index }, store, anchor: undefined, key }, {}).finally(
    () => wipe(key),
  )
  try {
    const { hour, count, size, sequence, leastEpoch, floors } = state.head
    const anchored = kept === undefined ? undefined : openCheckpoint(kept.note, state.verifierKey).size
    if (anchored !== undefined && anchored > sequence)
      throw new QuorumError('ERR_QUORUM_ROLLBACK', 'the store is older than its anchor')
    return {
      realm,
      index,
      verifierKey: state.verifierKey,
      shares: shareNames(folder),
      ...state.counts,
      hour,
      answers: count,
      seen: size,
      accepted: state.acceptances.map(({ from, to, actor, timeMs }) => ({
        from: from.size,
        to: to.size,
        actor,
        at: new Date(timeMs).toISOString(),
      })),
      sequence,
      anchored,
      leastEpoch,
      floors,
      ...folder.settings(),
    }
  } finally {
    state.close()
  }
}

function shareNames(folder: HolderFolder): HolderStatus['shares'] {
  const shares = folder.shares()
  try {
    return shares.map(({ key }) => {
      const { epoch, refresh, threshold, holders } = key
      const [groupKey] = key.commitments
      return { epoch, refresh, threshold, holders, groupKey: toHex(groupKey?.toBytes() ?? new Uint8Array(0)) }
    })
  } finally {
    for (const share of shares) share.dispose()
  }
}
