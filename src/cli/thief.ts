/** The thief of the demo and of the drill: copies files and works on the copy, without the key and with it (SPEC §1). @module */
/// <reference types="node" />

import { cp } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { GuiseError } from '../base/errors.ts'
import { linearPreimage } from '../evaluate/preimage.ts'
import { openKeyring } from '../keys/keyring.ts'
import { localKeyProvider } from '../keys/local.ts'
import { referenceKey } from '../record/place.ts'
import { decodeReferenceRow, type ReferenceRow } from '../record/reference-row.ts'
import type { StateRow } from '../record/state-row.ts'
import { openCode } from '../seal/code.ts'
import { SealError } from '../seal/errors.ts'
import { lmdbStore } from '../store/lmdb.ts'
import type { Store } from '../store/store.ts'
import type { VaultContext } from '../vault/context.ts'
import { requireState, withSubject } from '../vault/lookup.ts'
import { openContext } from '../vault/open.ts'
import { logElsewhere } from '../vault/symbols.ts'
import type { VaultOptions } from '../vault/types.ts'
import { readSecret, withRecordSecret } from '../vault/wrap.ts'

/** LMDB's table of readers: of no use elsewhere. */
const LOCK_FILE = 'lock.mdb'

/** Copies a store's directory and a provider's, as a thief of a disk or a backup has them. */
export async function copyFiles(
  folder: string,
  target: string,
  parts: readonly string[] = ['store', 'keys'],
): Promise<void> {
  for (const part of parts) {
    await cp(join(folder, part), join(target, part), {
      recursive: true,
      filter: (path) => basename(path) !== LOCK_FILE,
    })
  }
}

/** What a thief opens a vault with: neither the log's key nor the anchor, nor a store that is alive. */
function thievish(options: VaultOptions): VaultOptions {
  const stolen: { -readonly [Key in keyof VaultOptions]: VaultOptions[Key] } = {
    ...options,
    [logElsewhere]: true,
  }
  delete stolen.logSigner
  delete stolen.anchor
  delete stolen.secrets
  return stolen
}

/** Directories: of the store, of a second one for secrets where the vault has it, and of the provider, with a key for that. */
export interface Copy {
  readonly store: string
  readonly secrets?: string
  readonly keys: string
  readonly key: Uint8Array
}

/**
 * Opens a copied store with some provider directory and some key, as a vault would, and closes it again. An `owner` has the log's
 * key and the anchor.
 */
export async function withCopy<Result>(
  copy: Copy,
  options: VaultOptions,
  task: (ctx: VaultContext) => Promise<Result>,
  who: 'thief' | 'owner' = 'thief',
): Promise<Result> {
  const opening = who === 'owner' ? options : thievish(options)
  const provider = localKeyProvider({ path: copy.keys, key: copy.key })
  const store = await lmdbStore({ path: copy.store })
  const secrets = copy.secrets === undefined ? undefined : await lmdbStore({ path: copy.secrets })
  try {
    const keyring = await openKeyring({ realm: options.keyring.realm, provider, store })
    try {
      const ctx = await openContext({ ...opening, keyring, store, ...(secrets !== undefined && { secrets }) })
      try {
        return await task(ctx)
      } finally {
        await ctx.ledger.close()
      }
    } finally {
      keyring.close()
    }
  } finally {
    provider.close()
    await secrets?.close()
    await store.close()
  }
}

/** The code of the error that a task ends in; `undefined` when it ends well. */
export async function codeOf(task: Promise<unknown>): Promise<string | undefined> {
  try {
    await task
    return undefined
  } catch (error) {
    if (error instanceof GuiseError) return error.code
    throw error
  }
}

/** Where a subject's rows lie. Only the keyring can tell; these thieves are told for nothing. */
export async function nameOf(ctx: VaultContext, subject: string): Promise<StateRow> {
  return withSubject(ctx, subject, undefined, async (text) => (await requireState(ctx, text)).row)
}

/** The sealed code as it lies in a store: the vault's own, or a copy. */
export async function sealedCode(
  ctx: VaultContext,
  name: StateRow,
  store: Pick<Store, 'get'> = ctx.store,
): Promise<ReferenceRow> {
  const stored = await store.get('references', referenceKey(ctx.realm, name.record))
  return decodeReferenceRow(stored?.bytes ?? new Uint8Array(0), ctx.settings.profile, name)
}

/** With every key: opens the code and turns it back into an approximation of the embedding. */
export async function stealPreimage(ctx: VaultContext, name: StateRow): Promise<Float64Array> {
  const { profile, suite } = ctx.settings
  const reference = await sealedCode(ctx, name)
  return withSecret(ctx, name, undefined, (recordSecret) =>
    openCode(recordSecret, reference.header, reference, profile.bits / 8, (code, rotationKey) =>
      linearPreimage(code, rotationKey, { suite, dimensions: profile.dimensions }),
    ),
  )
}

/** How many of the stolen codes a subject's present secret opens. */
export async function countOpened(
  ctx: VaultContext,
  name: StateRow,
  stolen: readonly ReferenceRow[],
): Promise<number> {
  const codeBytes = ctx.settings.profile.bits / 8
  return withSecret(
    ctx,
    name,
    undefined,
    (recordSecret) => stolen.filter((reference) => opens(recordSecret, reference, codeBytes)).length,
  )
}

function opens(recordSecret: Uint8Array, reference: ReferenceRow, codeBytes: number): boolean {
  try {
    return openCode(recordSecret, reference.header, reference, codeBytes, () => true)
  } catch (error) {
    if (error instanceof SealError) return false
    throw error
  }
}

/** Lends the record secret of a generation to `use`, opened with every key that the context has and perhaps a device's share. */
export async function withSecret<Result>(
  ctx: VaultContext,
  name: StateRow,
  share: Uint8Array | undefined,
  use: (recordSecret: Uint8Array) => Result,
): Promise<Result> {
  const secret = await readSecret(ctx, name)
  if (secret === undefined) throw new Error('the wrap is missing')
  await ctx.ring.load()
  await ctx.ring.loadEpoch(secret.row.epoch)
  return withRecordSecret(ctx, name, secret.row, { share }, use)
}

/** Share of differing bits. */
export function hammingShare(a: Uint8Array, b: Uint8Array): number {
  let differing = 0
  for (let i = 0; i < a.length; i++) {
    for (let bits = (a[i] as number) ^ (b[i] as number); bits !== 0; bits &= bits - 1) differing++
  }
  return differing / (8 * a.length)
}

/** Cosine of two vectors. */
export function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let product = 0
  let left = 0
  let right = 0
  for (let i = 0; i < a.length; i++) {
    product += (a[i] as number) * (b[i] as number)
    left += (a[i] as number) ** 2
    right += (b[i] as number) ** 2
  }
  return product / Math.sqrt(left * right)
}

/** What the thief without keys makes of a sealed code: reads it as signs, because nothing better is to be had. */
export function guessFrom(sealed: Uint8Array, dimensions: number): Float64Array {
  return Float64Array.from({ length: dimensions }, (_, i) =>
    (((sealed[(i >> 3) % sealed.length] as number) >> (i & 7)) & 1) === 1 ? 1 : -1,
  )
}
