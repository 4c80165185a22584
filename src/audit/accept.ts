/** Break-glass: a log that is not the one that was anchored is accepted, signed and logged (SPEC §14.9). @module */

import type { Realm } from '../base/brand.ts'
import { checkText } from '../base/check.ts'
import { systemClock } from '../base/clock.ts'
import type { CallOptions } from '../base/errors.ts'
import type { Store } from '../store/store.ts'
import type { Checkpoint, LogSigner } from './checkpoint.ts'
import { rejectInput } from './errors.ts'
import { Follower } from './follower.ts'
import { integrateSome } from './integrate.ts'
import type { Journal } from './journal.ts'
import type { LogHead } from './log-rows.ts'
import { bytesOf, KEY_TYPE, keyHashOf, signatureLine, toBase64 } from './note.ts'
import { Publisher } from './publish.ts'
import type { LogKeys } from './queue.ts'

/** What the acceptance is about. */
export interface AcceptParts {
  readonly store: Pick<Store, 'get' | 'commit' | 'scan'>
  readonly realm: Realm
  readonly keys: LogKeys
  readonly journal: Journal
  readonly signer: LogSigner
}

/** What was accepted: the new checkpoint, and a signed statement that names the old one. */
export interface Accepted {
  readonly checkpoint: Checkpoint
  /** A signed note that no verifier takes for a checkpoint. */
  readonly statement: string
}

/**
 * Logs that the store's history goes on although the anchor knows another, and signs both heads. Throws `ERR_AUDIT_INPUT` when the log
 * continues what is anchored: then there is nothing to accept.
 */
export async function acceptLog(
  parts: AcceptParts,
  kept: Checkpoint,
  actor: string,
  options: CallOptions = {},
): Promise<Accepted> {
  const { store, realm, keys, journal, signer } = parts
  checkText(actor, 'actor', { maxBytes: 64 }, rejectInput)
  const follower = new Follower(store, realm, keys)
  const publisher = new Publisher({ store, realm, signer, anchor: undefined })
  await follower.follow(options)
  const now = { size: follower.size, root: follower.frontier.root() }
  if (publisher.isGenuine(kept) && (await publisher.continues(kept, now, options))) {
    throw rejectInput('the log continues what is anchored: there is nothing to accept')
  }
  await keys.load(options)
  const timeMs = systemClock.nowMs()
  const event = { action: 'anchor-accept', outcome: 'done', actor, timeMs } as const
  await journal.commit(store, [], event, keys, options)
  await follower.follow(options)
  while (await integrateSome(parts, follower, options)) {
    // One commit after another until nothing waits.
  }
  const head = (): LogHead => ({ size: follower.size, root: follower.frontier.root() })
  const readOn = (): Promise<LogHead> => follower.follow(options).then(head)
  await publisher.publish(head(), readOn, options)
  const checkpoint = publisher.checkpoint as Checkpoint
  return { checkpoint, statement: await sign(signer, kept, checkpoint, { actor, timeMs }, options) }
}

async function sign(
  signer: LogSigner,
  before: Checkpoint,
  after: Checkpoint,
  { actor, timeMs }: { readonly actor: string; readonly timeMs: number },
  options: CallOptions,
): Promise<string> {
  const { origin: name, publicKey } = signer
  const head = ({ size, root }: Checkpoint): string => `${size} ${toBase64(root)}`
  const instant = new Date(timeMs).toISOString()
  const text = `${name}\nanchor-accept\nfrom ${head(before)}\nto ${head(after)}\nby ${toBase64(bytesOf(actor))} at ${instant}\n`
  const signature = await signer.sign(bytesOf(text), options)
  const keyHash = keyHashOf(name, KEY_TYPE.log, publicKey)
  return `${text}\n${signatureLine({ name, keyHash, signature })}`
}
