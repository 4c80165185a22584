/** A key provider whose failures a test commands, and rings in odd states. @module */

import type { Millis, Realm } from '../../src/base/brand.ts'
import { toHex } from '../../src/base/bytes.ts'
import type { CallOptions } from '../../src/base/errors.ts'
import { createKeyring, type Keyring, type KeyringOptions, ringAccess } from '../../src/keys/keyring.ts'
import type { KeyProvider } from '../../src/keys/provider.ts'
import { memoryStore } from '../../src/store/memory.ts'
import type { Store } from '../../src/store/store.ts'

export const REALM = 'clinic' as Realm

type Call = 'wrap' | 'unwrap' | 'destroy'

/** Keeps what it wrapped behind random tickets, one key a context, as a KMS does. */
export class FakeKms implements KeyProvider {
  readonly id: string
  readonly calls: { call: Call; context: string }[] = []
  readonly destroyed = new Map<string, number>()
  readonly #secrets = new Map<string, { context: string; secret: Uint8Array }>()
  /** Runs before each call; throws or hangs for the provider. */
  before: (call: Call, options: CallOptions) => Promise<void> | void = () => undefined
  /** Replaces an answer. */
  answer: (call: Call, value: unknown) => unknown = (_, value) => value
  nowMs = 1_800_000_000_000

  constructor(id = 'fake-kms') {
    this.id = id
  }

  count(call: Call): number {
    return this.calls.filter((entry) => entry.call === call).length
  }

  async wrap(secret: Uint8Array, context: Uint8Array, options: CallOptions = {}): Promise<Uint8Array> {
    const name = await this.#enter('wrap', context, options)
    const ticket = crypto.getRandomValues(new Uint8Array(24))
    this.#secrets.set(toHex(ticket), { context: name, secret: Uint8Array.from(secret) })
    return this.answer('wrap', ticket) as Uint8Array
  }

  async unwrap(wrapped: Uint8Array, context: Uint8Array, options: CallOptions = {}): Promise<Uint8Array> {
    const name = await this.#enter('unwrap', context, options)
    const entry = this.#secrets.get(toHex(wrapped))
    if (entry === undefined || entry.context !== name) throw new Error('AccessDenied: no such ciphertext')
    if (this.destroyed.has(name)) throw new Error('KMSInvalidState: the key is gone')
    return this.answer('unwrap', Uint8Array.from(entry.secret)) as Uint8Array
  }

  async destroy(context: Uint8Array, options: CallOptions = {}): Promise<{ confirmedAt: Millis }> {
    const name = await this.#enter('destroy', context, options)
    if (!this.destroyed.has(name)) this.destroyed.set(name, this.nowMs)
    return this.answer('destroy', { confirmedAt: this.destroyed.get(name) }) as { confirmedAt: Millis }
  }

  async #enter(call: Call, context: Uint8Array, options: CallOptions): Promise<string> {
    const name = toHex(context)
    this.calls.push({ call, context: name })
    await this.before(call, options)
    return name
  }
}

/** A provider that can wrap and unwrap, and no more. */
export function withoutDestroy(kms: FakeKms): KeyProvider {
  return {
    id: kms.id,
    wrap: (...args) => kms.wrap(...args),
    unwrap: (...args) => kms.unwrap(...args),
  }
}

export interface Bench {
  readonly kms: FakeKms
  readonly store: Store
  readonly keyring: Keyring
  readonly where: KeyringOptions
}

/** A new keyring over a memory store and a fake KMS. */
export async function bench(options: Partial<KeyringOptions> = {}): Promise<Bench> {
  const kms = new FakeKms()
  const store = memoryStore()
  const where: KeyringOptions = { realm: REALM, provider: kms, store, ...options }
  return { kms, store, where, keyring: await createKeyring(where) }
}

/** The stored row of a keyring. */
export async function ringRow(
  store: Store,
  realm: string = REALM,
): Promise<{ bytes: Uint8Array; version: string }> {
  const row = await store.get('keyrings', Uint8Array.from([realm.length, ...new TextEncoder().encode(realm)]))
  if (row === undefined) throw new Error('there is no ring')
  return row
}

/** Writes bytes in place of the stored row. */
export async function plantRing(store: Store, bytes: Uint8Array, realm: string = REALM): Promise<void> {
  const key = Uint8Array.from([realm.length, ...new TextEncoder().encode(realm)])
  const row = await store.get('keyrings', key)
  await store.commit([{ step: 'put', table: 'keyrings', key, bytes, expected: row?.version ?? null }])
}

/** Brings epoch 2 into a state, whatever it takes. */
export async function bringTo(
  keyring: Keyring,
  status: 'primary' | 'enabled' | 'disabled' | 'destroyed',
): Promise<void> {
  await keyring.add()
  if (status === 'primary') await keyring.promote(2)
  if (status === 'disabled' || status === 'destroyed') await keyring.disable(2)
  if (status === 'destroyed') await keyring.destroy(2)
}

/** A copy of an epoch's extracted key. */
export async function preparedOf(keyring: Keyring, epoch: number): Promise<Uint8Array> {
  return await ringAccess(keyring).useEpoch(epoch, (prepared) => Uint8Array.from(prepared))
}

/** The error that a promise rejects with. */
export async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise
  } catch (error) {
    return error
  }
  throw new Error('it did not fail')
}

/** A store that passes everything on but what a test replaces. */
export function passOn(store: Store, replaced: Partial<Pick<Store, 'get' | 'commit'>>): Store {
  return {
    durable: store.durable,
    get: replaced.get ?? ((...args) => store.get(...args)),
    commit: replaced.commit ?? ((...args) => store.commit(...args)),
    scan: (...args) => store.scan(...args),
    close: () => store.close(),
    [Symbol.asyncDispose]: () => store.close(),
  }
}
