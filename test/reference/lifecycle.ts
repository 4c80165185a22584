/** Receipts and operation digests (SPEC §11.3, §11.6). @module */
import { concat, int32le, lp, Refused } from './bytes.ts'
import { encode } from './cbor.ts'
import { ed25519Sign, ed25519Verify, mac, sha256 } from './hashes.ts'
import { decodeShape, encodeShape, type Fields, receiptBody } from './shapes.ts'

export const VERBS: readonly string[] = [
  'enroll',
  'verify',
  'activate',
  'suspend',
  'resume',
  'hold',
  'release',
  'revoke',
  'reissue',
  'rebind',
  'erase',
  'devices',
  'withdraw',
  'basis',
  'adapt',
  'reference-add',
  'reference-remove',
]

/** The number of a verb: 1 enroll … 17 reference-remove. */
export function verbNumber(verb: string): number {
  const found = VERBS.indexOf(verb)
  if (found < 0) throw new RangeError('verb')
  return found + 1
}

/** `bound` of a verify: SHA-256 of the probe’s integers. */
export function probeBound(z: readonly number[]): Uint8Array {
  return sha256(int32le(z))
}

/** `digest`: the first 16 bytes of a MAC over verb, handle or tag, operation id and bound. */
export function operationDigest(
  limiter: Uint8Array,
  verb: string,
  who: Uint8Array,
  operationId: string,
  bound: Uint8Array,
): Uint8Array {
  const message = concat(lp('guise/v1/operation'), encode([verbNumber(verb), who, operationId, bound]))
  return mac(limiter, message).slice(0, 16)
}

export interface SignedReceipt {
  readonly body: Uint8Array
  readonly signature: Uint8Array
}

export function signReceipt(seed: Uint8Array, fields: Fields): SignedReceipt {
  const body = encodeShape(receiptBody, fields)
  return { body, signature: ed25519Sign(seed, body) }
}

export function verifyReceipt(publicKey: Uint8Array, receipt: SignedReceipt): Fields {
  if (!ed25519Verify(publicKey, receipt.body, receipt.signature))
    throw new Refused('ERR_VAULT_RECEIPT', 'signature')
  return decodeShape(receiptBody, receipt.body)
}
