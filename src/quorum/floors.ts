/** Epochs and refreshes that a holder serves no more (SPEC §13.5). @module */

import { QuorumError, rejectInput } from './errors.ts'
import { MOST_EPOCHS } from './holder-check.ts'
import type { Floor, HeadRow } from './rows.ts'

export function requireServed({ leastEpoch, floors }: HeadRow, epoch: number, refresh: number): void {
  if (epoch < leastEpoch) throw new QuorumError('ERR_QUORUM_EPOCH', 'the epoch was retired')
  const floor = floors.find((one) => one.epoch === epoch)
  if (floor !== undefined && refresh < floor.refresh) throw stale('the share was retired')
}

export function raiseEpoch(head: HeadRow, epoch: number): HeadRow {
  if (epoch <= head.leastEpoch) return head
  return { ...head, leastEpoch: epoch, floors: head.floors.filter((floor) => floor.epoch >= epoch) }
}

export function raiseRefresh(head: HeadRow, { epoch, refresh }: Floor): HeadRow {
  const others = head.floors.filter((floor) => floor.epoch !== epoch)
  const before = head.floors.find((floor) => floor.epoch === epoch)?.refresh ?? 0
  if (epoch < head.leastEpoch) return head
  if (others.length === MOST_EPOCHS) throw rejectInput('retire an epoch before the shares of a third one')
  return { ...head, floors: [...others, { epoch, refresh: Math.max(refresh, before) }] }
}

export function stale(why: string): QuorumError {
  return new QuorumError('ERR_QUORUM_STALE', why)
}
