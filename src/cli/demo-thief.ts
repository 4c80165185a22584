/** The demo's thief: what the stolen files give without keys and with them (SPEC §1). @module */

import { concatBytes, wipe } from '../base/bytes.ts'
import { embedding } from '../embedding/embedding.ts'
import type { Model } from '../embedding/model.ts'
import { linearPreimage } from '../evaluate/preimage.ts'
import { referenceKey } from '../record/place.ts'
import { decodeReferenceRow } from '../record/reference-row.ts'
import { openCode } from '../seal/code.ts'
import type { VaultContext } from '../vault/context.ts'
import { requireState, withSubject } from '../vault/lookup.ts'
import { allowUnattestedCapture } from '../vault/symbols.ts'
import type { Vault } from '../vault/vault.ts'
import { readSecret, withRecordSecret } from '../vault/wrap.ts'

/** The sealed code of a subject as it lies in the store: all that a thief without keys has. */
export async function sealedCode(ctx: VaultContext, subject: string): Promise<Uint8Array> {
  return withSubject(ctx, subject, undefined, async (text) => {
    const { row } = await requireState(ctx, text)
    const stored = await ctx.store.get('references', referenceKey(ctx.realm, row.record))
    const reference = decodeReferenceRow(stored?.bytes ?? new Uint8Array(0), ctx.settings.profile, row)
    return reference.ciphertext.slice(0, ctx.settings.profile.bits / 8)
  })
}

/** With every key: opens the code and turns it back into an approximation of the embedding. */
export async function stealPreimage(ctx: VaultContext, subject: string): Promise<Float64Array> {
  return withSubject(ctx, subject, undefined, async (text) => {
    const { row } = await requireState(ctx, text)
    const { profile, suite } = ctx.settings
    const stored = await ctx.store.get('references', referenceKey(ctx.realm, row.record))
    const reference = decodeReferenceRow(stored?.bytes ?? new Uint8Array(0), profile, row)
    const secret = await readSecret(ctx, row)
    if (secret === undefined) throw new Error('the wrap is missing')
    await ctx.ring.loadEpoch(secret.row.epoch)
    return withRecordSecret(ctx, row, secret.row, undefined, (recordSecret) =>
      openCode(recordSecret, reference.header, reference, profile.bits / 8, (code, rotationKey) =>
        linearPreimage(code, rotationKey, { suite, dimensions: profile.dimensions }),
      ),
    )
  })
}

/** Whether the vault takes the vector for the subject. */
export async function isAccepted(
  vault: Vault,
  model: Model,
  subject: string,
  vector: Float32Array | Float64Array,
): Promise<boolean> {
  const decision = await vault.verify({
    subject,
    embedding: embedding(vector, model),
    [allowUnattestedCapture]: true,
  })
  return decision.outcome === 'match'
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
  const bits = concatBytes(sealed)
  const guess = Float64Array.from({ length: dimensions }, (_, i) =>
    (((bits[(i >> 3) % bits.length] as number) >> (i & 7)) & 1) === 1 ? 1 : -1,
  )
  wipe(bits)
  return guess
}
