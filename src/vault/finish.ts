/** Finishing what an outage left between two stores, before a retry says that it is done (SPEC §10.3). @module */

import { concatBytes, equalBytes } from '../base/bytes.ts'
import type { RecordName } from '../record/place.ts'
import { startsWith, unfinishedStart } from '../record/place.ts'
import { dropNote, dropWrap, readNote } from './batch.ts'
import type { VaultContext } from './context.ts'
import { VaultError } from './errors.ts'

/** The record, and the generation that is to stay; `undefined` when none is. */
export interface Remains {
  readonly record: Uint8Array
  readonly live: Uint8Array | undefined
}

const RECORD_BYTES = 16
const GENERATION_BYTES = 20

/** Deletes every old wrap that a note of this record asks to delete. Throws `ERR_VAULT_UNFINISHED` when it cannot. */
export async function finishRecord(ctx: VaultContext, { record, live }: Remains): Promise<void> {
  if (!ctx.split) return
  const start = concatBytes(unfinishedStart(ctx.realm), record)
  await finishing(async () => {
    for await (const row of ctx.store.scan('states', start)) {
      const { key } = row
      if (!startsWith(key, start)) return
      if (key.length !== start.length + GENERATION_BYTES) continue
      const note = await readNote(ctx, row)
      if (note === undefined) continue
      const { generation } = note
      if (live === undefined || !equalBytes(generation, live)) await drop(ctx, { record, generation })
    }
  })
}

/** Deletes the wrap of a revoked generation, also one that was put back since. One store does so in its batch. */
export async function finishRevoked(ctx: VaultContext, name: RecordName): Promise<void> {
  if (!ctx.split) return
  await finishing(() => drop(ctx, name))
}

async function drop(ctx: VaultContext, place: Pick<RecordName, 'record' | 'generation'>): Promise<void> {
  const name: RecordName = { realm: ctx.realm, handle: new Uint8Array(RECORD_BYTES), ...place }
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
