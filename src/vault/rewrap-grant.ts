/** A grant: what a process is given that re-wraps and may open no template (SPEC §11.11). @module */

import { Journal } from '../audit/journal.ts'
import type { LogKeys } from '../audit/queue.ts'
import type { Epoch, Realm } from '../base/brand.ts'
import { equalBytes, secretBytes, u32be, wipe } from '../base/bytes.ts'
import { asArray, asBytes, asUint, type CborValue, decodeCbor, encodeCbor } from '../base/cbor.ts'
import { checkBytes } from '../base/check.ts'
import { systemClock } from '../base/clock.ts'
import { checkRealm } from '../base/identifier.ts'
import { sha256 } from '../crypto/hash.ts'
import { cryptoReady } from '../crypto/sodium.ts'
import { KeysError } from '../keys/errors.ts'
import { type Keyring, ringAccess } from '../keys/keyring.ts'
import { ringRowKey } from '../keys/ring.ts'
import type { CheckStep } from '../keys/ring-access.ts'
import { type KeyForVersion, MAX_U32 } from '../record/row.ts'
import type { Store, StoreStep } from '../store/store.ts'
import type { VaultEvent, VaultStore } from './context.ts'
import { rejectConfiguration, VaultError } from './errors.ts'
import type { Rewrapper } from './rewrap.ts'
import { decideAgain } from './rewrap-host.ts'

/** What a worker has besides a grant. */
export interface WorkerPlace {
  /** From `rewrapGrant`; copied, the caller wipes his. */
  readonly grant: Uint8Array
  /** The store that holds the keyring; of its rows the worker understands none. */
  readonly store: Store
  readonly secrets?: Store
  readonly signal?: AbortSignal
  readonly actor?: string
}

const FORMAT = 1
const KIND = 45
const KEY_BYTES = 32
const PREPARED_BYTES = 416
const MOST_BYTES = 65_536
const MOST_NAMED = 128
const TABLE = 'keyrings'

/** What a grant says in clear. */
interface Terms {
  readonly realm: Realm
  /** SHA-256 of the keyring's row: another keyring than the one that was granted ends the grant. */
  readonly ring: Uint8Array
  readonly primary: number
  readonly newestVersion: number
  /** Versions of the state key, none where shards are to be left alone. */
  readonly versions: readonly number[]
  readonly epochs: readonly number[]
}

/**
 * The keys of every epoch that opens and lies below the primary one, the primary one's, the log key, and with `shards` the keys that
 * authenticate shard rows; bound to the keyring as it is now. With it and both stores outer wraps open, and nothing within them. The caller
 * wipes it.
 */
export async function rewrapGrant(
  keyring: Keyring,
  options: { readonly shards?: boolean; readonly signal?: AbortSignal } = {},
): Promise<Uint8Array> {
  const { shards = true, signal } = options
  const access = ringAccess(keyring)
  const call = signal === undefined ? {} : { signal }
  await access.refresh(call)
  const { key, version } = access.row()
  const row = await access.store.get(TABLE, key, call)
  // Read again at once: what another process changes in between ends in a new refresh, not in a grant of two keyrings.
  if (row?.version !== version) return rewrapGrant(keyring, options)
  const { primary, newestVersion } = access
  const epochs = keyring.epochs
    .filter(({ epoch, status }) => epoch >= keyring.minAccepted && epoch <= primary && OPEN.has(status))
    .map(({ epoch }): number => epoch)
  const versions = shards ? access.versions : []
  const terms: Terms = {
    realm: access.realm,
    ring: sha256(row.bytes),
    primary,
    newestVersion,
    versions,
    epochs,
  }
  const clear = encodeTerms(terms)
  const grant = secretBytes(4 + clear.length + secretLength(terms))
  grant.set(u32be(clear.length))
  grant.set(clear, 4)
  let at = 4 + clear.length
  const put = (bytes: Uint8Array): void => {
    grant.set(bytes, at)
    at += bytes.length
  }
  try {
    put((await access.loadRealmKeys(newestVersion, call)).log)
    for (const one of versions) put((await access.loadRealmKeys(one, call)).state)
    for (const epoch of epochs) await access.useEpoch(epoch, put, call)
    return grant
  } catch (error) {
    wipe(grant)
    throw error
  }
}

const OPEN: ReadonlySet<string> = new Set(['primary', 'enabled'])

function secretLength({ versions, epochs }: Terms): number {
  return KEY_BYTES * (1 + versions.length) + PREPARED_BYTES * epochs.length
}

function encodeTerms({ realm, ring, primary, newestVersion, versions, epochs }: Terms): Uint8Array {
  return encodeCbor([FORMAT, KIND, realm, ring, primary, newestVersion, versions, epochs])
}

function readTerms(grant: Uint8Array): { readonly terms: Terms; readonly secretAt: number } {
  const given = checkBytes(grant, 'grant', [4, MOST_BYTES], malformed)
  const view = new DataView(given.buffer, given.byteOffset, given.byteLength)
  const secretAt = 4 + view.getUint32(0)
  const items = asArray(decodeCbor(given.slice(4, secretAt), MOST_BYTES, malformed), 8, malformed)
  const [format, kind, realm, ring, primary, newestVersion, versions, epochs] = items
  if (format !== FORMAT || kind !== KIND) throw malformed('its format or kind is unknown')
  const terms: Terms = {
    realm: checkRealm(realm, malformed),
    ring: asBytes(ring, KEY_BYTES, malformed),
    primary: asUint(primary, MAX_U32, malformed),
    newestVersion: asUint(newestVersion, MAX_U32, malformed),
    versions: numbers(versions),
    epochs: numbers(epochs),
  }
  if (given.length !== secretAt + secretLength(terms)) throw malformed('its length does not fit')
  return { terms, secretAt }
}

function numbers(value: CborValue | undefined): readonly number[] {
  if (!Array.isArray(value) || value.length > MOST_NAMED) throw malformed('expected a list')
  return (value as readonly CborValue[]).map((item) => asUint(item, MAX_U32, malformed))
}

function malformed(why: string): VaultError {
  return new VaultError('ERR_VAULT_GRANT', `the grant cannot be read: ${why}`)
}

/** Re-wraps with a grant. Holds no realm secret, no custody key and no key provider. */
export class GrantHost implements Rewrapper {
  readonly realm: Realm
  readonly store: VaultStore
  readonly secrets: VaultStore
  readonly split: boolean
  readonly ring: Rewrapper['ring']
  /** True when the grant lets shards be re-wrapped. */
  readonly shards: boolean
  readonly stateKey: KeyForVersion
  readonly #place: Omit<WorkerPlace, 'grant'>
  readonly #terms: Terms
  readonly #bytes: Uint8Array
  readonly #secretAt: number
  readonly #journal: Journal
  #step: CheckStep | undefined

  constructor(place: WorkerPlace) {
    const { store, secrets = store } = place
    if (typeof place.store?.get !== 'function') throw rejectConfiguration('store must be a store')
    const { terms, secretAt } = readTerms(place.grant)
    this.#bytes = secretBytes(place.grant.length)
    this.#bytes.set(place.grant)
    this.#terms = terms
    this.#secretAt = secretAt
    this.#place = place
    this.realm = terms.realm
    this.store = store
    this.secrets = secrets
    this.split = store !== secrets
    this.shards = terms.versions.length > 0
    this.#journal = new Journal(terms.realm)
    this.stateKey = (version) => this.#stateKey(version)
    this.ring = {
      primary: terms.primary as Epoch,
      newestVersion: terms.newestVersion,
      load: cryptoReady,
      loadEpoch: async (epoch) => void this.#epoch(epoch),
      withEpoch: (epoch, task) => task(this.#epoch(epoch)),
    }
  }

  ringStep(): CheckStep {
    if (this.#step === undefined) throw ended()
    return this.#step
  }

  async commitLogged(steps: readonly StoreStep[], event: VaultEvent): Promise<Uint8Array> {
    const { store, signal, actor = null } = this.#place
    const said = { actor, timeMs: systemClock.nowMs(), ...event }
    const keys: Pick<LogKeys, 'newestVersion' | 'key'> = {
      newestVersion: this.#terms.newestVersion,
      key: () => this.#secret(0, KEY_BYTES),
    }
    const call = signal === undefined ? undefined : { signal }
    return (await this.#journal.commit(store, steps, said, keys, call)).entry
  }

  async decide<Result>(decision: () => Promise<Result>): Promise<Result> {
    await cryptoReady()
    return await decideAgain(async () => {
      this.#place.signal?.throwIfAborted()
      await this.#requireRing()
      return await decision()
    })
  }

  /** Wipes the keys. */
  dispose(): void {
    wipe(this.#bytes)
    this.#step = undefined
  }

  /** The keyring's row must be the very one that the grant was made of: it cannot be authenticated here. */
  async #requireRing(): Promise<void> {
    const key = ringRowKey(this.realm)
    const row = await this.store.get(TABLE, key)
    if (row !== undefined && row.version === this.#step?.expected) return
    this.#step = undefined
    if (row === undefined || !equalBytes(sha256(row.bytes), this.#terms.ring)) throw ended()
    this.#step = { step: 'check', table: TABLE, key, expected: row.version }
  }

  #secret(at: number, length: number): Uint8Array {
    return this.#bytes.subarray(this.#secretAt + at, this.#secretAt + at + length)
  }

  #stateKey(version: number): Uint8Array | undefined {
    const at = this.#terms.versions.indexOf(version)
    return at < 0 ? undefined : this.#secret(KEY_BYTES * (1 + at), KEY_BYTES)
  }

  #epoch(epoch: number): Uint8Array {
    const { epochs, versions } = this.#terms
    const at = epochs.indexOf(epoch)
    if (at < 0) throw new KeysError('ERR_KEYS_UNKNOWN_EPOCH', `the grant holds no key of epoch ${epoch}`)
    return this.#secret(KEY_BYTES * (1 + versions.length) + PREPARED_BYTES * at, PREPARED_BYTES)
  }
}

function ended(): VaultError {
  return new VaultError(
    'ERR_VAULT_GRANT',
    'the keyring is not the one that the grant was made of: make another',
  )
}
