/** Vectors of captures: a desk as its rows, captures that it accepts, and captures with one fault each (SPEC §20). @module */
/// <reference types="node" />
import { concat, hex } from '../bytes.ts'
import { type Claims, headerPairs, probeHash } from '../capture.ts'
import { openCapture } from '../capture-open.ts'
import { encode } from '../cbor.ts'
import { otherSignature, type Pair, thumbprint } from '../cose.ts'
import { sha256 } from '../hashes.ts'
import { bytesFor } from '../inputs.ts'
import {
  browser,
  CHAIN,
  D,
  former,
  honest,
  ISSUED,
  keys,
  lost,
  MODEL,
  made,
  NOW,
  nonce,
  ORIGIN,
  over,
  type Parts,
  phone,
  probe,
  REALM,
  RP_ID,
  recalled,
  rows,
  SECRET,
  scene,
  stranger,
  tablet,
} from './capture-parts.ts'
import { type Json, type VectorFile, vectorFile } from './file.ts'

const ABOUT = [
  'kind "desk": the capture secret, its four keys, and every row of the table challenges at the instant now. All captures are opened by it, for subject and purpose, each on a fresh copy.',
  'Its policy: liveness of issuer camera-app under ISO/IEC 30107-3, intent, quality from 30, skew 5000, age 60000; hook: every chain is good and proves nothing.',
  'kind "thumbprint": a public key and its COSE Key thumbprint; the one named RFC 9679 stands there in §6.',
  'kind "capture": each stage of making one. The ephemeral secret is given so that the bytes are fixed; a device draws its own.',
  'negative: opening fails with the code and, for whoever holds the symbol, the reason.',
]

function goods(): readonly (readonly [string, Parts])[] {
  const p = honest(phone)
  return [
    ['ES256 token', p],
    ['EdDSA token', honest(tablet, 'tablet')],
    ['ES256 assertion', honest(browser, 'browser')],
    ['to a former key', honest(phone, 'question', former)],
    ['with a chain', { ...p, chain: CHAIN, claims: { ...p.claims, attestation: sha256(CHAIN) } }],
    ['the other signature', { ...p, signature: otherSignature }],
  ]
}

const turned = (bytes: Uint8Array, at = bytes.length - 1): Uint8Array =>
  bytes.map((byte, i) => (i === at ? byte ^ 1 : byte))

function faults(): readonly (readonly [name: string, reason: string, parts: Parts])[] {
  const p = honest(phone)
  const claim = (change: Partial<Claims>): Parts => ({ ...p, claims: { ...p.claims, ...change } })
  const pairs = (change: (pairs: readonly Pair[]) => readonly Pair[]): Parts => ({ ...p, pairs: change })
  const live = p.claims.liveness ?? ['', '', '', 0, '']
  const verdict = (code: number): Parts => claim({ liveness: [live[0], live[1], live[2], code, live[4]] })
  return [
    ['suite with X25519', 'suite', { ...p, suite: Uint8Array.of(0, 0x20, 0, 1, 0, 1) }],
    ['no suite', 'suite', { ...p, suite: new Uint8Array(0) }],
    ['recipient that is no key', 'recipient', { ...p, recipient: bytesFor('nobody', 32) }],
    ['key that is over', 'recipient', honest(phone, 'question', over)],
    ['id of another key', 'sealed', { ...p, recipient: former.id }],
    ['ciphertext altered', 'sealed', { ...p, ciphertext: turned }],
    ['claim dropped', 'statement', pairs((all) => all.slice(0, -1))],
    ['claim doubled', 'statement', pairs((all) => [all[0] as Pair, ...all])],
    ['claims in another order', 'statement', pairs((all) => [...all.slice(4), ...all.slice(0, 4)])],
    ['claim of no list', 'statement', pairs((all) => [...all, [-70009, true]])],
    [
      'profile of another',
      'statement',
      pairs((all) => all.map((pair, i) => (i === 3 ? [265, 'urn:guise:capture:2'] : pair))),
    ],
    [
      'label with a longer head',
      'statement',
      { ...p, payload: (bytes) => concat(bytes.slice(0, 1), Uint8Array.of(0x18), bytes.slice(1)) },
    ],
    ['fourth verdict', 'statement', verdict(3)],
    ['quality above 100', 'statement', claim({ conditions: [false, false, 101] })],
    ['token without its tag', 'statement', { ...p, token: (bytes) => bytes.slice(1) }],
    [
      'token with an unprotected header',
      'statement',
      { ...p, token: (bytes) => concat(bytes.slice(0, 42), Uint8Array.of(0xa1, 1, 1), bytes.slice(43)) },
    ],
    [
      'protected header with PS256',
      'statement',
      { ...p, header: concat(Uint8Array.of(0xa2, 1, 0x38, 0x24, 4), encode(phone.id)) },
    ],
    ['stranger', 'device', honest(stranger, 'stranger')],
    ['revoked device', 'device', honest(lost, 'lost')],
    ['revoked family', 'device', honest(recalled, 'recalled')],
    ['signature altered', 'signature', { ...p, signature: turned }],
    ['signature of another device', 'signature', { ...p, header: headerPairs('EdDSA', tablet.id) }],
    ['header with the other algorithm', 'signature', { ...p, header: headerPairs('EdDSA', phone.id) }],
    ['token of a key for assertions', 'signature', { ...p, device: { ...browser, carrier: 0 } }],
    [
      'assertion for another origin',
      'signature',
      { ...honest(browser, 'browser'), origin: 'https://evil.example' },
    ],
    ['other realm', 'redirected', claim({ realm: 'others' })],
    ['other recipient', 'redirected', claim({ recipient: former.id })],
    ['vector altered', 'probe', { ...p, vector: turned(p.vector, 9) }],
    [
      'other model',
      'probe',
      claim({ model: 'arcface-r100@2', probe: probeHash('arcface-r100@2', p.vector) }),
    ],
    ['nonce that nobody gave', 'challenge', claim({ nonce: nonce('nobody') })],
    ['nonce that is over', 'challenge', claim({ nonce: nonce('late', NOW) })],
    ['nonce whose row was forged', 'challenge', claim({ nonce: nonce('forged') })],
    ['nonce of another device', 'binding', claim({ nonce: nonce('tablet') })],
    ['nonce of another subject', 'binding', claim({ nonce: nonce('bob') })],
    ['nonce of a search', 'binding', claim({ nonce: nonce('search') })],
    ['nonce of another purpose', 'binding', claim({ nonce: nonce('payment') })],
    ['other purpose', 'binding', claim({ purpose: 'payment' })],
    ['before the question', 'time', claim({ iat: ISSUED / 1000 - 6 })],
    ['ahead of time', 'time', claim({ iat: NOW / 1000 + 6 })],
    ['chain that was not stated', 'attestation', { ...p, chain: CHAIN }],
    ['chain that is missing', 'attestation', claim({ attestation: sha256(CHAIN) })],
    ['other chain', 'attestation', { ...claim({ attestation: sha256(CHAIN) }), chain: turned(CHAIN) }],
    ['no intent', 'policy', claim({ intent: false })],
    ['masked', 'policy', claim({ conditions: [true, false, 80] })],
    ['quality too low', 'policy', claim({ conditions: [false, false, 29] })],
    ['no liveness', 'policy', claim({ liveness: null })],
    ['attack', 'policy', verdict(1)],
    ['undecided', 'policy', verdict(2)],
    ['issuer that is not trusted', 'policy', claim({ liveness: [live[0], live[1], live[2], 0, 'nobody'] })],
    ['probe that was accepted before', 'repeated', { ...p, ...probe(honest(phone, 'past').vector) }],
  ]
}

export function captureVectors(): VectorFile {
  const held = rows()
  const opened = (name: string, sealed: Uint8Array): string => {
    const outcome = openCapture(scene(held), sealed)
    return `${name}: ${'reason' in outcome ? outcome.reason : 'accepted'}`
  }
  const expectOutcome = (name: string, sealed: Uint8Array, wanted: string): void => {
    if (opened(name, sealed) !== `${name}: ${wanted}`) throw new RangeError(opened(name, sealed))
  }
  const captures = goods().map(([name, parts]) => {
    const { sealed, stages } = made(parts)
    expectOutcome(name, sealed, 'accepted')
    const { id, algorithm, secret } = parts.device
    return {
      name,
      kind: 'capture',
      device: hex(id),
      algorithm,
      secret: hex(secret),
      vector: hex(parts.vector),
      ...stages,
    }
  })
  const refused = faults().map(([name, reason, parts]) => {
    const { sealed } = made(parts)
    expectOutcome(name, sealed, reason)
    return { name, sealed: hex(sealed), code: 'ERR_CAPTURE_REFUSED', reason }
  })
  const whole = made(honest(phone)).sealed
  const formats: readonly (readonly [string, Uint8Array])[] = [
    ['cut', whole.slice(0, -1)],
    ['trailing byte', concat(whole, Uint8Array.of(0))],
    ['format 2', concat(whole.slice(0, 1), Uint8Array.of(2), whole.slice(2))],
    ['kind 61', concat(whole.slice(0, 3), Uint8Array.of(61), whole.slice(4))],
    ['nothing', new Uint8Array(0)],
  ]
  const malformed = formats.map(([name, bytes]) => {
    expectOutcome(name, bytes, 'format')
    return { name, sealed: hex(bytes), code: 'ERR_CAPTURE_REFUSED', reason: 'format' }
  })
  return vectorFile(
    'chapter 20',
    ABOUT,
    [desk(held), ...thumbprints(), ...captures],
    [...malformed, ...refused],
  )
}

function desk(held: ReadonlyMap<string, Uint8Array>): Record<string, Json> {
  return {
    name: 'desk',
    kind: 'desk',
    secret: hex(SECRET),
    realm: REALM,
    now: NOW,
    subject: 'ann',
    purpose: 'login',
    model: MODEL,
    dimensions: D,
    rpId: RP_ID,
    origin: ORIGIN,
    keys: {
      challenge: hex(keys.challenge),
      repeat: hex(keys.repeat),
      device: hex(keys.device),
      transport: hex(keys.transport),
    },
    rows: [...held].map(([key, bytes]) => [key, hex(bytes)]),
  }
}

/** The key of RFC 9679 §6, and those of two devices. */
function thumbprints(): Record<string, Json>[] {
  const x = '65eda5a12577c2bae829437fe338701a10aaa375e1bb5b5de108de439c08551d'
  const y = '1e52ed75701163f7f9e40ddf9f341b3dc9ba860af7e0ca7ca7e9eecd0084d19c'
  const rfc = { algorithm: 'ES256', publicKey: Uint8Array.from(Buffer.from(`04${x}${y}`, 'hex')) } as const
  return (
    [
      ['RFC 9679', rfc],
      ['phone', phone],
      ['tablet', tablet],
    ] as const
  ).map(([name, { algorithm, publicKey }]) => ({
    name,
    kind: 'thumbprint',
    algorithm,
    publicKey: hex(publicKey),
    thumbprint: hex(thumbprint(algorithm, publicKey)),
  }))
}
