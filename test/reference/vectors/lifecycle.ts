/** Vectors of erasure receipts and of operation digests (SPEC §11.3, §11.6). @module */
import { concat, hex, Refused } from '../bytes.ts'
import { encode, type Value } from '../cbor.ts'
import { integers, unit } from '../embedding.ts'
import { ed25519PublicKey, ed25519Sign } from '../hashes.ts'
import { bytesFor, vectorFromSeed } from '../inputs.ts'
import { realmKeys, subjectTag } from '../keys.ts'
import {
  operationDigest,
  probeBound,
  type SignedReceipt,
  signReceipt,
  VERBS,
  verbNumber,
  verifyReceipt,
} from '../lifecycle.ts'
import { type Fields, receiptBody } from '../shapes.ts'
import { type Json, type VectorFile, vectorFile } from './file.ts'
import * as person from './person.ts'
import { jsonFields } from './record.ts'
import { flipped } from './seal.ts'

/** The order of the group of Ed25519, RFC 8032 §5.1. */
const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n

const FIELDS = person.RECEIPT

export function receiptVectors(): VectorFile {
  const seed = person.keys.receipt
  const cases: readonly (readonly [string, Uint8Array, Fields])[] = [
    ['30 days', seed, FIELDS],
    ['one epoch, no bound', seed, { ...FIELDS, last: 1, bound: 0 }],
    ['version 2', realmKeys(person.realmSecret(2), person.REALM, 2).receipt, { ...FIELDS, v: 2 }],
  ]
  const positive = cases.map(([name, secret, fields]) => {
    const { body, signature } = signReceipt(secret, fields)
    return {
      name,
      seed: hex(secret),
      publicKey: hex(ed25519PublicKey(secret)),
      fields: jsonFields(fields),
      body: hex(body),
      signature: hex(signature),
    }
  })
  return vectorFile(
    '§11.3',
    ['body is signed as it is; bound in milliseconds. negative: one fault each, never verifies.'],
    positive,
    receiptFaults(seed),
  )
}

function receiptFaults(seed: Uint8Array): Record<string, Json>[] {
  const good = signReceipt(seed, FIELDS)
  const { body, signature } = good
  const publicKey = ed25519PublicKey(seed)
  const signed = (values: Value): SignedReceipt => {
    const bytes = encode(values)
    return { body: bytes, signature: ed25519Sign(seed, bytes) }
  }
  const values = receiptBody.map(([name]) => FIELDS[name] as Value)
  const withS = (s: bigint): Uint8Array =>
    concat(
      signature.slice(0, 32),
      Uint8Array.from({ length: 32 }, (_, i) => Number((s >> BigInt(8 * i)) & 255n)),
    )
  let s = 0n
  for (let i = 63; i >= 32; i--) s = s * 256n + BigInt(signature[i] as number)
  const other = ed25519PublicKey(bytesFor('another receipt seed', 32))
  const faults: Readonly<Record<string, readonly [Uint8Array, SignedReceipt]>> = {
    'another key': [other, good],
    'one bit of the key': [flipped(publicKey, 3), good],
    'a key of small order': [Uint8Array.from({ length: 32 }, (_, i) => (i === 0 ? 1 : 0)), good],
    'first bit of R': [publicKey, { body, signature: flipped(signature, 0) }],
    'first bit of S': [publicKey, { body, signature: flipped(signature, 32) }],
    'S plus the order of the group': [publicKey, { body, signature: withS(s + ORDER) }],
    'a signature of zeros': [publicKey, { body, signature: new Uint8Array(64) }],
    'signature one byte short': [publicKey, { body, signature: signature.slice(0, 63) }],
    'signature one byte long': [publicKey, { body, signature: concat(signature, Uint8Array.of(0)) }],
    'no signature': [publicKey, { body, signature: new Uint8Array(0) }],
    'one bit of the body': [publicKey, { body: flipped(body, 20), signature }],
    'body one byte short': [publicKey, { body: body.slice(0, -1), signature }],
    'a byte after the body': [publicKey, { body: concat(body, Uint8Array.of(0)), signature }],
    'signed with a field too few': [publicKey, signed(values.slice(0, -1))],
    'signed with a field too many': [publicKey, signed([...values, 0])],
    'signed as format 2': [publicKey, signed([2, ...values.slice(1)])],
    'signed as another kind': [publicKey, signed([1, 4, ...values.slice(2)])],
  }
  return Object.entries(faults).map(([name, [key, receipt]]) => {
    if (verifies(key, receipt)) throw new RangeError(name)
    return { name, publicKey: hex(key), body: hex(receipt.body), signature: hex(receipt.signature) }
  })
}

function verifies(key: Uint8Array, receipt: SignedReceipt): boolean {
  try {
    verifyReceipt(key, receipt)
    return true
  } catch (error) {
    if (error instanceof Refused) return false
    throw error
  }
}

interface Operation {
  readonly limiter: Uint8Array
  readonly verb: string
  readonly who: Uint8Array
  readonly operationId: string
  readonly bound: Uint8Array
}

function operationJson(name: string, one: Operation): Record<string, Json> {
  return {
    name,
    limiter: hex(one.limiter),
    verb: one.verb,
    verbNumber: verbNumber(one.verb),
    who: hex(one.who),
    operationId: one.operationId,
    bound: hex(one.bound),
    digest: hex(operationDigest(one.limiter, one.verb, one.who, one.operationId, one.bound)),
  }
}

export function operationVectors(): VectorFile {
  const z = integers(unit(vectorFromSeed(1, 64), 64).u)
  const none = new Uint8Array(0)
  const { limiter, index } = person.keys
  const tag = subjectTag(index, person.SUBJECT)
  const basic = { limiter, operationId: 'operation-0001' }
  const positive = VERBS.map((verb) =>
    operationJson(verb, {
      ...basic,
      verb,
      who: verb === 'enroll' || verb === 'erase' ? tag : person.handle,
      bound: verb === 'verify' ? probeBound(z) : none,
    }),
  )
  const verify = { ...basic, verb: 'verify', who: person.handle, bound: probeBound(z) }
  const nudged = z.map((value, i) => (i === 63 ? value + 1 : value))
  const negative = [
    ['another verb', { ...verify, verb: 'rebind' }],
    ['another handle', { ...verify, who: bytesFor('another handle', 16) }],
    ['the tag instead of the handle', { ...verify, who: tag }],
    ['another operation id', { ...verify, operationId: 'operation-0002' }],
    ['an operation id one character longer', { ...verify, operationId: 'operation-00010' }],
    ['a probe that differs by one in one integer', { ...verify, bound: probeBound(nudged) }],
    ['no bound', { ...verify, bound: none }],
    [
      'the limiter key of version 2',
      { ...verify, limiter: realmKeys(person.realmSecret(2), person.REALM, 2).limiter },
    ],
  ] as const
  const digestOfVerify = hex(operationDigest(limiter, 'verify', verify.who, verify.operationId, verify.bound))
  return vectorFile(
    '§11.6',
    [
      'who: the handle, for enroll and erase the tag. bound of verify: SHA-256 of z, here of the vector of seed 1 with d 64.',
      'negative: one part differs from `verify`; the digest is another, so that it is not the same operation.',
    ],
    [...positive, { name: 'bound', seed: 1, dimensions: 64, bound: hex(probeBound(z)) }],
    negative.map(([name, one]) => ({ ...operationJson(name, one), differsFrom: digestOfVerify })),
  )
}
