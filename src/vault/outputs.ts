/** What the quorum gave for one call: asked for with a logged request, outside the subject's turn (SPEC §13.9). @module */

import type { Checkpoint } from '../audit/checkpoint.ts'
import { type AuditEntry, decodeEntry } from '../audit/entry.ts'
import { AuditError } from '../audit/errors.ts'
import { type EntryProof, proveUnder, type StoredLog, storedLog } from '../audit/stored-log.ts'
import { equalBytes, wipe } from '../base/bytes.ts'
import { type CallOptions, GuiseError } from '../base/errors.ts'
import type { QuorumFault } from '../quorum/errors.ts'
import type { RecordName } from '../record/place.ts'
import type { VaultContext, VaultQuorum } from './context.ts'
import { OutputNeeded } from './errors.ts'

/** Requests of others for the same generation may overtake one: so often it is logged anew. */
const MOST_OVERTAKEN = 4
/** Of all references of a subject, whose devices change together. */
const MOST_HELD = 5
/** How far behind the newest entry one is looked for that was integrated a moment ago. */
const MOST_ENTRIES = 10_000

interface Held {
  readonly name: RecordName
  readonly epoch: number
  readonly output: Uint8Array
}

/** The outputs of one call, the newest held; wiped when it ends. */
export class Outputs {
  readonly #ctx: VaultContext
  /** The newest last. */
  readonly #held: Held[] = []
  #overtaken = 0
  #ended: { readonly name: RecordName; readonly error: GuiseError } | undefined

  constructor(ctx: VaultContext) {
    this.#ctx = ctx
  }

  /**
   * The output for a generation, borrowed; `undefined` under custody without a quorum. Where it is not held, `request` logs that it is
   * asked for, and the decision is left for the time that this takes.
   */
  async of(
    name: RecordName,
    epoch: number | undefined,
    request: (epoch: number) => Promise<Uint8Array>,
  ): Promise<Uint8Array | undefined> {
    if (epoch === undefined) return undefined
    const held = this.#held.find((one) => one.epoch === epoch && isSame(one.name, name))
    if (held !== undefined) return held.output
    // Once more from fresh rows, and the record is as it was: the holders know better than the store.
    if (this.#ended !== undefined && isSame(this.#ended.name, name)) throw this.#ended.error
    throw new OutputNeeded(name, epoch, await request(epoch))
  }

  /** Shows the holders the request. A generation that they remember as revoked is left to a new decision. */
  async ask({ template, epoch, entry }: OutputNeeded): Promise<void> {
    const ctx = this.#ctx
    const call = callOf(ctx)
    const { asked } = ctx.settings.quorum as VaultQuorum
    const { record, generation } = template
    try {
      const checkpoint = await ctx.ledger.sequence(call)
      const log = logOf(ctx)
      const receipt = await proveOwn(ctx, checkpoint, entry)
      const { output, faults } = await asked.open({ record, generation, epoch, receipt, log }, call)
      this.#held.push({ name: template, epoch, output })
      while (this.#held.length > MOST_HELD) wipe(this.#held.shift()?.output)
      ctx.settings.meter?.holders(faults)
    } catch (error) {
      ctx.signal?.throwIfAborted()
      ctx.settings.meter?.holders(faultsOf(error))
      if (wasOvertaken(error) && ++this.#overtaken < MOST_OVERTAKEN) return
      if (hasCode(error, 'ERR_QUORUM_REVOKED')) this.#ended = { name: template, error: error as GuiseError }
      else throw error
    }
  }

  wipe(): void {
    for (const { output } of this.#held.splice(0)) wipe(output)
  }
}

/** The log that holders are shown. */
export function logOf(ctx: VaultContext): StoredLog {
  return storedLog(ctx.store, ctx.realm)
}

/** What a call gives on to whoever it waits for. */
export function callOf(ctx: VaultContext): CallOptions {
  return ctx.signal === undefined ? {} : { signal: ctx.signal }
}

/** What the log is told of a request, and of one that came to nothing. */
export function openEvent(
  { handle, record, generation }: RecordName,
  epoch: number,
  outcome: 'done' | 'failed' = 'done',
): {
  readonly action: 'open'
  readonly outcome: 'done' | 'failed'
  readonly handle: Uint8Array
  readonly record: Uint8Array
  readonly generation: Uint8Array
  readonly epoch: number
} {
  return { action: 'open', outcome, handle, record, generation, epoch }
}

/** The proof of an entry of this process under a signed checkpoint. */
export async function proveOwn(
  ctx: VaultContext,
  checkpoint: Checkpoint | undefined,
  entry: Uint8Array,
): Promise<EntryProof> {
  const { writer, sequence } = decodeEntry(entry)
  const isOwn = (other: AuditEntry): boolean =>
    other.sequence === sequence && equalBytes(other.writer, writer)
  const proof = checkpoint && (await proveUnder(ctx, checkpoint, isOwn, MOST_ENTRIES, callOf(ctx)))
  if (proof !== undefined) return proof
  throw new AuditError('ERR_AUDIT_PENDING', 'the request is not under a signed checkpoint yet', {
    retryable: true,
  })
}

/** True when holders answered a later request for the generation first: whoever asks again logs again (QUORUM-10). */
function wasOvertaken(error: unknown): boolean {
  return (
    hasCode(error, 'ERR_QUORUM_UNAVAILABLE') &&
    faultsOf(error).some(({ code }) => code === 'ERR_QUORUM_REPLAY')
  )
}

/** Quorums of other makers may have error classes of their own: the code is the contract. */
function hasCode(error: unknown, code: string): boolean {
  return error instanceof GuiseError && error.code === code
}

function faultsOf(error: unknown): readonly QuorumFault[] {
  if (!(error instanceof GuiseError)) return []
  const { faults = [] } = error as { readonly faults?: readonly QuorumFault[] }
  return faults
}

function isSame(a: RecordName, b: RecordName): boolean {
  return equalBytes(a.record, b.record) && equalBytes(a.generation, b.generation)
}
