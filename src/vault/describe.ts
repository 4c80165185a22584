/** Describe and health: what operators may know, never biometrics. @module */

import type { Millis } from '../base/brand.ts'
import { toBase64Url } from '../base/bytes.ts'
import { GuiseError } from '../base/errors.ts'
import { publicBasis } from '../policy/basis.ts'
import { effectiveState } from '../policy/states.ts'
import { startsWith, unfinishedStart } from '../record/place.ts'
import type { StoredRow, Table } from '../store/store.ts'
import type { VaultContext, VaultStore } from './context.ts'
import { countEndings } from './endings.ts'
import { generationNumber, recordId, requireState, subjectId, withSubject } from './lookup.ts'
import { readReached } from './people-row.ts'
import type { Custody, SubjectDescription, VaultHealth } from './types.ts'

export const CUSTODIES: readonly Custody['profile'][] = ['operator', 'quorum', 'holder', 'quorum+holder']

/** State, generation, custody and basis of a subject; `undefined` when it is unknown. */
export async function describe(ctx: VaultContext, subject: string): Promise<SubjectDescription | undefined> {
  return withSubject(ctx, subject, ctx.signal, async (text) => {
    try {
      const { row } = await ctx.decide(() => requireState(ctx, text))
      const { basis } = row
      // What an erasure leaves says nothing of the person, even to whoever puts the mapping back.
      if (basis === null) return undefined
      return {
        subject: subjectId(row.handle),
        record: recordId(row.record),
        state: effectiveState(row.state, basis, ctx.now().nowMs),
        generation: generationNumber(row.generation),
        custody: CUSTODIES[row.profile] as Custody['profile'],
        exposed: row.exposed,
        model: row.model,
        bits: row.bits,
        basis: publicBasis(basis),
        devices: row.devices.filter((device) => device.some((byte) => byte !== 0)).map(toBase64Url),
        references: (row.state === 'revoked' ? [] : (row.references ?? [])).map(
          ({ probeClass }) => probeClass,
        ),
        changedAt: row.changedMs as Millis,
      }
    } catch (error) {
      if (error instanceof GuiseError && error.code === 'ERR_VAULT_UNKNOWN_SUBJECT') return undefined
      throw error
    }
  })
}

/** Asks the store for a linearizable read and the provider for the primary epoch. */
export async function health(ctx: VaultContext, inFlight: number): Promise<VaultHealth> {
  const keyring = await succeeds(async () => {
    await ctx.ring.refresh()
    await ctx.ring.askProvider()
  })
  const store = await succeeds(async () => {
    await ctx.store.commit([ctx.ringStep()])
  })
  const unfinished = store ? await countUnfinished(ctx) : 0
  const people = keyring && store ? (await readReached(ctx)).reached : undefined
  const { queued, unanchored, fault } = ctx.ledger.health()
  const log = fault === undefined
  const ok = keyring && store && log
  return { ok, store, keyring, inFlight, unfinished, log, queued, unanchored, people }
}

async function succeeds(task: () => Promise<void>): Promise<boolean> {
  try {
    await task()
    return true
  } catch (error) {
    if (error instanceof GuiseError) return false
    throw error
  }
}

async function countUnfinished(ctx: VaultContext): Promise<number> {
  let count = await countEndings(ctx)
  if (!ctx.split) return count
  for await (const _ of unfinishedRows(ctx, ctx.secrets, 'secrets')) count++
  for await (const _ of unfinishedRows(ctx, ctx.store, 'states')) count++
  return count
}

/** Notes of unfinished work in one of the two stores. */
export async function* unfinishedRows(
  ctx: VaultContext,
  store: VaultStore,
  table: Table,
): AsyncGenerator<StoredRow> {
  const start = unfinishedStart(ctx.realm)
  for await (const row of store.scan(table, start)) {
    if (!startsWith(row.key, start)) return
    if (row.key.length === start.length + 36) yield row
  }
}
