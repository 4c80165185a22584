/** From handles back to their index rows, for work that knows no external identifier (SPEC §12.4). @module */

import { readU32be } from '../base/bytes.ts'
import { realmPrefix } from '../base/identifier.ts'
import { KeysError } from '../keys/errors.ts'
import { decodeIndexRow } from '../keys/pseudonym.ts'
import { startsWith } from '../record/place.ts'
import type { StoredRow } from '../store/store.ts'
import type { VaultContext } from './context.ts'

/** One reading of the index for all of them: keys of index rows by handle. Rows that no key of the realm wrote name nobody. */
export async function readMapping(
  ctx: VaultContext,
  handles: Iterable<Uint8Array>,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const wanted = new Set(Array.from(handles, handleName))
  const found = new Map<string, Uint8Array>()
  const prefix = realmPrefix(ctx.realm)
  for await (const row of ctx.store.scan('index', prefix)) {
    if (!startsWith(row.key, prefix)) break
    await ctx.ring.load()
    const name = namedBy(ctx, row, prefix.length)
    if (name !== undefined && wanted.has(name)) found.set(name, Uint8Array.from(row.key))
  }
  return found
}

/** A handle as the key of a map. */
export function handleName(handle: Uint8Array): string {
  return String.fromCharCode(...handle)
}

function namedBy(ctx: VaultContext, { key, bytes }: StoredRow, from: number): string | undefined {
  const version = readU32be(key, from)
  const index = ctx.ring.realmKeys(version)?.index
  if (index === undefined) return undefined
  try {
    return handleName(decodeIndexRow(bytes, { realm: ctx.realm, version, tag: key.slice(from + 4) }, index))
  } catch (error) {
    if (error instanceof KeysError) return undefined
    throw error
  }
}
