/** Finishing what an outage left between two stores, before a retry says that it is done (SPEC §10.3). @module */

import { equalBytes } from '../base/bytes.ts'
import type { RecordName } from '../record/place.ts'
import { startsWith, unfinishedStart } from '../record/place.ts'
import { dropNote, dropWrap, readNote } from './batch.ts'
import type { VaultContext } from './context.ts'
import { VaultError } from './errors.ts'

/** The primary record, whose it is if that is known, and the generations that are to stay. */
export interface Remains {
  readonly record: Uint8Array
  readonly handle: Uint8Array | undefined
  readonly live: readonly Uint8Array[]
}

const RECORD_BYTES = 16
const GENERATION_BYTES = 20

/**
 * Deletes every old wrap of the subject that a note asks to delete, those of the primary record last: whoever knows that record alone finds
 * the subject by them. Throws `ERR_VAULT_UNFINISHED` when it cannot.
 */
export async function finishRecord(ctx: VaultContext, { record, handle, live }: Remains): Promise<void> {
  if (!ctx.split) return
  const start = unfinishedStart(ctx.realm)
  await finishing(async () => {
    const notes: RecordName[] = []
    for await (const row of ctx.store.scan('states', start)) {
      if (!startsWith(row.key, start)) break
      if (row.key.length !== start.length + RECORD_BYTES + GENERATION_BYTES) continue
      const note = await readNote(ctx, row)
      if (note !== undefined) notes.push(note)
    }
    const isPrimary = (note: RecordName): boolean => equalBytes(note.record, record)
    const whose = handle ?? notes.find(isPrimary)?.handle
    const old = notes.filter(
      (note) =>
        whose !== undefined &&
        equalBytes(note.handle, whose) &&
        !live.some((generation) => equalBytes(generation, note.generation)),
    )
    for (const note of old) if (!isPrimary(note)) await drop(ctx, note)
    for (const note of old) if (isPrimary(note)) await drop(ctx, note)
  })
}

/** Deletes the wrap of a revoked generation, also one that was put back since. One store does so in its batch. */
export async function finishRevoked(ctx: VaultContext, name: RecordName): Promise<void> {
  if (!ctx.split) return
  await finishing(() => drop(ctx, name))
}

async function drop(ctx: VaultContext, name: RecordName): Promise<void> {
  await dropWrap(ctx, name)
  await dropNote(ctx, name, 'states')
}

async function finishing(task: () => Promise<void>): Promise<void> {
  try {
    await task()
  } catch (cause) {
    throw new VaultError('ERR_VAULT_UNFINISHED', 'an old wrap of the record is not deleted yet', { cause })
  }
}
