/** What others give to one call, the holder's shares and the quorum's output, asked for outside the subject's turn (SPEC §4.3, §11.7). @module */

import { toHex, wipe } from '../base/bytes.ts'
import { GuiseError } from '../base/errors.ts'
import { KeysError } from '../keys/errors.ts'
import { copyBytes } from '../policy/fields.ts'
import type { RecordName } from '../record/place.ts'
import { StoreError } from '../store/errors.ts'
import type { StoreStep } from '../store/store.ts'
import type { VaultContext } from './context.ts'
import { asksHolder } from './custody.ts'
import { OutputNeeded, rejectInput, ShareNeeded, type ShareRole } from './errors.ts'
import { recordId } from './lookup.ts'
import { Outputs, openEvent } from './outputs.ts'
import type { ShareSource } from './types.ts'
import type { Presented } from './wrap.ts'

/** Other processes that reissue in between make a share useless: so often it is asked for again. */
const MOST_ASKED = 16
const CHANGING = 'the template kept changing while others were asked for their part'
const SHARE_BYTES = 32
/** A device that has gone must not hold a call, and with it a place among those under way, for ever. */
const LONGEST_MS = 120_000

const NO_ANSWER: unique symbol = Symbol('no answer')

/** The shares and outputs of one call; wiped when it ends. */
export class Shares {
  readonly outputs: Outputs
  readonly #ctx: VaultContext
  readonly #sources: Readonly<Partial<Record<ShareRole, ShareSource>>>
  /** By role and generation: a change of devices needs those of every reference. */
  readonly #held: Map<string, Uint8Array> = new Map()

  constructor(ctx: VaultContext, sources: Readonly<Partial<Record<ShareRole, ShareSource>>>) {
    this.#ctx = ctx
    this.#sources = sources
    this.outputs = new Outputs(ctx)
  }

  /** The share of one generation, borrowed; `undefined` under custody without a holder. Does not wait. */
  of(name: RecordName, role: ShareRole = 'present'): Uint8Array | undefined {
    if (!asksHolder(this.#ctx.settings.custody)) return undefined
    const held = this.#held.get(nameOf(role, name))
    if (held !== undefined) return held
    throw new ShareNeeded(role, name)
  }

  /** All that a template is sealed with that is about to be made. A request rests on `ring` alone. */
  async forNew(name: RecordName, ring: StoreStep, role: ShareRole = 'present'): Promise<Presented> {
    const ctx = this.#ctx
    const share = this.of(name, role)
    const quorum = await this.outputs.of(name, ctx.settings.quorum?.epoch, (epoch) =>
      ctx.commitLogged([ring], openEvent(name, epoch)),
    )
    return { share, quorum }
  }

  /** Asks the device for what a decision lacked. */
  async ask({ role, template }: ShareNeeded): Promise<void> {
    const source = this.#sources[role] as ShareSource
    const context = {
      realm: this.#ctx.realm,
      record: recordId(template.record),
      generation: Uint8Array.from(template.generation),
    }
    const given = await answerOf(() => source(context), this.#ctx.signal)
    const share = takeShare(given)
    this.#held.set(nameOf(role, template), share)
  }

  wipe(): void {
    this.outputs.wipe()
    for (const share of this.#held.values()) wipe(share)
  }
}

/**
 * Checks the sources before anything is read, so that a missing one says nothing of the subject, and runs `task` until
 * it lacks nothing. Only the device of a subject that exists is asked: `refused` answers in place of the error when it
 * gives nothing of use. What the quorum does not give is an error.
 */
export async function withShares<Result>(
  ctx: VaultContext,
  sources: Readonly<Partial<Record<ShareRole, unknown>>>,
  task: (shares: Shares) => Promise<Result>,
  refused?: () => Promise<Result>,
): Promise<Result> {
  const shares = new Shares(ctx, checkSources(ctx, sources))
  try {
    for (let asked = 0; ; asked++) {
      try {
        return await task(shares)
      } catch (lack) {
        if (lack instanceof OutputNeeded) {
          if (asked >= MOST_ASKED) throw new StoreError('ERR_STORE_CONFLICT', CHANGING)
          await shares.outputs.ask(lack)
        } else if (lack instanceof ShareNeeded) {
          try {
            if (asked >= MOST_ASKED) throw missing(CHANGING)
            await shares.ask(lack)
          } catch (failure) {
            if (refused === undefined || !(failure instanceof GuiseError)) throw failure
            return await refused()
          }
        } else throw lack
      }
    }
  } finally {
    shares.wipe()
  }
}

function checkSources(
  ctx: VaultContext,
  sources: Readonly<Partial<Record<ShareRole, unknown>>>,
): Readonly<Partial<Record<ShareRole, ShareSource>>> {
  for (const source of Object.values(sources)) {
    if (!asksHolder(ctx.settings.custody)) {
      if (source !== undefined) throw rejectInput('this vault takes no holder share')
    } else if (typeof source !== 'function') {
      throw missing('this vault needs a holder share')
    }
  }
  return sources as Readonly<Partial<Record<ShareRole, ShareSource>>>
}

/** A copy of 32 bytes. What was given is wiped, also when it is of another length. */
function takeShare(given: unknown): Uint8Array {
  try {
    return copyBytes(given, 'a holder share', SHARE_BYTES, rejectInput)
  } finally {
    wipeLate(given)
  }
}

/** What the device gives, or the reason of the signal, or the end of patience; a late share is wiped. */
async function answerOf(ask: () => Promise<unknown>, signal: AbortSignal | undefined): Promise<unknown> {
  let stop = (): void => undefined
  const stopped = new Promise<typeof NO_ANSWER>((resolve) => {
    stop = () => resolve(NO_ANSWER)
  })
  const timer = setTimeout(stop, LONGEST_MS)
  signal?.addEventListener('abort', stop, { once: true })
  const answer = start(ask)
  try {
    signal?.throwIfAborted()
    const first = await Promise.race([answer, stopped])
    signal?.throwIfAborted()
    if (first === NO_ANSWER) throw missing('the device gave no share in time')
    return first
  } catch (error) {
    void answer.then(wipeLate, () => undefined)
    throw error
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', stop)
  }
}

async function start(ask: () => Promise<unknown>): Promise<unknown> {
  try {
    return await ask()
  } catch (cause) {
    throw missing('the device gave no share', cause)
  }
}

function wipeLate(given: unknown): void {
  if (given instanceof Uint8Array) wipe(given)
}

function nameOf(role: ShareRole, { record, generation }: RecordName): string {
  return `${role} ${toHex(record)} ${toHex(generation)}`
}

function missing(message: string, cause?: unknown): KeysError {
  return new KeysError('ERR_KEYS_MISSING', message, { cause })
}
