/** Vectors of realm keys, custody key, wraps, holder shares and pseudonyms (SPEC §4). @module */
import { concat, hex, Refused, u32be } from '../bytes.ts'
import { bytesFor } from '../inputs.ts'
import {
  custodyIkm,
  epochContext,
  holderShare,
  type InnerContext,
  innerAad,
  openOuter,
  openSlot,
  PROFILES,
  type Profile,
  realmContext,
  realmKeys,
  sealSlot,
  subjectTag,
} from '../keys.ts'
import { generationOf } from '../record.ts'
import type { Sealed } from '../seal.ts'
import { encodeShape, secretHeader } from '../shapes.ts'
import { type Json, type VectorFile, vectorFile } from './file.ts'
import * as person from './person.ts'
import { flipped } from './seal.ts'

const ABOUT = [
  'what: realm keys | context | custody-ikm | slot | outer | holder share | tag, each with its inputs and result.',
  'devices: one of 16 bytes a slot, zero bytes for a free one; empty for profiles without holder.',
  'slot: inner seal of the record secret; outer: the wrap of the slots under an epoch key, its header bound.',
  'A profile with a holder has four slots, the last three random bytes here as for free devices.',
  'negative: opening fails with the code; stage tells where.',
]

const NAMES = Object.keys(PROFILES) as Profile[]
const CUSTODY_OF_2 = realmKeys(person.realmSecret(2), person.REALM, 2).custody

export function keyVectors(): VectorFile {
  const positive = [
    ...realmKeyCases(),
    ...contexts(),
    ...custody(),
    ...slots(),
    ...outers(),
    ...shares(),
    ...tags(),
  ]
  return vectorFile('chapter 4', ABOUT, positive, [...slotFaults(), ...outerFaults(), ...custodyFaults()])
}

function realmKeyCases(): Record<string, Json>[] {
  const cases: readonly (readonly [string, Uint8Array, string, number])[] = [
    ['version 1', person.realmSecret(1), person.REALM, 1],
    ['version 2', person.realmSecret(2), person.REALM, 2],
    ['the same secret in another realm', person.realmSecret(1), 'other-realm', 1],
    ['a realm of 64 characters, version 70000', person.realmSecret(3), 'r'.repeat(64), 70_000],
  ]
  return cases.map(([name, secret, realm, v]) => {
    const derived = Object.entries(realmKeys(secret, realm, v)).map(
      ([key, bytes]) => [key, hex(bytes)] as const,
    )
    return {
      name: `realm keys, ${name}`,
      what: 'realm keys',
      secret: hex(secret),
      realm,
      v,
      keys: Object.fromEntries(derived),
    }
  })
}

function contexts(): Record<string, Json>[] {
  return [1, 2, 24, 256, 65_536].flatMap((number) => [
    {
      name: `context of epoch ${number}`,
      what: 'context',
      kind: 'epoch',
      realm: person.REALM,
      number,
      context: hex(epochContext(person.REALM, number)),
    },
    {
      name: `context of realm secret ${number}`,
      what: 'context',
      kind: 'realm',
      realm: person.REALM,
      number,
      context: hex(realmContext(person.REALM, number)),
    },
  ])
}

function custody(): Record<string, Json>[] {
  return NAMES.map((profile) => ({
    name: `custody-ikm, ${profile}`,
    what: 'custody-ikm',
    profile,
    custody: hex(person.keys.custody),
    quorum: profile.includes('quorum') ? hex(person.quorum) : null,
    share: profile.includes('holder') ? hex(person.share) : null,
    ikm: hex(person.ikmFor(profile)),
  }))
}

function contextJson(context: InnerContext): Record<string, Json> {
  return {
    realm: context.realm,
    record: hex(context.record),
    handle: hex(context.handle),
    generation: hex(context.generation),
    purpose: context.purpose,
    profile: context.profile,
    v: context.v,
    devices: context.devices.map(hex),
  }
}

function slots(): Record<string, Json>[] {
  return NAMES.flatMap((profile) =>
    (profile.includes('holder') ? [0, 1, 2, 3] : [0]).map((slot) => {
      const context = person.contextFor(profile)
      const nonce = bytesFor(slot === 0 ? `inner nonce ${profile}` : `inner nonce ${profile} ${slot}`, 24)
      return {
        name: `slot ${slot}, ${profile}`,
        what: 'slot',
        ikm: hex(person.ikmFor(profile)),
        context: contextJson(context),
        slot,
        aad: hex(innerAad(context, slot)),
        recordSecret: hex(person.rs),
        nonce: hex(nonce),
        sealed: hex(sealSlot(person.ikmFor(profile), context, slot, person.rs, nonce)),
      }
    }),
  )
}

function outers(): Record<string, Json>[] {
  return NAMES.flatMap((profile) =>
    [1, 2].map((epoch) => {
      const wrap = person.wrapFor(profile, epoch)
      return {
        name: `outer wrap, ${profile}, epoch ${epoch}`,
        what: 'outer',
        epochKey: hex(person.epochKey(epoch)),
        header: hex(wrap.header),
        slots: hex(wrap.slots),
        nonce: hex(wrap.nonce),
        commitment: hex(wrap.commitment),
        ciphertext: hex(wrap.ciphertext),
      }
    }),
  )
}

function shares(): Record<string, Json>[] {
  const cases: readonly (readonly [string, Uint8Array, string, Uint8Array, Uint8Array])[] = [
    ['first generation', person.deviceSecret, person.REALM, person.record, person.generation],
    [
      'second generation',
      person.deviceSecret,
      person.REALM,
      person.record,
      generationOf(2, bytesFor('g2', 16)),
    ],
    ['another record', person.deviceSecret, person.REALM, bytesFor('another record', 16), person.generation],
    ['another realm', person.deviceSecret, 'other-realm', person.record, person.generation],
    ['a device secret of 64 bytes', bytesFor('long', 64), person.REALM, person.record, person.generation],
  ]
  return cases.map(([name, secret, realm, record, generation]) => ({
    name: `holder share, ${name}`,
    what: 'holder share',
    deviceSecret: hex(secret),
    realm,
    record: hex(record),
    generation: hex(generation),
    share: hex(holderShare(secret, realm, record, generation)),
  }))
}

function tags(): Record<string, Json>[] {
  return [person.SUBJECT, 'a', 'Ä', 'A\u0308', '人', '😀', 'x'.repeat(256)].map((subject, i) => ({
    name: `tag ${i + 1}`,
    what: 'tag',
    index: hex(person.keys.index),
    subject,
    tag: hex(subjectTag(person.keys.index, subject)),
  }))
}

function stageOf(call: () => unknown): string {
  try {
    call()
  } catch (error) {
    if (error instanceof Refused && error.code === 'ERR_SEAL_OPEN') return error.message.replace(/^.*: /, '')
    throw error
  }
  throw new RangeError('opened')
}

function slotFaults(): Record<string, Json>[] {
  const profile = 'quorum+holder'
  const context = person.contextFor(profile)
  const ikm = person.ikmFor(profile)
  const bytes = sealSlot(ikm, context, 0, person.rs, bytesFor(`inner nonce ${profile}`, 24))
  const other = bytesFor('another', 64)
  const changed = (part: Partial<InnerContext>): InnerContext => ({ ...context, ...part })
  const [first, second] = context.devices as [Uint8Array, Uint8Array]
  const rest = context.devices.slice(1)
  const free = new Uint8Array(16)
  const unnamed = changed({ devices: [free, ...rest] })
  const sealedFor = (where: InnerContext): Uint8Array =>
    sealSlot(ikm, where, 0, person.rs, bytesFor(`inner nonce ${profile}`, 24))
  const { custody: key } = person.keys
  const { quorum, share } = person
  const otherShare = holderShare(
    bytesFor('another device', 32),
    person.REALM,
    person.record,
    person.generation,
  )
  const faults: Readonly<Record<string, readonly [Uint8Array, InnerContext, number, Uint8Array]>> = {
    'another realm': [ikm, changed({ realm: 'other-realm' }), 0, bytes],
    'another record': [ikm, changed({ record: bytesFor('another record', 16) }), 0, bytes],
    'another handle': [ikm, changed({ handle: bytesFor('another handle', 16) }), 0, bytes],
    'the next generation': [
      ikm,
      changed({ generation: generationOf(2, person.generation.slice(4)) }),
      0,
      bytes,
    ],
    'the same count, other random bytes': [
      ikm,
      changed({ generation: generationOf(1, other.slice(0, 16)) }),
      0,
      bytes,
    ],
    'another purpose': [ikm, changed({ purpose: 'payments' }), 0, bytes],
    'another profile': [ikm, changed({ profile: 2 }), 0, bytes],
    'another version': [ikm, changed({ v: 2 }), 0, bytes],
    'another slot': [ikm, context, 1, bytes],
    'another device': [ikm, changed({ devices: [bytesFor('device 5', 16), ...rest] }), 0, bytes],
    'two devices exchanged': [ikm, changed({ devices: [second, first, ...rest.slice(1)] }), 0, bytes],
    'a device that was removed': [ikm, changed({ devices: [free, ...rest] }), 0, bytes],
    'sealed for a free slot': [ikm, unnamed, 0, sealedFor(unnamed)],
    'sealed for no device': [ikm, context, 0, sealedFor(unnamed)],
    'custody key of version 2': [custodyIkm(CUSTODY_OF_2, quorum, share), context, 0, bytes],
    'no share': [custodyIkm(key, quorum), context, 0, bytes],
    'no quorum': [custodyIkm(key, undefined, share), context, 0, bytes],
    neither: [custodyIkm(key), context, 0, bytes],
    'the share of another device': [custodyIkm(key, quorum, otherShare), context, 0, bytes],
    'another quorum output': [custodyIkm(key, other, share), context, 0, bytes],
    'the nonce': [ikm, context, 0, flipped(bytes, 0)],
    'the commitment': [ikm, context, 0, flipped(bytes, 24)],
    'the ciphertext': [ikm, context, 0, flipped(bytes, 56)],
    'the tag': [ikm, context, 0, flipped(bytes, -1)],
    'one byte short': [ikm, context, 0, bytes.slice(0, -1)],
    'one byte long': [ikm, context, 0, concat(bytes, u32be(0).slice(0, 1))],
    'random bytes of a free slot': [ikm, context, 1, bytesFor('free slot 1', 104)],
  }
  return Object.entries(faults).map(([name, [k, where, slot, sealed]]) => ({
    name: `slot: ${name}`,
    what: 'slot',
    ikm: hex(k),
    context: contextJson(where),
    slot,
    sealed: hex(sealed),
    code: 'ERR_SEAL_OPEN',
    stage: stageOf(() => openSlot(k, where, slot, sealed)),
  }))
}

function outerFaults(): Record<string, Json>[] {
  const wrap = person.wrapFor('operator')
  const key = person.epochKey(1)
  const header = (part: Record<string, string | Uint8Array | number>): Uint8Array =>
    encodeShape(secretHeader, { ...person.secretFields('operator'), ...part })
  const faults: Readonly<Record<string, readonly [Uint8Array, Uint8Array, Sealed]>> = {
    'the key of another epoch': [person.epochKey(2), wrap.header, wrap],
    realm: [key, header({ realm: 'other-realm' }), wrap],
    record: [key, header({ record: bytesFor('another record', 16) }), wrap],
    generation: [key, header({ generation: generationOf(2, person.generation.slice(4)) }), wrap],
    epoch: [key, header({ epoch: u32be(2) }), wrap],
    since: [key, header({ since: u32be(2) }), wrap],
    profile: [key, header({ profile: 1 }), wrap],
    version: [key, header({ v: u32be(2) }), wrap],
    nonce: [key, wrap.header, { ...wrap, nonce: flipped(wrap.nonce, -1) }],
    commitment: [key, wrap.header, { ...wrap, commitment: flipped(wrap.commitment, -1) }],
    ciphertext: [key, wrap.header, { ...wrap, ciphertext: flipped(wrap.ciphertext, 0) }],
    tag: [key, wrap.header, { ...wrap, ciphertext: flipped(wrap.ciphertext, -1) }],
    'cut short': [key, wrap.header, { ...wrap, ciphertext: wrap.ciphertext.slice(0, -1) }],
  }
  return Object.entries(faults).map(([name, [k, head, sealed]]) => ({
    name: `outer: ${name}`,
    what: 'outer',
    epochKey: hex(k),
    header: hex(head),
    nonce: hex(sealed.nonce),
    commitment: hex(sealed.commitment),
    ciphertext: hex(sealed.ciphertext),
    code: 'ERR_SEAL_OPEN',
    stage: stageOf(() => openOuter(k, head, sealed)),
  }))
}

/** KEYS-6 and KEYS-7: parts of other lengths would let two different sets of parts read the same. */
function custodyFaults(): Record<string, Json>[] {
  return [0, 31, 33, 64].map((length) => ({
    name: `custody-ikm: a share of ${length} bytes`,
    what: 'custody-ikm',
    custody: hex(person.keys.custody),
    quorum: null,
    share: hex(new Uint8Array(length).fill(0xa5)),
  }))
}
