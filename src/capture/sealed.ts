/** The form in which a capture travels: sealed to a transport key, statement and embedding inside (SPEC §20.3). @module */

import { concatBytes, equalBytes, joinBytes, labelBytes, wipe } from '../base/bytes.ts'
import { asArray, asBytes, type CborValue, decodeCbor, encodeCbor } from '../base/cbor.ts'
import { HPKE_SUITE, HPKE_TAG_BYTES, type HpkePrivateKey, hpkeOpen, hpkeSeal } from '../crypto/hpke.ts'
import { MAX_DIMENSIONS } from '../embedding/model.ts'
import { type Assertion, AUTHENTICATOR_BYTES, MAX_CLIENT_DATA_BYTES } from './assertion.ts'
import { type DeviceCarrier, SIGNATURE_BYTES } from './device-key.ts'
import { refusal, rejectInput } from './errors.ts'
import { FORMAT, HASH_BYTES } from './rows.ts'
import { FLOAT_BYTES, HEADER_BYTES, MAX_PAYLOAD_BYTES, readToken, type Statements } from './statement.ts'

const SEALED = 60
const PLAIN = 61
/** An array of five: 1, 61 … */
const PLAIN_HEAD = Uint8Array.of(0x85, FORMAT, 0x18, PLAIN)
/** A byte string of 256 to 65,535 bytes, as every vector is. */
const TWO_BYTE_LENGTH = 0x59
const MAX_SEALED_BYTES = 40_960
const MAX_ENC_BYTES = 2048
const MAX_PLAIN_BYTES = 32_752
export const MAX_CHAIN_BYTES = 16_384
const MAX_TOKEN_BYTES = 2048
const MAX_VECTOR_BYTES: number = FLOAT_BYTES * MAX_DIMENSIONS

/** What was sealed; `vector` is a copy that its owner wipes. */
export interface Plain extends Statements {
  readonly carrier: DeviceCarrier
  readonly signature: Uint8Array
  /** Of carrier `assertion`. */
  readonly assertion: Omit<Assertion, 'signature'> | undefined
  readonly vector: Uint8Array
  readonly chain: Uint8Array | undefined
}

/** A sealed capture whose outer form was read. */
export interface Sealed {
  readonly recipient: Uint8Array
  readonly enc: Uint8Array
  readonly ciphertext: Uint8Array
}

export interface Recipient {
  readonly id: Uint8Array
  readonly publicKey: Uint8Array
}

/** Seals a plaintext, and wipes it. Throws `ERR_CAPTURE_INPUT` for a key that is none. */
export async function seal(plain: Uint8Array, recipient: Recipient, realm: string): Promise<Uint8Array> {
  try {
    const sealed = await hpkeSeal(recipient.publicKey, infoOf(realm), aadOf(recipient.id), plain)
    if (sealed === undefined) throw rejectInput('the transport key is no point of its curve')
    return encodeCbor([FORMAT, SEALED, HPKE_SUITE, recipient.id, sealed.enc, sealed.ciphertext])
  } finally {
    wipe(plain)
  }
}

/** Steps 1 and 2: the outer form. */
export function readSealed(bytes: Uint8Array): Sealed {
  const reject = (): Error => refusal('format')
  const items = asArray(decodeCbor(bytes, MAX_SEALED_BYTES, reject), 6, reject)
  if (items[0] !== FORMAT || items[1] !== SEALED) throw refusal('format')
  const suite = asBytes(items[2], [0, HASH_BYTES], reject)
  const sealed = {
    recipient: asBytes(items[3], HASH_BYTES, reject),
    // Of another suite both have other lengths.
    enc: asBytes(items[4], [0, MAX_ENC_BYTES], reject),
    ciphertext: asBytes(items[5], [0, MAX_PLAIN_BYTES + HPKE_TAG_BYTES], reject),
  }
  if (!equalBytes(suite, HPKE_SUITE)) throw refusal('suite')
  return sealed
}

/** Step 4: the plaintext, wiped by its owner. */
export async function unseal(sealed: Sealed, key: HpkePrivateKey, realm: string): Promise<Uint8Array> {
  const plain = await hpkeOpen(key, sealed, infoOf(realm), aadOf(sealed.recipient))
  if (plain === undefined) throw refusal('sealed')
  return plain
}

/** What is sealed, as bytes that the caller wipes. The codec, which keeps copies, does not see the vector. */
export function writePlain(
  proof: Uint8Array | readonly Uint8Array[],
  vector: Uint8Array,
  chain: Uint8Array | undefined,
): Uint8Array {
  return concatBytes(
    PLAIN_HEAD,
    encodeCbor(proof),
    Uint8Array.of(TWO_BYTE_LENGTH, vector.length >> 8, vector.length & 0xff),
    vector,
    encodeCbor(chain ?? null),
  )
}

/** Step 5, without the claims. */
export function readPlain(bytes: Uint8Array): Plain {
  const reject = (): Error => refusal('statement')
  const items = asArray(decodeCbor(bytes, MAX_PLAIN_BYTES, reject), 5, reject)
  if (items[0] !== FORMAT || items[1] !== PLAIN) throw refusal('statement')
  const [, , proof, vector, chain] = items
  try {
    return {
      ...readProof(proof, reject),
      vector: asBytes(vector, [0, MAX_VECTOR_BYTES], reject),
      chain: chain === null ? undefined : asBytes(chain, [1, MAX_CHAIN_BYTES], reject),
    }
  } catch (error) {
    if (vector instanceof Uint8Array) wipe(vector)
    throw error
  }
}

function readProof(
  proof: CborValue | undefined,
  reject: () => Error,
): Pick<Plain, 'carrier' | 'header' | 'payload' | 'signature' | 'assertion'> {
  if (proof instanceof Uint8Array) {
    const token = asBytes(proof, [1, MAX_TOKEN_BYTES], reject)
    return { carrier: 'token', assertion: undefined, ...readToken(token, reject) }
  }
  const [header, payload, authenticatorData, clientDataJSON, signature] = asArray(proof, 5, reject)
  return {
    carrier: 'assertion',
    header: asBytes(header, HEADER_BYTES, reject),
    payload: asBytes(payload, [1, MAX_PAYLOAD_BYTES], reject),
    signature: asBytes(signature, SIGNATURE_BYTES, reject),
    assertion: {
      authenticatorData: asBytes(authenticatorData, AUTHENTICATOR_BYTES, reject),
      clientDataJSON: asBytes(clientDataJSON, [1, MAX_CLIENT_DATA_BYTES], reject),
    },
  }
}

function infoOf(realm: string): Uint8Array {
  return joinBytes(labelBytes('guise/v1/capture-transport'), labelBytes(realm))
}

function aadOf(recipient: Uint8Array): Uint8Array {
  return encodeCbor([FORMAT, SEALED, HPKE_SUITE, recipient])
}
