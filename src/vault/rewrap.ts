/** Re-wrapping one record secret or one shard, by whoever has epoch keys and opens no inner wrap (SPEC §11.4, §11.11). @module */

import { equalBytes } from '../base/bytes.ts'
import { realmPrefix } from '../base/identifier.ts'
import { shardKey } from '../gallery/place.ts'
import { decodeShardRow, encodeShardRow } from '../gallery/shard-row.ts'
import { rewrapShardKey } from '../gallery/shard-wrap.ts'
import type { Profile } from '../keys/custody.ts'
import { rotateOuter } from '../keys/wraps.ts'
import { referenceKey } from '../record/place.ts'
import { readReferenceName } from '../record/reference-row.ts'
import { decodeSecretRow, encodeSecretRow, type SecretRow, secretHeader } from '../record/secret-row.ts'
import { sealFailure } from '../seal/errors.ts'
import type { StoreStep } from '../store/store.ts'
import type { VaultContext } from './context.ts'
import type { VaultKeys } from './keys.ts'

/** The whole of what a re-wrapping needs: epoch keys, the keys of shard rows and of the log. No custody key is among them. */
export interface Rewrapper
  extends Pick<
    VaultContext,
    'realm' | 'store' | 'secrets' | 'split' | 'stateKey' | 'ringStep' | 'commitLogged'
  > {
  readonly ring: Pick<VaultKeys, 'primary' | 'newestVersion' | 'load' | 'loadEpoch' | 'withEpoch'>
  /** Runs a decision with the keyring as it is now, and again when it conflicts. */
  decide<Result>(decision: () => Promise<Result>): Promise<Result>
}

const RECORD_BYTES = 16

/** Record and generation of a key of the secrets table. */
export function nameOf(
  { realm }: Pick<Rewrapper, 'realm'>,
  key: Uint8Array,
): { readonly record: Uint8Array; readonly generation: Uint8Array } {
  const inner = key.slice(realmPrefix(realm).length)
  return { record: inner.slice(0, RECORD_BYTES), generation: inner.slice(RECORD_BYTES) }
}

/** Re-wraps the secret under a key, in one decision. True when it was written, or would be. */
export async function rewrapRecord(host: Rewrapper, key: Uint8Array, dryRun: boolean): Promise<boolean> {
  return await host.decide(() => rewrapOnce(host, key, dryRun))
}

async function rewrapOnce(host: Rewrapper, key: Uint8Array, dryRun: boolean): Promise<boolean> {
  const stored = await host.secrets.get('secrets', key)
  if (stored === undefined) return false
  const { realm } = host
  const { record, generation } = nameOf(host, key)
  const row = decodeSecretRow(stored.bytes, { realm, record, generation })
  // Which epoch is the primary one is asked before whether the wrap is in use: an erasure names the epochs until its
  // own commit, and a wrap that was in use after this question is carried to no epoch that came later.
  const { primary } = host.ring
  if (row.epoch >= primary || (host.split && !(await isInUse(host, record, generation)))) return false
  if (dryRun) return true
  await host.ring.loadEpoch(row.epoch)
  if (host.ring.primary !== primary) return rewrapOnce(host, key, dryRun)
  const bytes = rewrapRow(host.ring, row, primary)
  const put: StoreStep = { step: 'put', table: 'secrets', key, bytes, expected: stored.version }
  const event = { action: 'rotate', outcome: 'done', record, generation, epoch: primary } as const
  await host.commitLogged(host.split ? [host.ringStep()] : [put, host.ringStep()], event)
  // Between two stores the log knows of it first: what is not logged does not happen.
  if (host.split) await host.secrets.commit([put])
  return true
}

/** The row under another epoch, its slots and the rest of its header unchanged. Throws `ERR_SEAL_OPEN`. */
export function rewrapRow(ring: Pick<VaultKeys, 'withEpoch'>, row: SecretRow, epoch: number): Uint8Array {
  const header = secretHeader({ ...row, epoch })
  const sealed = ring.withEpoch(row.epoch, (from) =>
    ring.withEpoch(epoch, (to) =>
      rotateOuter(row, {
        profile: row.profile as Profile,
        from: { prepared: from, header: row.header },
        to: { prepared: to, header },
      }),
    ),
  )
  if (sealed === undefined) throw sealFailure()
  return encodeSecretRow({ header, ...sealed })
}

/**
 * True when the references store still has the code of this generation. A wrap that waits for its deletion is not
 * carried over to an epoch that the receipt of its erasure does not name; what has just been read decides nothing, so the
 * store is asked once more by a commit.
 */
export async function isInUse(
  host: Pick<Rewrapper, 'realm' | 'store'>,
  record: Uint8Array,
  generation: Uint8Array,
): Promise<boolean> {
  const key = referenceKey(host.realm, record)
  const stored = await host.store.get('references', key)
  if (stored === undefined) return false
  await host.store.commit([{ step: 'check', table: 'references', key, expected: stored.version }])
  return equalBytes(readReferenceName(stored.bytes).generation, generation)
}

/** Re-wraps the rotation key of a shard, unopened, in one decision. True when it was written, or would be. */
export async function rewrapShard(host: Rewrapper, number: number, dryRun: boolean): Promise<boolean> {
  return await host.decide(() => rewrapShardOnce(host, number, dryRun))
}

async function rewrapShardOnce(host: Rewrapper, number: number, dryRun: boolean): Promise<boolean> {
  const { realm, ring } = host
  const key = shardKey(realm, number)
  const stored = await host.store.get('galleries', key)
  if (stored === undefined) return false
  const step = host.ringStep()
  await ring.load()
  const row = decodeShardRow(stored.bytes, { realm, number }, host.stateKey)
  const { primary } = ring
  if (row.epoch >= primary) return false
  if (dryRun) return true
  await ring.loadEpoch(row.epoch)
  if (ring.primary !== primary) return rewrapShardOnce(host, number, dryRun)
  const wrap = ring.withEpoch(row.epoch, (from) =>
    ring.withEpoch(primary, (prepared) => rewrapShardKey(row, from, { epoch: primary, prepared })),
  )
  const keyVersion = ring.newestVersion
  const next = { ...row, epoch: primary, wrap, version: row.version + 1, keyVersion }
  const bytes = encodeShardRow(next, host.stateKey(keyVersion) as Uint8Array)
  const put: StoreStep = { step: 'put', table: 'galleries', key, bytes, expected: stored.version }
  const event = { action: 'rotate', outcome: 'done', epoch: primary } as const
  await host.commitLogged([put, step], event)
  return true
}
