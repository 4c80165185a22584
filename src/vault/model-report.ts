/** How far a realm's migration of models is: who has moved, and who has not since when (SPEC §11.14). @module */

import type { Millis, SubjectId } from '../base/brand.ts'
import { realmPrefix } from '../base/identifier.ts'
import { effectiveState, type State } from '../policy/states.ts'
import { RecordError } from '../record/errors.ts'
import type { ModelRow } from '../record/model-row.ts'
import { isSubjectKey, startsWith } from '../record/place.ts'
import { decodeStateRow, type StateRow } from '../record/state-row.ts'
import type { VaultContext } from './context.ts'
import { Lives } from './lives.ts'
import { subjectId } from './lookup.ts'
import { type ModelStage, stageOf } from './model-window.ts'

/** Somebody whose template is still of the old model. */
export interface ModelStraggler {
  /** The pseudonym. */
  readonly subject: SubjectId
  readonly state: State
  /** When the template was enrolled or reissued. */
  readonly since: Millis
  /** The last match since then. */
  readonly lastMatchAt?: Millis
}

/** A migration as it stands; counts are those of records that are neither revoked nor erased. */
export interface ModelMigration {
  readonly stage: ModelStage
  readonly from?: string
  readonly to?: string
  readonly opensAt?: Millis
  readonly closesAt?: Millis
  /** Records of the new model. */
  readonly moved: number
  /** Records of the old one; each is a straggler once the window has ended. */
  readonly left: number
  /** Records of neither. */
  readonly other: number
  /** Records whose state cannot be read; `fsck` names them. */
  readonly unreadable: number
  /** Everybody who is left, who matched longest ago first. */
  readonly stragglers: readonly ModelStraggler[]
}

const HANDLE_BYTES = 16

/** What the row says. */
export function describeModels(row: ModelRow | undefined, nowMs: number): ModelMigration {
  const stage = stageOf(row, nowMs)
  const none = { moved: 0, left: 0, other: 0, unreadable: 0, stragglers: [] }
  if (row === undefined) return { stage, ...none }
  const { from, to, opensMs, closesMs } = row
  return {
    stage,
    from: from.model,
    to: to.model,
    opensAt: opensMs as Millis,
    closesAt: closesMs as Millis,
    ...none,
  }
}

/** Counts the state rows, and asks the log since when and how lately. */
export async function readModels(ctx: VaultContext): Promise<ModelMigration> {
  const row = await ctx.decide(async () => ctx.models.row)
  const { nowMs } = ctx.now()
  const told = describeModels(row, nowMs)
  if (row === undefined) return told
  const lives = new Lives(ctx.store, ctx.realm, ctx.ring)
  await lives.follow()
  const counts = { moved: 0, left: 0, other: 0, unreadable: 0 }
  const stragglers: ModelStraggler[] = []
  for await (const state of liveStates(ctx)) {
    if (state === undefined) counts.unreadable += 1
    else if (state.model === row.to.model) counts.moved += 1
    else if (state.model !== row.from.model) counts.other += 1
    else {
      counts.left += 1
      const life = lives.of(state.handle)
      stragglers.push({
        subject: subjectId(state.handle),
        state: effectiveState(state.state, state.basis, nowMs),
        since: (life?.madeMs ?? state.changedMs) as Millis,
        ...(life?.matchedMs === undefined ? {} : { lastMatchAt: life.matchedMs as Millis }),
      })
    }
  }
  stragglers.sort((a, b) => (a.lastMatchAt ?? a.since) - (b.lastMatchAt ?? b.since))
  return { ...told, ...counts, stragglers }
}

/** State rows of records that are neither revoked nor erased; `undefined` for one that cannot be read. */
export async function* liveStates(ctx: VaultContext): AsyncGenerator<StateRow | undefined> {
  const prefix = realmPrefix(ctx.realm)
  for await (const { key, bytes } of ctx.store.scan('states', prefix)) {
    if (!startsWith(key, prefix)) break
    if (!isSubjectKey(ctx.realm, key)) continue
    await ctx.ring.load()
    const state = readable(ctx, key.slice(-HANDLE_BYTES), bytes)
    if (state?.state !== 'revoked' && state?.state !== 'erased') yield state
  }
}

function readable(ctx: VaultContext, handle: Uint8Array, bytes: Uint8Array): StateRow | undefined {
  try {
    return decodeStateRow(bytes, { realm: ctx.realm, handle }, ctx.stateKey)
  } catch (error) {
    if (error instanceof RecordError) return undefined
    throw error
  }
}
