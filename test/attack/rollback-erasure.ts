/** Erased people in every backup, against whoever holds all keys that are left (I-23). @module */
/// <reference types="node" />

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ErasureReceipt, KeyProvider, Store } from 'guise'
import { lmdbStore } from 'guise/lmdb'
import { type LocalKeyProvider, localKeyProvider } from 'guise/node'
import type { Realm } from '../../src/base/brand.ts'
import { hkdfPrepare } from '../../src/crypto/kdf.ts'
import { checkModel } from '../../src/embedding/model.ts'
import { preparedCustody } from '../../src/keys/custody.ts'
import { epochContext, realmContext } from '../../src/keys/provider.ts'
import { RealmKeys } from '../../src/keys/realm-keys.ts'
import { decodeRing } from '../../src/keys/ring.ts'
import { openWrap } from '../../src/keys/wraps.ts'
import { referenceKey, secretKey } from '../../src/record/place.ts'
import { decodeReferenceRow, type TemplateProfile } from '../../src/record/reference-row.ts'
import { decodeSecretRow } from '../../src/record/secret-row.ts'
import { decodeStateRow, type StateRow } from '../../src/record/state-row.ts'
import { openCode } from '../../src/seal/code.ts'
import { onlyRow, rowsOf } from '../support/rows.ts'
import { basis, MODEL, numbers, PURPOSE, sample, type TestVault, testVault } from '../support/vault.ts'
import { rotate } from './rollback.ts'

const REALM = 'clinic' as Realm
const PEOPLE = 30
/** Somebody who stays: their newest template opens whatever is destroyed. */
const STAYS = 'stays'
const BITS = 128
const { id, dimensions, meanHash } = checkModel(MODEL)
const PROFILE: TemplateProfile = {
  realm: REALM,
  purpose: PURPOSE,
  model: id,
  meanHash,
  dimensions,
  bits: BITS,
  suite: 'B4',
}

export interface ErasureTally {
  readonly backups: number
  /** Templates of the erased in the backups. */
  readonly openings: number
  /** How many of them opened with all keys that there were before, and after the destruction. */
  readonly openedBefore: number
  readonly openedAfter: number
  /** Receipts that named a bound, and that named an instant. */
  readonly promised: number
  readonly confirmedBefore: number
  /** What a repeated erasure says after the destruction. */
  readonly confirmedAfter: number
  /** Templates of whoever stays that open in the store at the end. */
  readonly stays: number
}

/** Enrols, backs up, rotates, erases, destroys; then opens every backup with every key that anybody has. */
export async function eraseAndDestroy(backups: number, seed: number): Promise<ErasureTally> {
  const base = mkdtempSync(join(tmpdir(), 'guise-erasure-'))
  const random = numbers(seed)
  const key = new Uint8Array(32).fill(11)
  const provider = localKeyProvider({ path: join(base, 'keys'), key })
  const store = await lmdbStore({ path: join(base, 'store') })
  const made = await testVault({ store, provider })
  const copies: string[] = []
  const backUp = async (): Promise<void> => {
    const path = join(base, `copy-${copies.length}`)
    await store.backup(path)
    copies.push(path)
  }
  try {
    for (const name of [STAYS, ...names()]) await enroll(made, name)
    while (copies.length < backups) {
      if (random() < 0.2 && made.keyring.epochs.length < 12) await rotate(made)
      else await made.vault.verify({ subject: STAYS, ...sample(0, copies.length) })
      await backUp()
    }
    const receipts = await eraseAll(made)
    const before = await openAll(copies, provider)
    await destroyOld(made)
    const after = await openAll(copies, provider)
    const again = await eraseAll(made)
    return {
      backups: copies.length,
      openings: before.tried,
      openedBefore: before.opened,
      openedAfter: after.opened,
      promised: receipts.filter(({ irrecoverable }) => hasField(irrecoverable, 'by')).length,
      confirmedBefore: receipts.filter(({ irrecoverable }) => hasField(irrecoverable, 'at')).length,
      confirmedAfter: again.filter(({ irrecoverable }) => hasField(irrecoverable, 'at')).length,
      stays: (await openTemplates(store, provider, () => true)).opened,
    }
  } finally {
    await made.vault.close()
    await store.close()
    provider.close()
    rmSync(base, { recursive: true, force: true })
  }
}

function names(): readonly string[] {
  return Array.from({ length: PEOPLE }, (_, i) => `leaves-${i}`)
}

async function enroll({ vault }: TestVault, subject: string): Promise<void> {
  const face = subject === STAYS ? 0 : 1 + Number(subject.slice(7))
  const noticeVersion = subject === STAYS ? STAYS : '2026-01'
  await vault.enroll({ subject, basis: basis({ noticeVersion }), ...sample(face) })
}

async function eraseAll({ vault }: TestVault): Promise<readonly ErasureReceipt[]> {
  const receipts: ErasureReceipt[] = []
  for (const name of names()) receipts.push(await vault.erase(name, { operationId: `erase-${name}` }))
  return receipts
}

/** Nobody needs the epochs before the newest any more: whoever stays was rotated out of them. */
async function destroyOld(made: TestVault): Promise<void> {
  await rotate(made)
  const { keyring } = made
  for (const { epoch } of keyring.epochs) {
    if (epoch === keyring.primary) continue
    await keyring.disable(epoch)
    await keyring.destroy(epoch)
  }
}

function hasField(irrecoverable: ErasureReceipt['irrecoverable'], field: 'at' | 'by'): boolean {
  return typeof irrecoverable === 'object' && field in irrecoverable
}

interface Opened {
  readonly tried: number
  readonly opened: number
}

async function openAll(copies: readonly string[], provider: LocalKeyProvider): Promise<Opened> {
  let tried = 0
  let opened = 0
  for (const path of copies) {
    await using store = await lmdbStore({ path })
    const one = await openTemplates(store, provider, (state) => state.basis?.noticeVersion !== STAYS)
    tried += one.tried
    opened += one.opened
  }
  return { tried, opened }
}

/** Every template of a store that counts, its wrap under each key that the ring names and the provider still gives. */
async function openTemplates(
  store: Store,
  provider: KeyProvider,
  counts: (state: StateRow) => boolean,
): Promise<Opened> {
  const { ring } = decodeRing((await onlyRow(store, 'keyrings')).bytes, {
    realm: REALM,
    provider: provider.id,
  })
  const secret = await provider.unwrap(ring.secrets[0]?.wrapped ?? new Uint8Array(0), realmContext(REALM, 1))
  const keys = new RealmKeys(REALM, 1, secret)
  const epochs: Uint8Array[] = []
  for (const { epoch, wrapped } of ring.epochs) {
    const opened = await provider.unwrap(wrapped, epochContext(REALM, epoch)).catch(() => undefined)
    if (opened !== undefined) epochs.push(opened)
  }
  let tried = 0
  let opened = 0
  for (const { key, bytes } of await rowsOf(store, 'states')) {
    if (key.length !== REALM.length + 17) continue
    const handle = key.subarray(REALM.length + 1)
    const state = decodeStateRow(bytes, { realm: REALM, handle }, () => keys.state)
    if (!counts(state) || state.state === 'erased') continue
    tried++
    for (const epoch of epochs) {
      if (!(await opens(store, keys, state, epoch))) continue
      opened++
      break
    }
  }
  return { tried, opened }
}

/** True when wrap and code of a record open under this epoch's key. */
async function opens(store: Store, keys: RealmKeys, state: StateRow, epoch: Uint8Array): Promise<boolean> {
  const wrap = await store.get('secrets', secretKey(REALM, state.record, state.generation))
  const code = await store.get('references', referenceKey(REALM, state.record))
  if (wrap === undefined || code === undefined) return false
  const secret = decodeSecretRow(wrap.bytes, state)
  const opened = openWrap(secret, {
    custody: preparedCustody(0, { custodyKey: keys.custody }),
    binding: { ...state, purpose: PURPOSE, profile: 0, keyVersion: 1 },
    outer: { prepared: hkdfPrepare(epoch), header: secret.header },
  })
  if (opened === undefined) return false
  const reference = decodeReferenceRow(code.bytes, PROFILE, state)
  return openCode(opened.recordSecret, reference.header, reference, BITS / 8, () => true)
}
