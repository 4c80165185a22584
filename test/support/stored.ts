/** Stores as a version of guise wrote them: rows, files of the key directory, and what is known of the people (SPEC §12.9). @module */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  allowHighFalseMatchRate,
  allowUnattestedCapture,
  createKeyring,
  embedding,
  type Keyring,
  logSigner,
  type Model,
  openKeyring,
  openVault,
  revealReason,
  type ShareSource,
  type Store,
  type StoreStep,
  type Table,
  type UnattestedSample,
  type Vault,
  type VaultOptions,
} from 'guise'
import { holderShare } from 'guise/holder'
import { localKeyProvider } from 'guise/node'
import { fromHex, toHex } from '../../src/base/bytes.ts'
import { TABLES } from '../../src/store/store.ts'
import { testClock } from '../../src/vault/symbols.ts'
import { idPoint } from './gallery.ts'
import { manualClock, point } from './vault.ts'

export const REALMS = ['clinic', 'ward'] as const
export type StoredRealm = (typeof REALMS)[number]

export interface StoredPerson {
  readonly realm: StoredRealm
  readonly subject: string
  readonly state: string
  /** Two vectors of one synthetic face, float32 in little-endian order, base64: enrolled, and another capture. */
  readonly enrolled: string
  readonly probe: string
}

/** Bytes are hexadecimal unless told. */
export interface StoredFile {
  readonly source: string
  readonly about: string
  readonly guise: string
  readonly specification: string
  readonly licence: string
  /** The instant at which it was written, ms. */
  readonly at: number
  readonly providerKey: string
  readonly logSeed: string
  readonly deviceSecret: string
  /** Of an erasure in `clinic`, and the key that it verifies under. */
  readonly receipt: { readonly statement: string; readonly signature: string; readonly publicKey: string }
  readonly people: readonly StoredPerson[]
  /** Files of the local key provider by name. */
  readonly keys: Readonly<Record<string, string>>
  /** Key and bytes by table, in the order of their keys; the queue is empty. */
  readonly rows: Readonly<Record<string, readonly (readonly [key: string, bytes: string])[]>>
}

export const MODEL: Model = { id: 'stored@1', dimensions: 128, metric: 'cosine' }
export const PURPOSE = 'login'

/** What realms and vaults of a stored file are opened with. */
export interface StoredPlace {
  readonly store: Store
  /** The directory of the local key provider. */
  readonly keys: string
  readonly providerKey: Uint8Array
  readonly logSeed: Uint8Array
  readonly atMs: number
}

export interface OpenRealm {
  readonly keyring: Keyring
  readonly vault: Vault
  close(): Promise<void>
}

/** `clinic`: half of the bits in a gallery, custody of the operator. `ward`: custody of the holder. */
export async function openStored(place: StoredPlace, realm: StoredRealm, create = false): Promise<OpenRealm> {
  const { store, keys, providerKey, logSeed, atMs } = place
  const provider = localKeyProvider({ path: keys, key: providerKey })
  const keyring = await (create ? createKeyring : openKeyring)({ realm, provider, store })
  const clinic: Partial<VaultOptions> = {
    bits: 64,
    operatingPoints: [point(MODEL, 64)],
    gallery: { purpose: 'one-record', basis: 'consent', limit: 1000, points: [idPoint({}, MODEL)] },
    custody: { profile: 'operator' },
  }
  const ward: Partial<VaultOptions> = {
    operatingPoints: [point(MODEL)],
    custody: { profile: 'holder' },
  }
  const vault = await openVault({
    keyring,
    store,
    model: MODEL,
    purpose: PURPOSE,
    logSigner: await logSigner('stored.example/guise', logSeed),
    [revealReason]: true,
    [allowHighFalseMatchRate]: true,
    [testClock]: manualClock(atMs),
    ...(realm === 'clinic' ? clinic : ward),
  } as VaultOptions)
  const close = async (): Promise<void> => {
    await vault.close()
    keyring.close()
    provider.close()
  }
  return { keyring, vault, close }
}

export function deviceOf(secret: Uint8Array): ShareSource {
  return async (context) => holderShare(secret, context)
}

export function vectorText(vector: Float32Array): string {
  return Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).toString('base64')
}

export function sampleFrom(text: string): UnattestedSample {
  const bytes = Buffer.from(text, 'base64')
  const vector = Float32Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readFloatLE(4 * i))
  return { embedding: embedding(vector, MODEL), [allowUnattestedCapture]: true }
}

/** Every row; throws when something waits in the queue. */
export async function rowsFrom(store: Store): Promise<StoredFile['rows']> {
  const tables: Record<string, [string, string][]> = {}
  for (const table of TABLES) {
    const rows: [string, string][] = []
    for await (const { key, bytes } of store.scan(table, new Uint8Array(0)))
      rows.push([toHex(key), toHex(bytes)])
    if (table === 'queue' && rows.length > 0) throw new Error('the log is not written up')
    if (rows.length > 0) tables[table] = rows
  }
  return tables
}

/** Puts the rows of a file into an empty store. */
export async function putRows(store: Store, rows: StoredFile['rows']): Promise<void> {
  const steps = Object.entries(rows).flatMap(([table, list]) =>
    list.map(
      ([key, bytes]): StoreStep => ({
        step: 'put',
        table: table as Exclude<Table, 'queue'>,
        key: fromHex(key) as Uint8Array,
        bytes: fromHex(bytes) as Uint8Array,
        expected: null,
      }),
    ),
  )
  for (let from = 0; from < steps.length; from += 100) await store.commit(steps.slice(from, from + 100))
}

export function keyFiles(directory: string): StoredFile['keys'] {
  return Object.fromEntries(
    readdirSync(directory)
      .toSorted()
      .map((name) => [name, toHex(readFileSync(join(directory, name)))]),
  )
}

export function putKeyFiles(directory: string, keys: StoredFile['keys']): void {
  mkdirSync(directory, { mode: 0o700 })
  for (const [name, bytes] of Object.entries(keys))
    writeFileSync(join(directory, name), fromHex(bytes) as Uint8Array, { mode: 0o600 })
}
