/** Decoders of the rows of a gallery, and of what its parts are asked and answer (SPEC §16). @module */
import type { Realm } from '../../src/base/brand.ts'
import { concatBytes, labelBytes, u32be } from '../../src/base/bytes.ts'
import { encodeCbor } from '../../src/base/cbor.ts'
import { committingSeal } from '../../src/crypto/committing.ts'
import { mac } from '../../src/crypto/kdf.ts'
import { openQuestion } from '../../src/gallery/answer-part.ts'
import { openAnswer } from '../../src/gallery/ask-part.ts'
import { decodeBudgetRow, encodeBudgetRow } from '../../src/gallery/budget-row.ts'
import type { GalleryProfile } from '../../src/gallery/declaration.ts'
import { decodeHeadRow, encodeHeadRow } from '../../src/gallery/head-row.ts'
import { decodeMemberRow, makeMemberRow } from '../../src/gallery/member-row.ts'
import { sealPart } from '../../src/gallery/part.ts'
import { decodeShardRow, encodeShardRow } from '../../src/gallery/shard-row.ts'
import type { Decoder } from './decoders.ts'

const REALM = 'clinic' as Realm
const key = new Uint8Array(32).fill(6)
const handle = new Uint8Array(16).fill(1)
const profile: GalleryProfile = {
  realm: REALM,
  purpose: 'one-record',
  model: 'test@1',
  meanHash: key,
  dimensions: 128,
  bits: 64,
}
const place = { index: 1, of: 3 }

/** The tag fits whatever the body says. */
function tagged(label: string): (body: Uint8Array) => Uint8Array {
  return (body) => concatBytes(body, mac(key, [labelBytes(label), body]))
}

/** Each with a row to alter. */
export function galleryDecoders(): Readonly<Record<string, Decoder>> {
  const body = (encoded: Uint8Array): Uint8Array => encoded.subarray(0, -32)
  const open = [0, 3, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]
  const head = {
    profile,
    version: 4,
    basis: 'consent',
    limit: 5000,
    createdMs: 1e12,
    count: 3,
    open,
    keyVersion: 1,
  } as const
  const named = { profile, number: 3, createdMs: 1e12, custodyVersion: 1 }
  const wrapped = { version: 5, epoch: 2, since: 1, wrap: new Uint8Array(176), keyVersion: 1 }
  const shard = { ...named, ...wrapped, slots: [handle, null, handle] }
  const name = { realm: REALM, handle, record: handle, generation: new Uint8Array(20) }
  const budget = {
    realm: REALM,
    version: 9,
    count: 9,
    timeMs: 1e12,
    origin: handle,
    steadyMs: 5,
    keyVersion: 1,
  }
  const hit = concatBytes(u32be(4), u32be(7), handle, u32be(210), u32be(1100))
  const question = key
  return {
    'gallery head': {
      seed: body(encodeHeadRow(head, key)),
      wrap: tagged('guise/v1/gallery'),
      decode: (given) => decodeHeadRow(given, REALM, () => key),
      encode: (value: Parameters<typeof encodeHeadRow>[0]) => encodeHeadRow(value, key),
    },
    'gallery shard': {
      seed: body(encodeShardRow(shard, key)),
      wrap: tagged('guise/v1/gallery-shard'),
      decode: (given) => decodeShardRow(given, { realm: REALM, number: 3 }, () => key),
      encode: (value: Parameters<typeof encodeShardRow>[0]) => encodeShardRow(value, key),
    },
    'gallery member': {
      seed: makeMemberRow(
        { profile, name, number: 3, slot: 2, createdMs: 1e12 },
        new Int32Array(128).fill(9),
        key,
        key,
      ),
      decode: (given) => decodeMemberRow(given, { profile, handle }),
    },
    'gallery budget': {
      seed: body(encodeBudgetRow(budget, key)),
      wrap: tagged('guise/v1/gallery-budget'),
      decode: (given) => decodeBudgetRow(given, REALM, () => key),
      encode: (value: Parameters<typeof encodeBudgetRow>[0]) => encodeBudgetRow(value, key),
    },
    'gallery question': {
      seed: concatBytes(u32be(4000), new Uint8Array(4 * 128)),
      wrap: (given) => sealPart({ kind: 'question', profile, place }, 1, key, given),
      decode: (given) => openQuestion(given, { profile, place }, () => key),
    },
    'gallery answer': {
      seed: concatBytes(u32be(9), u32be(0), u32be(2), u32be(1), hit, new Uint8Array(32 * 63)),
      wrap: (given) => sealPart({ kind: 'answer', profile, place, question }, 1, key, given),
      decode: (given) => openAnswer(given, { profile, place, question, threshold: 4000 }, () => key),
    },
    'gallery message': {
      seed: encodeCbor([1, 21, REALM, 'identify', 'one-record', 'test@1', key, 128, 64, 'B6', 1, 3, 1]),
      // A header that was altered, and a seal that fits it.
      wrap: (header) => {
        const sealed = committingSeal(key, 'guise/v1/gallery-question', header, u32be(4000))
        return encodeCbor([header, sealed.nonce, sealed.commitment, sealed.ciphertext])
      },
      decode: (given) => openQuestion(given, { profile, place }, () => key),
    },
  }
}
