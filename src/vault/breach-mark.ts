/** Marking those whose template was taken with its key: revoked for breach in bulk, resumed by being run again (SPEC §11.12). @module */

import type { SubjectId } from '../base/brand.ts'
import { fromBase64 } from '../base/bytes.ts'
import { RecordError } from '../record/errors.ts'
import type { BreachReport } from './breach-report.ts'
import {
  type CampaignCensus,
  type CampaignKind,
  type CampaignOptions,
  type CampaignReport,
  type CampaignTask,
  runCampaign,
} from './campaign.ts'
import type { VaultContext } from './context.ts'
import { endGenerations } from './endings.ts'
import { rejectInput, VaultError } from './errors.ts'
import { readState, stale } from './lookup.ts'
import { type MaintenancePlace, withMaintenance } from './maintenance.ts'
import { revokeFound } from './revoke.ts'

export interface MarkBreachOptions extends MaintenancePlace, CampaignOptions {
  readonly report: Pick<BreachReport, 'affected'>
  readonly signal?: AbortSignal
}

/**
 * Revokes for `breach` every record of which a template was taken with its key, former ones included: whoever has one is accepted by
 * the next (§17.2). The mark stays after a reissue. Those that are marked are passed over, so that it may be killed and run again.
 *
 * @example
 * ```ts
 * const { complete } = await markBreach({ keyring, store, report })
 * ```
 */
export async function markBreach(options: MarkBreachOptions): Promise<CampaignReport> {
  const { affected } = options.report
  const subjects = [
    ...new Set(affected.filter(({ exposure }) => exposure === 'template').map(({ subject }) => subject)),
  ]
  return await withMaintenance(options, (ctx) => runCampaign(markCampaign(ctx, subjects), options))
}

function markCampaign(ctx: VaultContext, subjects: readonly SubjectId[]): CampaignKind {
  const tasks = async function* (): AsyncGenerator<CampaignTask> {
    for (const subject of subjects) {
      yield { kind: 'subject', name: subject, run: () => mark(ctx, subject) }
    }
  }
  return {
    name: 'breach',
    realm: ctx.realm,
    census: async () => await census(ctx, subjects),
    tasks,
    // What one revocation takes cannot be measured without one.
    trial: async () => undefined,
    log: async (when, outcome) => {
      const event = { action: 'campaign', outcome, policy: `breach.${when}` } as const
      await ctx.decide(() => ctx.commitLogged([ctx.ringStep()], event))
    },
  }
}

type Mark = 'marked' | 'left' | 'erased'

async function census(ctx: VaultContext, subjects: readonly SubjectId[]): Promise<CampaignCensus> {
  const counts: Record<Mark, number> = { marked: 0, left: 0, erased: 0 }
  const unreadable: CampaignCensus['unreadable'][number][] = []
  for (const subject of subjects) {
    try {
      counts[await markOf(ctx, subject)] += 1
    } catch (error) {
      if (!(error instanceof RecordError)) throw error
      unreadable.push({ kind: 'subject', name: subject, code: error.code })
    }
  }
  const { left, ...places } = counts
  return { total: subjects.length, left: left + unreadable.length, places: { ...places, left }, unreadable }
}

async function markOf(ctx: VaultContext, subject: SubjectId): Promise<Mark> {
  const state = await readState(ctx, handleOf(subject))
  if (state === undefined || state.row.state === 'erased') return 'erased'
  return state.row.exposed ? 'marked' : 'left'
}

async function mark(ctx: VaultContext, subject: SubjectId): Promise<boolean> {
  const revoked = await ctx.decide(async () => {
    const handle = handleOf(subject)
    const ring = ctx.ringStep()
    const state = await readState(ctx, handle)
    if (state === undefined || state.row.state === 'erased' || state.row.exposed) return undefined
    const found = { places: [], handle, index: undefined, ring, record: undefined }
    const call = { ...state, found, digest: undefined, nowMs: ctx.now().nowMs }
    return await revokeFound(ctx, call, 'breach').catch(stale(ctx, { state, ring }))
  })
  if (revoked === undefined) return false
  // Whoever cannot be told now is told when a vault with the quorum opens.
  await endGenerations(ctx, revoked, revoked.profile).catch((error: unknown) => {
    if (!(error instanceof VaultError) || error.code !== 'ERR_VAULT_QUORUM_PENDING') throw error
  })
  return true
}

function handleOf(subject: SubjectId): Uint8Array {
  const handle = fromBase64(subject)
  if (handle?.length !== 16) throw rejectInput('a subject of the report is no handle')
  return handle
}
