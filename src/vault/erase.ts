/** Erase: code, wraps, attempts and the mapping from the identifier go; a signed receipt says when (SPEC §11.3). @module */

import { storedLog } from '../audit/stored-log.ts'
import type { Millis } from '../base/brand.ts'
import { equalBytes, fromBase64, wipe } from '../base/bytes.ts'
import type { CallOptions } from '../base/errors.ts'
import { checkSubjectText } from '../base/identifier.ts'
import { keyPairEd25519 } from '../crypto/sign.ts'
import { subjectTag } from '../keys/pseudonym.ts'
import { copyBytes, readFields } from '../policy/fields.ts'
import { attemptsKey, receiptKey, SCOPE_UNBOUND } from '../record/place.ts'
import {
  decodeReceiptRow,
  encodeReceiptRow,
  type ReceiptBody,
  readReceipt,
  signReceipt,
} from '../record/receipt.ts'
import type { KeyForVersion } from '../record/row.ts'
import type { StateRow } from '../record/state-row.ts'
import type { StoredRow, StoreStep } from '../store/store.ts'
import { commitChange } from './batch.ts'
import {
  changedRow,
  changeEvent,
  changeSubject,
  nextState,
  type Subject,
  settle,
  stateStep,
} from './change.ts'
import type { VaultContext } from './context.ts'
import { endGenerations, endingSteps } from './endings.ts'
import { rejectInput, VaultError } from './errors.ts'
import { finishRecord } from './finish.ts'
import { departureSteps, findDeparture, forgetDeparture } from './gallery-change.ts'
import { recordId } from './lookup.ts'
import { operationDigest } from './operation.ts'
import { dropTemplate } from './revoke.ts'
import type { ErasureReceipt, Irrecoverable } from './types.ts'

/** Erases a record and proves it. The subject is unknown afterwards; a repeated call gets the same receipt. */
export async function erase(
  ctx: VaultContext,
  subject: string,
  options?: CallOptions,
): Promise<ErasureReceipt> {
  const digest = await eraseDigest(ctx, subject, options)
  try {
    const { receipt, profile } = await changeSubject(
      ctx,
      'erase',
      // The tombstone remembers no operation: the receipt stands for it.
      { subject, options: undefined },
      { change: (found) => eraseOnce(ctx, found, digest) },
    )
    return await ended(ctx, receipt, profile)
  } catch (error) {
    const gone = error instanceof VaultError && error.code === 'ERR_VAULT_UNKNOWN_SUBJECT'
    const before = gone && digest !== undefined ? await readBefore(ctx, digest) : undefined
    if (before === undefined) throw error
    const receipt = await finished(ctx, before)
    await settle(ctx)
    return await ended(ctx, receipt, undefined)
  }
}

/** Under a quorum an erasure has ended well when no backup can bring the template back. */
async function ended(
  ctx: VaultContext,
  receipt: ErasureReceipt,
  profile: number | undefined,
): Promise<ErasureReceipt> {
  const record = fromBase64(receipt.record) as Uint8Array
  await endGenerations(ctx, { record, handle: undefined }, profile)
  return await withProof(ctx, receipt)
}

/** How far back in the log the entry of an erasure is looked for. */
const MOST_ENTRIES = 100_000

/** The receipt with the proof that the log tells of it. */
async function withProof(ctx: VaultContext, receipt: ErasureReceipt): Promise<ErasureReceipt> {
  const record = fromBase64(receipt.record) as Uint8Array
  const audit = await storedLog(ctx.store, ctx.realm).prove(
    (entry) => entry.action === 'erase' && entry.record !== null && equalBytes(entry.record, record),
    MOST_ENTRIES,
  )
  return audit === undefined ? receipt : { ...receipt, audit }
}

/** Bound to the subject's tag, because the handle is not to be found after the erasure. */
async function eraseDigest(
  ctx: VaultContext,
  subject: unknown,
  options: CallOptions | undefined,
): Promise<Uint8Array | undefined> {
  const text = checkSubjectText(subject, rejectInput)
  await ctx.ring.refresh()
  await ctx.ring.load()
  const { index } = ctx.ring.requireRealmKeys(ctx.ring.oldestVersion)
  return operationDigest(ctx, 'erase', subjectTag(index, text), options)
}

async function readBefore(ctx: VaultContext, digest: Uint8Array): Promise<ErasureReceipt | undefined> {
  const stored = await ctx.store.get('states', receiptKey(ctx.realm, digest))
  if (stored === undefined) return undefined
  await ctx.ring.load()
  const place = { realm: ctx.realm, digest }
  const { bytes, signature } = decodeReceiptRow(stored.bytes, place, ctx.limiterKey)
  return describeReceipt(ctx, readReceipt(bytes, signature, publicKeys(ctx)), bytes, signature)
}

/** The receipt of before, once nothing is left that it says is gone. */
async function finished(ctx: VaultContext, receipt: ErasureReceipt): Promise<ErasureReceipt> {
  const record = fromBase64(receipt.record) as Uint8Array
  await finishRecord(ctx, { record, handle: undefined, live: [] })
  return receipt
}

interface Erased {
  readonly receipt: ErasureReceipt
  /** Of the record; not known any more of one that was erased before. */
  readonly profile: number | undefined
}

/** One erasure, decided on the rows as they were read. `policy`: what asked for it, for the log. */
export async function eraseOnce(
  ctx: VaultContext,
  found: Subject,
  digest: Uint8Array | undefined,
  policy: string | null = null,
): Promise<Erased> {
  // The identifier was enrolled again since: this is still the retry of the erasure before.
  const before = digest && (await readBefore(ctx, digest))
  if (before !== undefined) return { receipt: await finished(ctx, before), profile: undefined }
  const state = nextState(found, 'erase')
  const old = await dropTemplate(ctx, found.row)
  const rest = await dropRest(ctx, found)
  const departure = await findDeparture(ctx, found.row.handle)
  const ending = await endingSteps(ctx, found.row)
  await ctx.ring.load()
  const tombstone = changedRow(ctx, found, 'erase', {
    state,
    devices: [],
    basis: null,
    operations: [],
    references: undefined,
    ...old.epochs(),
  })
  const body = receiptBody(ctx, tombstone)
  const signed = signReceipt(body, ctx.ring.requireRealmKeys(body.keyVersion).receipt)
  const steps: StoreStep[] = [
    stateStep(ctx, found, { ...tombstone, operations: [] }),
    ...old.change.steps,
    ...rest,
    ...(departure === undefined ? [] : departureSteps(ctx, departure)),
    ...ending,
  ]
  if (digest !== undefined) {
    const key = receiptKey(ctx.realm, digest)
    const row = { realm: ctx.realm, digest, ...signed, keyVersion: body.keyVersion }
    steps.push({
      step: 'put',
      table: 'states',
      key,
      bytes: encodeReceiptRow(row, ctx.ring.requireRealmKeys(row.keyVersion).limiter),
      expected: null,
    })
  }
  const event = { ...changeEvent('erase', found.row), policy }
  await commitChange(ctx, { ...old.change, steps, event, ring: found.found.ring })
  forgetDeparture(ctx, departure)
  const receipt = describeReceipt(ctx, body, signed.bytes, signed.signature)
  return { receipt, profile: found.row.profile }
}

/** The receipt of an erasure, made anew from what the erasure left: the same bytes. */
export async function receiptOf(ctx: VaultContext, tombstone: StateRow): Promise<ErasureReceipt> {
  await ctx.ring.load()
  const body = receiptBody(ctx, tombstone)
  const signed = signReceipt(body, ctx.ring.requireRealmKeys(body.keyVersion).receipt)
  return finished(ctx, describeReceipt(ctx, body, signed.bytes, signed.signature))
}

/** The attempts row and the mapping. */
async function dropRest(ctx: VaultContext, found: Subject): Promise<readonly StoreStep[]> {
  const index = found.found.index as StoredRow
  const key = attemptsKey(ctx.realm, found.row.handle, SCOPE_UNBOUND)
  const attempts = await ctx.store.get('attempts', key)
  const steps: StoreStep[] = [{ step: 'delete', table: 'index', key: index.key, expected: index.version }]
  if (attempts !== undefined)
    steps.push({ step: 'delete', table: 'attempts', key, expected: attempts.version })
  return steps
}

/** The receipt as of now: an erasure that was promised may have become irrecoverable since. */
export async function renewReceipt(ctx: VaultContext, receipt: ErasureReceipt): Promise<ErasureReceipt> {
  const given = readFields(receipt, 'the receipt', ['statement', 'signature'], rejectInput)
  const statement = copyBytes(given.statement, 'receipt.statement', [1, 256], rejectInput)
  const signature = copyBytes(given.signature, 'receipt.signature', 64, rejectInput)
  await ctx.ring.refresh()
  await ctx.ring.load()
  const body = readReceipt(statement, signature, publicKeys(ctx))
  return describeReceipt(ctx, body, statement, signature)
}

/** Public receipt keys by version. */
function publicKeys(ctx: VaultContext): KeyForVersion {
  return (version) => {
    const receipt = ctx.ring.realmKeys(version)?.receipt
    if (receipt === undefined) return undefined
    const { seed, publicKey } = keyPairEd25519(receipt)
    wipe(seed)
    return publicKey
  }
}

function receiptBody(ctx: VaultContext, state: StateRow): ReceiptBody {
  const { record, generation, since, last, changedMs: unreachableMs, keyVersion } = state
  const boundMs = ctx.settings.erasureBoundMs
  return { realm: ctx.realm, record, generation, unreachableMs, since, last, boundMs, keyVersion }
}

function describeReceipt(
  ctx: VaultContext,
  body: ReceiptBody,
  statement: Uint8Array,
  signature: Uint8Array,
): ErasureReceipt {
  return {
    record: recordId(body.record),
    unreachableAt: body.unreachableMs as Millis,
    irrecoverable: irrecoverable(ctx, body),
    statement,
    signature,
  }
}

/** The instant when the last epoch that ever wrapped the secret was destroyed, or will be, or the promise of one, or never. */
function irrecoverable(ctx: VaultContext, body: ReceiptBody): Irrecoverable {
  if (!ctx.ring.canDestroy) return 'never'
  let atMs = body.unreachableMs
  for (let epoch = body.since; epoch <= body.last; epoch++) {
    const destroyedMs = ctx.ring.destroyedAt(epoch)
    if (destroyedMs === undefined) return { by: (body.unreachableMs + body.boundMs) as Millis }
    atMs = Math.max(atMs, destroyedMs)
  }
  // A provider may confirm an instant that is yet to come, and whoever may stop it can do so until then.
  return atMs > ctx.clock.nowMs() ? { by: atMs as Millis } : { at: atMs as Millis }
}
