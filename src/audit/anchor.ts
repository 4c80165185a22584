/** Anchors: a checkpoint kept outside the store, which only goes forward (SPEC §14.5). @module */

import { equalBytes } from '../base/bytes.ts'
import type { CallOptions } from '../base/errors.ts'
import type { Checkpoint } from './checkpoint.ts'
import { AuditError } from './errors.ts'

/** What an anchor may want to see before it goes forward. */
export interface AdvanceOptions extends CallOptions {
  /** The proof that the tree of `from` entries begins the one of `to`; a vault gives it. */
  readonly consistency?: (from: number, to: number) => Promise<readonly Uint8Array[]>
}

/** Where the newest checkpoint is kept, so that a log that was put back is noticed. */
export interface Anchor {
  /** The newest checkpoint that was kept; `undefined` before the first. */
  read(options?: CallOptions): Promise<Checkpoint | undefined>

  /**
   * Keeps a newer checkpoint; durable when it resolves. Throws `ERR_AUDIT_ROLLBACK` for a smaller one, `ERR_AUDIT_FORK` for another root
   * at the same size, `ERR_AUDIT_ANCHOR` when it cannot be done, `retryable` when it may be done later.
   */
  advance(next: Checkpoint, options?: AdvanceOptions): Promise<void>
}

/** Refuses a step that is not forward. */
export function checkAdvance(kept: Checkpoint | undefined, next: Checkpoint): void {
  if (kept === undefined) return
  if (kept.origin !== next.origin) throw anchorFault('the anchor is of another log')
  if (next.size < kept.size)
    throw new AuditError('ERR_AUDIT_ROLLBACK', 'the checkpoint is smaller than the anchored one')
  if (next.size === kept.size && !equalBytes(next.root, kept.root)) throw forked()
}

/** Makes the error of two roots at one size. */
export function forked(): AuditError {
  return new AuditError('ERR_AUDIT_FORK', 'the checkpoint is not of the history that is anchored')
}

/** Makes the error of an anchor that does not do its work. */
export function anchorFault(
  why: string,
  options: { readonly cause?: unknown; readonly retryable?: boolean } = {},
): AuditError {
  return new AuditError('ERR_AUDIT_ANCHOR', why, options)
}
