/** What is asked of a holder and what it answers: closed formats (SPEC §13.4). @module */

import { MOST_PROOF_HASHES } from '../audit/proof.ts'
import { HASH_BYTES } from '../audit/tree.ts'
import type { Realm } from '../base/brand.ts'
import { concatBytes, fixedLabel } from '../base/bytes.ts'
import { asArray, asBytes, asText, asUint, type CborValue, decodeCbor, encodeCbor } from '../base/cbor.ts'
import { checkRealm } from '../base/identifier.ts'
import { ELEMENT_BYTES, PROOF_BYTES } from '../crypto/ristretto.ts'
import { malformed, type QuorumErrorCode } from './errors.ts'
import type { Partial } from './evaluate.ts'
import { epochOf, FORMAT, indexOf, MAX_EPOCH } from './key.ts'

export const MAX_MESSAGE_BYTES = 65_536
export const RECORD_BYTES = 16
export const GENERATION_BYTES = 20
export const ID_BYTES = 16
const SIGNATURE_BYTES = 64
const MAX_UINT = Number.MAX_SAFE_INTEGER
const MAX_ENTRY_BYTES = 1024
const MAX_SAID_BYTES = 256

const KIND = { request: 27, answer: 28, revocation: 29, acknowledgement: 30, refusal: 31, said: 37 } as const

/** Why a holder says no; the place in the list is the number in the encoding. */
export const REASONS: readonly RefusalCode[] = [
  'ERR_QUORUM_FORMAT',
  'ERR_QUORUM_EPOCH',
  'ERR_QUORUM_STALE',
  'ERR_QUORUM_RECEIPT',
  'ERR_QUORUM_SEEN',
  'ERR_QUORUM_REPLAY',
  'ERR_QUORUM_REVOKED',
  'ERR_QUORUM_BUDGET',
  'ERR_QUORUM_UNAVAILABLE',
  'ERR_QUORUM_ROLLBACK',
]

/** Why a holder says no. */
export type RefusalCode = Exclude<QuorumErrorCode, 'ERR_QUORUM_INPUT' | 'ERR_QUORUM_ROUND'>

/** Shows that the log has an entry, and that it is one log with what the holder has seen. */
export interface Receipt {
  readonly entry: Uint8Array
  readonly place: number
  readonly inclusion: readonly Uint8Array[]
  /** A signed note. */
  readonly checkpoint: string
  /** The size that the holder is thought to have seen. */
  readonly from: number
  readonly consistency: readonly Uint8Array[]
}

interface Named {
  readonly realm: Realm
  readonly record: Uint8Array
  readonly generation: Uint8Array
  /** Of the holder that is asked. */
  readonly index: number
  /** 16 random bytes. */
  readonly id: Uint8Array
}

export interface Request extends Named {
  readonly kind: 'request'
  readonly epoch: number
  readonly refresh: number
  readonly receipt: Receipt
}

export interface Revocation extends Named {
  readonly kind: 'revocation'
  readonly receipt: Receipt
}

export interface Answer extends Partial {
  readonly kind: 'answer'
  readonly realm: Realm
  readonly id: Uint8Array
  readonly epoch: number
  readonly refresh: number
  /** Size of the newest checkpoint that the holder has seen. */
  readonly seen: number
}

export interface Acknowledgement extends Named {
  readonly kind: 'acknowledgement'
  readonly seen: number
  /** What is signed. */
  readonly said: Uint8Array
  readonly signature: Uint8Array
}

export interface Refusal {
  readonly kind: 'refusal'
  readonly realm: Realm
  readonly index: number
  readonly id: Uint8Array
  readonly code: RefusalCode
  readonly seen: number
}

export function encodeRequest(request: Omit<Request, 'kind'>): Uint8Array {
  const { realm, record, generation, epoch, refresh, index, id, receipt } = request
  const said = [realm, record, generation, epoch, refresh, index, id]
  return encodeCbor([FORMAT, KIND.request, ...said, receiptItems(receipt)])
}

export function encodeRevocation(revocation: Omit<Revocation, 'kind'>): Uint8Array {
  const { realm, record, generation, index, id, receipt } = revocation
  return encodeCbor([FORMAT, KIND.revocation, realm, record, generation, index, id, receiptItems(receipt)])
}

export function encodeAnswer(answer: Omit<Answer, 'kind'>): Uint8Array {
  const { realm, id, index, epoch, refresh, seen, evaluated, proof } = answer
  return encodeCbor([FORMAT, KIND.answer, realm, id, index, epoch, refresh, seen, evaluated, proof])
}

/** The part of an acknowledgement that is signed, and the bytes that the signature is over. */
export function encodeSaid(named: Named & { readonly seen: number }): {
  said: Uint8Array
  signed: Uint8Array
} {
  const { realm, record, generation, index, id, seen } = named
  const said = encodeCbor([FORMAT, KIND.said, realm, record, generation, index, id, seen])
  return { said, signed: signedBytes(said) }
}

export function signedBytes(said: Uint8Array): Uint8Array {
  return concatBytes(fixedLabel('guise/v1/quorum-said'), said)
}

export function encodeAcknowledgement(said: Uint8Array, signature: Uint8Array): Uint8Array {
  return encodeCbor([FORMAT, KIND.acknowledgement, said, signature])
}

export function encodeRefusal({ realm, index, id, code, seen }: Omit<Refusal, 'kind'>): Uint8Array {
  return encodeCbor([FORMAT, KIND.refusal, realm, index, id, REASONS.indexOf(code), seen])
}

/** What may be asked. Throws `ERR_QUORUM_FORMAT`. */
export function decodeQuestion(bytes: Uint8Array): Request | Revocation {
  const [kind, items] = openMessage(bytes)
  if (kind === KIND.request) return readRequest(asArray(items, 8, malformed))
  if (kind === KIND.revocation) return readRevocation(asArray(items, 6, malformed))
  throw malformed('the message is no question')
}

/** What may be answered. Throws `ERR_QUORUM_FORMAT`. */
export function decodeReply(bytes: Uint8Array): Answer | Acknowledgement | Refusal {
  const [kind, items] = openMessage(bytes)
  if (kind === KIND.answer) return readAnswer(asArray(items, 8, malformed))
  if (kind === KIND.acknowledgement) return readAcknowledgement(asArray(items, 2, malformed))
  if (kind === KIND.refusal) return readRefusal(asArray(items, 5, malformed))
  throw malformed('the message is no reply')
}

function openMessage(bytes: Uint8Array): readonly [kind: CborValue | undefined, items: readonly CborValue[]] {
  const items = decodeCbor(bytes, MAX_MESSAGE_BYTES, malformed)
  if (!Array.isArray(items) || items[0] !== FORMAT) throw malformed('the message is of an unknown format')
  const [, kind, ...rest] = items as readonly CborValue[]
  return [kind, rest]
}

function readRequest(items: readonly CborValue[]): Request {
  const [realm, record, generation, epoch, refresh, index, id, receipt] = items
  return {
    kind: 'request',
    ...readNamed(realm, record, generation, index, id),
    epoch: epochOf(epoch),
    refresh: asUint(refresh, MAX_EPOCH, malformed),
    receipt: readReceipt(receipt),
  }
}

function readRevocation(items: readonly CborValue[]): Revocation {
  const [realm, record, generation, index, id, receipt] = items
  return {
    kind: 'revocation',
    ...readNamed(realm, record, generation, index, id),
    receipt: readReceipt(receipt),
  }
}

function readAnswer(items: readonly CborValue[]): Answer {
  const [realm, id, index, epoch, refresh, seen, evaluated, proof] = items
  return {
    kind: 'answer',
    realm: checkRealm(realm, malformed),
    id: asBytes(id, ID_BYTES, malformed),
    index: indexOf(index),
    epoch: epochOf(epoch),
    refresh: asUint(refresh, MAX_EPOCH, malformed),
    seen: asUint(seen, MAX_UINT, malformed),
    evaluated: asBytes(evaluated, ELEMENT_BYTES, malformed),
    proof: asBytes(proof, PROOF_BYTES, malformed),
  }
}

function readAcknowledgement(items: readonly CborValue[]): Acknowledgement {
  const said = asBytes(items[0], [0, MAX_SAID_BYTES], malformed)
  const signature = asBytes(items[1], SIGNATURE_BYTES, malformed)
  const [kind, rest] = openMessage(said)
  if (kind !== KIND.said) throw malformed('the acknowledgement says something else')
  const [realm, record, generation, index, id, seen] = asArray(rest, 6, malformed)
  return {
    kind: 'acknowledgement',
    ...readNamed(realm, record, generation, index, id),
    seen: asUint(seen, MAX_UINT, malformed),
    said,
    signature,
  }
}

function readRefusal(items: readonly CborValue[]): Refusal {
  const [realm, index, id, reason, seen] = items
  return {
    kind: 'refusal',
    realm: checkRealm(realm, malformed),
    index: indexOf(index),
    id: asBytes(id, ID_BYTES, malformed),
    code: REASONS[asUint(reason, REASONS.length - 1, malformed)] as RefusalCode,
    seen: asUint(seen, MAX_UINT, malformed),
  }
}

function readNamed(
  realm: CborValue | undefined,
  record: CborValue | undefined,
  generation: CborValue | undefined,
  index: CborValue | undefined,
  id: CborValue | undefined,
): Named {
  return {
    realm: checkRealm(realm, malformed),
    record: asBytes(record, RECORD_BYTES, malformed),
    generation: asBytes(generation, GENERATION_BYTES, malformed),
    index: indexOf(index),
    id: asBytes(id, ID_BYTES, malformed),
  }
}

function receiptItems({ entry, place, inclusion, checkpoint, from, consistency }: Receipt): CborValue {
  return [entry, place, [...inclusion], checkpoint, from, [...consistency]]
}

function readReceipt(value: CborValue | undefined): Receipt {
  const [entry, place, inclusion, checkpoint, from, consistency] = asArray(value, 6, malformed)
  return {
    entry: asBytes(entry, [0, MAX_ENTRY_BYTES], malformed),
    place: asUint(place, MAX_UINT - 1, malformed),
    inclusion: readHashes(inclusion),
    checkpoint: asText(checkpoint, MAX_MESSAGE_BYTES, malformed),
    from: asUint(from, MAX_UINT, malformed),
    consistency: readHashes(consistency),
  }
}

function readHashes(value: CborValue | undefined): readonly Uint8Array[] {
  const length = Array.isArray(value) ? Math.min(value.length, MOST_PROOF_HASHES) : 0
  return asArray(value, length, malformed).map((hash) => asBytes(hash, HASH_BYTES, malformed))
}
