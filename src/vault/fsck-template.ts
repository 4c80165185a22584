/** Whether both parts of a template are there and open (SPEC §11.8). @module */

import type { Follower } from '../audit/follower.ts'
import type { Realm } from '../base/brand.ts'
import { toHex, wipe } from '../base/bytes.ts'
import { realmPrefix } from '../base/identifier.ts'
import type { Profile } from '../keys/custody.ts'
import { openWrap, outerOpens } from '../keys/wraps.ts'
import { misplaced } from '../record/errors.ts'
import { referenceKey, secretKey } from '../record/place.ts'
import { decodeReferenceRow, type ReferenceRow, readReferenceHeader } from '../record/reference-row.ts'
import { decodeSecretRow, type SecretRow } from '../record/secret-row.ts'
import type { StateRow } from '../record/state-row.ts'
import { openCode } from '../seal/code.ts'
import { sealFailure } from '../seal/errors.ts'
import type { Store, Table } from '../store/store.ts'
import { PROFILE } from './custody.ts'
import { type Fault, kindOf } from './fsck-fault.ts'
import type { VaultKeys } from './keys.ts'

/** Where the rows of a realm are, and the keys for them. */
export interface FsckPlace {
  readonly realm: Realm
  readonly ring: VaultKeys
  readonly store: Store
  readonly secrets: Store
  /** The log, read; `undefined` when it does not hold. */
  readonly log: Follower | undefined
}

/** The faults of a live record's reference row and secret row. */
export async function templateFaults(place: FsckPlace, state: StateRow): Promise<readonly Fault[]> {
  const { realm, store, secrets } = place
  const codeKey = referenceKey(realm, state.record)
  const wrapKey = secretKey(realm, state.record, state.generation)
  const faults: Fault[] = []
  const look = async <Row>(
    table: Table,
    key: Uint8Array,
    read: () => Promise<Row> | Row,
  ): Promise<Row | undefined> => {
    try {
      return await read()
    } catch (error) {
      faults.push({ kind: kindOf(error), table, row: toHex(key.subarray(realmPrefix(realm).length)) })
      return undefined
    }
  }
  const code = await store.get('references', codeKey)
  const wrap = await secrets.get('secrets', wrapKey)
  const missing = { kind: 'missing' } as const
  const prefixBytes = realmPrefix(realm).length
  if (code === undefined)
    faults.push({ ...missing, table: 'references', row: toHex(codeKey.subarray(prefixBytes)) })
  if (wrap === undefined)
    faults.push({ ...missing, table: 'secrets', row: toHex(wrapKey.subarray(prefixBytes)) })
  const template = code && (await look('references', codeKey, () => readTemplate(code.bytes, state)))
  const secret = wrap && (await look('secrets', wrapKey, () => readWrap(place, wrap.bytes, state)))
  if (secret === undefined) return faults
  const outcome = await look('secrets', wrapKey, () => openSecret(place, state, secret, template?.purpose))
  if (outcome === undefined || template === undefined) return faults
  const { recordSecret } = outcome
  try {
    await look('references', codeKey, () => {
      // The wrap is whole, so the purpose is not the one that it was made for.
      if (recordSecret === undefined) throw sealFailure()
      openCode(recordSecret, template.row.header, template.row, state.bits / 8, () => true)
    })
  } finally {
    wipe(recordSecret)
  }
  return faults
}

interface TemplateRow {
  readonly row: ReferenceRow
  readonly purpose: string
}

function readTemplate(bytes: Uint8Array, state: StateRow): TemplateRow {
  const { profile } = readReferenceHeader(bytes)
  if (profile.model !== state.model || profile.bits !== state.bits) throw misplaced('another model or size')
  return {
    row: decodeReferenceRow(bytes, { ...profile, realm: state.realm }, state),
    purpose: profile.purpose,
  }
}

async function readWrap({ ring }: FsckPlace, bytes: Uint8Array, state: StateRow): Promise<SecretRow> {
  const row = decodeSecretRow(bytes, state)
  if (row.profile !== state.profile) throw misplaced('another custody profile')
  await ring.loadEpoch(row.epoch)
  return row
}

/**
 * The record secret where the operator can open it, `undefined` for it when the wrap is whole and was not made for this purpose; nothing where
 * only the outer wrap can be tried: under another custody, and without the purpose that an unreadable reference row would tell.
 */
export function openSecret(
  { ring }: FsckPlace,
  state: StateRow,
  secret: SecretRow,
  purpose: string | undefined,
): { readonly recordSecret: Uint8Array | undefined } | undefined {
  const { epoch, header, keyVersion } = secret
  const profile = secret.profile as Profile
  if (!ring.versions.includes(keyVersion)) throw sealFailure()
  return ring.withEpoch(epoch, (prepared) => {
    const outer = { prepared, header }
    if (profile !== PROFILE.operator || purpose === undefined) {
      if (outerOpens(secret, outer, profile)) return undefined
      throw sealFailure()
    }
    const { realm, record, handle, generation, devices } = state
    const binding = { realm, record, handle, generation, purpose, profile, keyVersion, devices }
    const custody = ring.requireRealmKeys(keyVersion).preparedOperator
    const recordSecret = openWrap(secret, { custody, binding, outer })?.recordSecret
    if (recordSecret === undefined && !outerOpens(secret, outer, profile)) throw sealFailure()
    return { recordSecret }
  })
}
