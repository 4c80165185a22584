/** What becomes of those who have not moved when a migration of models ends: a campaign of its own (SPEC §11.14). @module */

import { effectiveState } from '../policy/states.ts'
import type { StateRow } from '../record/state-row.ts'
import type { CampaignCensus, CampaignKind, CampaignTask } from './campaign.ts'
import { changedRow, changeEvent, type Subject, stateStep } from './change.ts'
import type { VaultContext } from './context.ts'
import { endGenerations } from './endings.ts'
import { VaultError } from './errors.ts'
import { readState, stale, subjectId } from './lookup.ts'
import { liveStates } from './model-report.ts'
import { revokeFound } from './revoke.ts'

/** `suspend`: who is active is suspended. `revoke`: every template ends but those under a legal hold, which match nobody. */
export type Rest = 'suspend' | 'revoke'

/** For the runner of campaigns. */
export function restCampaign(ctx: VaultContext, model: string, rest: Rest): CampaignKind {
  const tasks = async function* (): AsyncGenerator<CampaignTask> {
    for await (const state of liveStates(ctx)) {
      if (state === undefined || !isLeft(state, model, rest, ctx.now().nowMs)) continue
      const { handle } = state
      yield { kind: 'subject', name: subjectId(handle), run: () => end(ctx, handle, model, rest) }
    }
  }
  return {
    name: 'model',
    realm: ctx.realm,
    census: () => census(ctx, model, rest),
    tasks,
    trial: async () => undefined,
    log: async (when, outcome) => {
      const event = { action: 'campaign', outcome, policy: `model.${when}` } as const
      await ctx.decide(() => ctx.commitLogged([ctx.ringStep()], event))
    },
  }
}

async function census(ctx: VaultContext, model: string, rest: Rest): Promise<CampaignCensus> {
  const places: Record<string, number> = {}
  let total = 0
  let left = 0
  for await (const state of liveStates(ctx)) {
    if (state === undefined || state.model !== model) continue
    total += 1
    const stands = effectiveState(state.state, state.basis, ctx.now().nowMs)
    places[stands] = (places[stands] ?? 0) + 1
    if (isLeft(state, model, rest, ctx.now().nowMs)) left += 1
  }
  return { total, left, places, unreadable: [] }
}

function isLeft(state: StateRow, model: string, rest: Rest, nowMs: number): boolean {
  if (state.model !== model || state.state === 'held') return false
  if (rest === 'revoke') return state.state !== 'revoked' && state.state !== 'erased'
  return effectiveState(state.state, state.basis, nowMs) === 'active'
}

async function end(ctx: VaultContext, handle: Uint8Array, model: string, rest: Rest): Promise<boolean> {
  const ended = await ctx.decide(async () => {
    const ring = ctx.ringStep()
    const state = await readState(ctx, handle)
    const { nowMs } = ctx.now()
    if (state === undefined || !isLeft(state.row, model, rest, nowMs)) return undefined
    const found = { places: [], handle, index: undefined, ring, record: undefined }
    const subject = { ...state, found, digest: undefined, nowMs }
    const change = rest === 'revoke' ? revokeFound(ctx, subject, 'superseded') : suspendFound(ctx, subject)
    return await change.catch(stale(ctx, { state, ring }))
  })
  if (ended === undefined) return false
  if (rest === 'suspend') return true
  // Whoever cannot be told now is told when a vault with the quorum opens.
  await endGenerations(ctx, ended, ended.profile).catch((error: unknown) => {
    if (!(error instanceof VaultError) || error.code !== 'ERR_VAULT_QUORUM_PENDING') throw error
  })
  return true
}

async function suspendFound(ctx: VaultContext, subject: Subject): Promise<StateRow> {
  const next = changedRow(ctx, subject, 'suspend', { state: 'suspended' })
  await ctx.commitLogged([stateStep(ctx, subject, next), subject.found.ring], changeEvent('suspend', next))
  return next
}
