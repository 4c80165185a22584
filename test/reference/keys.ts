/** Realm keys, custody key, wraps, shares and pseudonyms (SPEC §4). @module */
import { concat, equal, lp, Refused, utf8 } from './bytes.ts'
import { encode } from './cbor.ts'
import { hkdf, mac } from './hashes.ts'
import { open, type Sealed, seal } from './seal.ts'

export const PROFILES = { operator: 0, quorum: 1, holder: 2, 'quorum+holder': 3 } as const
export type Profile = keyof typeof PROFILES

/** The context of an epoch key, and of a realm secret, at the provider. */
export function epochContext(realm: string, e: number): Uint8Array {
  return encode(['guise/v1/epoch', realm, e])
}

export function realmContext(realm: string, v: number): Uint8Array {
  return encode(['guise/v1/realm', realm, v])
}

export interface RealmKeys {
  readonly index: Uint8Array
  readonly custody: Uint8Array
  readonly state: Uint8Array
  readonly limiter: Uint8Array
  readonly ring: Uint8Array
  readonly receipt: Uint8Array
  readonly log: Uint8Array
  readonly part: Uint8Array
  readonly capture: Uint8Array
}

/** §4.2: nine keys of 32 bytes in this order. */
export function realmKeys(secret: Uint8Array, realm: string, v: number): RealmKeys {
  const okm = hkdf(secret, concat(lp('guise/v1/realm-keys'), encode([realm, v])), 288)
  return {
    index: okm.slice(0, 32),
    custody: okm.slice(32, 64),
    state: okm.slice(64, 96),
    limiter: okm.slice(96, 128),
    ring: okm.slice(128, 160),
    receipt: okm.slice(160, 192),
    log: okm.slice(192, 224),
    part: okm.slice(224, 256),
    capture: okm.slice(256, 288),
  }
}

/** §4.3: every part behind a presence byte. */
export function custodyIkm(custody: Uint8Array, quorum?: Uint8Array, share?: Uint8Array): Uint8Array {
  if (custody.length !== 32) throw new RangeError('custody key')
  if (quorum !== undefined && quorum.length !== 64) throw new RangeError('quorum output')
  if (share !== undefined && share.length !== 32) throw new RangeError('holder share')
  return concat(
    Uint8Array.of(1),
    custody,
    quorum === undefined ? Uint8Array.of(0) : concat(Uint8Array.of(1), quorum),
    share === undefined ? Uint8Array.of(0) : concat(Uint8Array.of(1), share),
  )
}

export interface InnerContext {
  readonly realm: string
  readonly record: Uint8Array
  readonly handle: Uint8Array
  readonly generation: Uint8Array
  readonly purpose: string
  readonly profile: number
  readonly v: number
  /** By slot; sixteen zero bytes for a free one. Empty for profiles without holder. */
  readonly devices: readonly Uint8Array[]
}

const NO_DEVICE: Uint8Array = new Uint8Array(16)

export function innerAad(c: InnerContext, slot: number): Uint8Array {
  const device = c.devices[slot] ?? NO_DEVICE
  return encode([1, 3, c.realm, c.record, c.handle, c.generation, c.purpose, c.profile, c.v, slot, device])
}

/** A slot: `nonce ‖ commitment ‖ ciphertext` of one inner seal, 104 bytes. */
export function sealSlot(
  ikm: Uint8Array,
  context: InnerContext,
  slot: number,
  rs: Uint8Array,
  nonce: Uint8Array,
): Uint8Array {
  const sealed = seal(ikm, 'guise/v1/inner', innerAad(context, slot), rs, nonce)
  return concat(sealed.nonce, sealed.commitment, sealed.ciphertext)
}

export function openSlot(
  ikm: Uint8Array,
  context: InnerContext,
  slot: number,
  bytes: Uint8Array,
): Uint8Array {
  if (bytes.length !== 104) throw new Refused('ERR_SEAL_OPEN', 'length of the slot')
  if (slotCount(context.profile) === 4 && equal(context.devices[slot] ?? NO_DEVICE, NO_DEVICE))
    throw new Refused('ERR_SEAL_OPEN', 'free slot')
  const sealed = {
    nonce: bytes.slice(0, 24),
    commitment: bytes.slice(24, 56),
    ciphertext: bytes.slice(56, 104),
  }
  return open(ikm, 'guise/v1/inner', innerAad(context, slot), sealed)
}

/** The number of slots: one, or four where devices hold shares. */
export function slotCount(profile: number): number {
  return profile === PROFILES.holder || profile === PROFILES['quorum+holder'] ? 4 : 1
}

/** The outer wrap: the slots under an epoch key, its own header bound. */
export function sealOuter(
  epochKey: Uint8Array,
  header: Uint8Array,
  slots: Uint8Array,
  nonce: Uint8Array,
): Sealed {
  return seal(epochKey, 'guise/v1/outer', header, slots, nonce)
}

export function openOuter(epochKey: Uint8Array, header: Uint8Array, sealed: Sealed): Uint8Array {
  return open(epochKey, 'guise/v1/outer', header, sealed)
}

/** `holder share`, from a device secret of at least 32 bytes. */
export function holderShare(
  deviceSecret: Uint8Array,
  realm: string,
  record: Uint8Array,
  generation: Uint8Array,
): Uint8Array {
  if (deviceSecret.length < 32) throw new RangeError('device secret')
  return hkdf(deviceSecret, concat(lp('guise/v1/holder'), encode([realm, record, generation])), 32)
}

/** §4.5: the pseudonym of an external identifier. */
export function subjectTag(index: Uint8Array, subject: string): Uint8Array {
  return mac(index, concat(Uint8Array.of(1), utf8(subject)))
}
