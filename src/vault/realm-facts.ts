/** What the rows of a realm say of its processing, counted: for the records that laws ask for (SPEC §12.7). @module */

import { type LogStanding, logStanding } from '../audit/standing.ts'
import type { Realm } from '../base/brand.ts'
import type { CallOptions } from '../base/errors.ts'
import { realmPrefix } from '../base/identifier.ts'
import { decodeHeadRow } from '../gallery/head-row.ts'
import { galleryHeadKey } from '../gallery/place.ts'
import { type EpochInfo, type Keyring, ringAccess } from '../keys/keyring.ts'
import { BASIS_KINDS, type BasisKind } from '../policy/basis.ts'
import { effectiveState, STATES, type State } from '../policy/states.ts'
import { RecordError } from '../record/errors.ts'
import { isSubjectKey, startsWith } from '../record/place.ts'
import { decodeStateRow, type StateRow } from '../record/state-row.ts'
import type { Store } from '../store/store.ts'
import { CUSTODIES } from './describe.ts'
import { rejectConfiguration } from './errors.ts'
import { VaultKeys } from './keys.ts'
import { type PeopleReached, readReached } from './people-row.ts'
import type { Custody } from './types.ts'

/** Records of one purpose that are not erased. */
export interface PurposeFacts {
  readonly purpose: string
  readonly records: number
  readonly bases: Readonly<Record<BasisKind, number>>
  readonly separateConsent: number
  readonly under14: number
  readonly custody: Readonly<Record<Custody['profile'], number>>
  /** Versions of notices, in order. */
  readonly notices: readonly string[]
  /** `model, bits`, in order. */
  readonly models: readonly string[]
  /** When the first and the last of the bases end, in milliseconds. */
  readonly expires: readonly [first: number, last: number]
}

export interface RealmFacts {
  readonly realm: Realm
  readonly states: Readonly<Record<State, number>>
  readonly people: number
  /** In the order of their names. */
  readonly purposes: readonly PurposeFacts[]
  readonly unreadable: number
  readonly gallery: { readonly purpose: string; readonly basis: BasisKind; readonly limit: number } | null
  /** The key provider, as it names itself. */
  readonly provider: string
  readonly canDestroy: boolean
  readonly epochs: readonly EpochInfo[]
  readonly log: LogStanding
  readonly reached: readonly PeopleReached[]
}

/** Reads every state row, opens no template and writes nothing. States are those at `nowMs`. */
export async function realmFacts(
  where: { readonly keyring: Keyring; readonly store: Store },
  nowMs: number,
  call: Pick<CallOptions, 'signal'> = {},
): Promise<RealmFacts> {
  const { keyring, store } = where
  const access = ringAccess(keyring)
  if (access.store !== store) throw rejectConfiguration('store must be the store that holds the keyring')
  const { realm } = access
  const ring = new VaultKeys(access, call.signal)
  await ring.refresh()
  await ring.load()
  const states = Object.fromEntries(STATES.map((state) => [state, 0])) as Record<State, number>
  const purposes = new Map<string, PurposeCount>()
  let unreadable = 0
  const prefix = realmPrefix(realm)
  for await (const { key, bytes } of store.scan('states', prefix, call)) {
    if (!startsWith(key, prefix)) break
    if (!isSubjectKey(realm, key)) continue
    await ring.load()
    try {
      const place = { realm, handle: key.slice(prefix.length) }
      const row = decodeStateRow(bytes, place, (version) => ring.realmKeys(version)?.state)
      states[effectiveState(row.state, row.basis, nowMs)] += 1
      count(purposes, row)
    } catch (error) {
      if (!(error instanceof RecordError)) throw error
      unreadable += 1
    }
  }
  const { reached } = await readReached({ store, realm, ring })
  const head = await store.get('galleries', galleryHeadKey(realm), call)
  const gallery = head && decodeHeadRow(head.bytes, realm, (version) => ring.realmKeys(version)?.state)
  return {
    realm,
    states,
    people: Object.values(states).reduce((sum, one) => sum + one) - states.revoked - states.erased,
    purposes: [...purposes.entries()].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one.facts()),
    unreadable,
    gallery:
      gallery === undefined
        ? null
        : { purpose: gallery.profile.purpose, basis: gallery.basis, limit: gallery.limit },
    provider: keyring.provider,
    canDestroy: access.canDestroy,
    epochs: keyring.epochs,
    log: await logStanding(store, realm, call),
    reached: reached ?? [],
  }
}

function count(purposes: Map<string, PurposeCount>, row: StateRow): void {
  if (row.basis === null) return
  const { purpose } = row.basis
  const counted = purposes.get(purpose) ?? new PurposeCount(purpose)
  purposes.set(purpose, counted)
  counted.add(row)
}

class PurposeCount {
  readonly #purpose: string
  readonly #bases = Object.fromEntries(BASIS_KINDS.map((kind) => [kind, 0])) as Record<BasisKind, number>
  readonly #custody = Object.fromEntries(CUSTODIES.map((one) => [one, 0])) as Record<
    Custody['profile'],
    number
  >
  readonly #notices = new Set<string>()
  readonly #models = new Set<string>()
  #records = 0
  #separate = 0
  #under14 = 0
  #first = Number.POSITIVE_INFINITY
  #last = 0

  constructor(purpose: string) {
    this.#purpose = purpose
  }

  add({ basis, profile, model, bits }: StateRow): void {
    if (basis === null) return
    this.#records += 1
    this.#bases[basis.kind] += 1
    this.#custody[CUSTODIES[profile] as Custody['profile']] += 1
    this.#separate += Number(basis.separateConsent)
    this.#under14 += Number(basis.under14)
    this.#notices.add(basis.noticeVersion)
    this.#models.add(`${model}, ${bits} bits`)
    this.#first = Math.min(this.#first, basis.expiresMs)
    this.#last = Math.max(this.#last, basis.expiresMs)
  }

  facts(): PurposeFacts {
    return {
      purpose: this.#purpose,
      records: this.#records,
      bases: this.#bases,
      separateConsent: this.#separate,
      under14: this.#under14,
      custody: this.#custody,
      notices: [...this.#notices].toSorted(),
      models: [...this.#models].toSorted(),
      expires: [this.#first, this.#last],
    }
  }
}
