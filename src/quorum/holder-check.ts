/** What a holder is opened with, checked (SPEC §13.5). @module */

import { openCheckpoint } from '../audit/checkpoint.ts'
import { KEY_TYPE, parseVerifierKey } from '../audit/note.ts'
import type { TreeHead } from '../audit/proof.ts'
import type { Realm } from '../base/brand.ts'
import { equalBytes } from '../base/bytes.ts'
import { checkInteger, checkObject, checkText } from '../base/check.ts'
import { checkRealm } from '../base/identifier.ts'
import type { QuorumBudgets } from './budgets.ts'
import { QuorumError, rejectInput } from './errors.ts'
import { MAX_MESSAGE_BYTES } from './messages.ts'
import { QuorumShare } from './share.ts'

export const MOST_EPOCHS = 2
const MOST_REFRESHES = 2

export function checkShares(given: readonly QuorumShare[]): {
  readonly shares: readonly QuorumShare[]
  readonly realm: Realm
  readonly index: number
} {
  const first: unknown = Array.isArray(given) ? given[0] : undefined
  if (!(first instanceof QuorumShare)) throw rejectInput('shares must be a list of shares')
  const refreshes = new Map<number, Set<number>>()
  for (const share of given) {
    if (!(share instanceof QuorumShare)) throw rejectInput('shares must be a list of shares')
    const { epoch, refresh, realm } = share.key
    if (realm !== first.key.realm || share.index !== first.index)
      throw rejectInput('shares must be of one holder')
    const known = refreshes.get(epoch) ?? new Set()
    if (known.has(refresh)) throw rejectInput('two shares are of one epoch and refresh')
    refreshes.set(epoch, known.add(refresh))
    if (known.size > MOST_REFRESHES) throw rejectInput('of one epoch at most two refreshes are served')
  }
  if (refreshes.size > MOST_EPOCHS) throw rejectInput('at most two epochs are served')
  return { shares: given, realm: checkRealm(first.key.realm, rejectInput), index: first.index }
}

export function checkBudgets(budgets: QuorumBudgets): QuorumBudgets {
  checkObject(budgets, 'budgets', rejectInput)
  const bound = (value: number, name: string): number =>
    checkInteger(value, name, [1, 1_000_000_000], rejectInput)
  return {
    recordPerHour: bound(budgets.recordPerHour, 'recordPerHour'),
    recordTotal: bound(budgets.recordTotal, 'recordTotal'),
    allPerHour: bound(budgets.allPerHour, 'allPerHour'),
  }
}

export function checkLogKey(text: string): string {
  checkText(text, 'logKey', { maxBytes: 512 }, rejectInput)
  parseVerifierKey(text, KEY_TYPE.log)
  return text
}

export function checkPinned(text: string, logKey: string): TreeHead {
  checkText(text, 'checkpoint', { maxBytes: MAX_MESSAGE_BYTES }, rejectInput)
  try {
    const { size, root } = openCheckpoint(text, logKey)
    return { size, root }
  } catch (cause) {
    throw new QuorumError('ERR_QUORUM_INPUT', 'the checkpoint is none of the log', { cause })
  }
}

export function requireOneTree(pinned: TreeHead, { size, root }: TreeHead): void {
  if (pinned.size === size && size > 0 && !equalBytes(pinned.root, root)) {
    throw rejectInput('the checkpoint is of another tree than the one that was seen')
  }
}
