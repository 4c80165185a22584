/** A realm lent to one task that manages records and compares none (SPEC §11.12). @module */

import type { Anchor } from '../audit/anchor.ts'
import type { LogSigner } from '../audit/checkpoint.ts'
import type { VaultContext } from './context.ts'
import { callOf } from './outputs.ts'
import { openRealm } from './realm-context.ts'
import type { RealmPlace } from './rewrap-host.ts'

export interface MaintenancePlace extends RealmPlace {
  /** With it what is done is integrated and signed before the call ends; else by the next vault that has it. */
  readonly logSigner?: LogSigner
  readonly anchor?: Anchor
}

/** Opens the inside for `task`: finishes what a crash left, reads the log, compares it with the anchor. */
export async function withMaintenance<Result>(
  place: MaintenancePlace,
  task: (ctx: VaultContext) => Promise<Result>,
): Promise<Result> {
  const ctx = await openRealm(place)
  try {
    const result = await task(ctx)
    if (place.logSigner !== undefined) await ctx.ledger.settle(callOf(ctx))
    return result
  } finally {
    await ctx.ledger.close()
  }
}
