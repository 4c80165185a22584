/** What may be done to a capture on its way: every field altered, dropped, doubled, encoded anew, replayed, sent elsewhere. @module */
import { concat, hex, u8 } from '../reference/bytes.ts'
import { type Claims, claimPairs, headerPairs, probeHash } from '../reference/capture.ts'
import { encode, type Value } from '../reference/cbor.ts'
import { map, otherSignature, type Pair } from '../reference/cose.ts'
import { sha256 } from '../reference/hashes.ts'
import { mutate } from '../support/fuzz.ts'
import {
  finished,
  headerOf,
  honest,
  type Parts,
  payloadOf,
  plainOf,
  proofOf,
  sealedOf,
  type World,
} from './capture-world.ts'

export interface Case {
  readonly name: string
  readonly sealed: Uint8Array
  /** Whether an honest desk takes it; undefined where a device may have stated something else that is right. */
  readonly isGood: boolean | undefined
  readonly nonce: Uint8Array
}

/** `pick(n)`: an integer below n. */
export interface Draw {
  (): number
  pick(below: number): number
}

/** What was accepted earlier, for replays. */
export interface Past {
  readonly parts: Parts
  readonly proof: Value
  readonly sealed: Uint8Array
}

type Maker = (
  world: World,
  parts: Parts,
  draw: Draw,
  past: Past | undefined,
) => Promise<Omit<Case, 'nonce' | 'name'>>

const open = async (sealed: Uint8Array | Promise<Uint8Array>): Promise<Omit<Case, 'nonce' | 'name'>> => ({
  sealed: await sealed,
  isGood: undefined,
})
const bad = async (sealed: Uint8Array | Promise<Uint8Array>): Promise<Omit<Case, 'nonce' | 'name'>> => ({
  sealed: await sealed,
  isGood: false,
})
const good = async (sealed: Promise<Uint8Array>): Promise<Omit<Case, 'nonce' | 'name'>> => ({
  sealed: await sealed,
  isGood: true,
})

/** The device itself states something else: signed and sealed as it should be. */
const stated = (change: (claims: Claims, draw: Draw) => Partial<Claims>): Maker => {
  return (_, parts, draw) =>
    bad(finished({ ...parts, claims: { ...parts.claims, ...change(parts.claims, draw) } }))
}

/** A payload with other pairs, signed by the device. */
const paired = (change: (pairs: readonly Pair[], draw: Draw) => readonly Pair[], end = bad): Maker => {
  return (_, parts, draw) => {
    const payload = map(change(claimPairs(parts.claims), draw))
    return end(sealedOf(parts, plainOf(parts, proofOf(parts, payload))))
  }
}

const random = (length: number, draw: Draw): Uint8Array => Uint8Array.from({ length }, () => draw.pick(256))
const turned = (bytes: Uint8Array, draw: Draw): Uint8Array => {
  const copy = bytes.slice()
  const at = draw.pick(copy.length)
  copy[at] = (copy[at] as number) ^ (1 << draw.pick(8))
  return copy
}

/** The usual alterations, until one is one. */
const altered = (bytes: Uint8Array, draw: Draw): Uint8Array => {
  for (;;) {
    const other = mutate(bytes, draw)
    if (hex(other) !== hex(bytes)) return other
  }
}

const LIVE: NonNullable<Claims['liveness']> = ['flash', 'ISO/IEC 30107-3', '2', 0, 'camera-app']

const STATED: Readonly<Record<string, Maker>> = {
  'another realm': stated(() => ({ realm: 'others' })),
  'too old': stated(({ iat }) => ({ iat: iat - 7 })),
  'ahead of time': stated(({ iat }) => ({ iat: iat + 6 })),
  'a nonce that nobody gave': stated((_, draw) => ({ nonce: random(32, draw) })),
  'a nonce with a later end': stated(({ nonce }) => ({
    nonce: concat(Uint8Array.of(nonce[0] as number, 0xff), nonce.slice(2)),
  })),
  'another recipient': stated((_, draw) => ({ recipient: random(32, draw) })),
  'another purpose': stated(() => ({ purpose: 'payment' })),
  'another model': stated(() => ({ model: 'arcface-r100@2' })),
  'another probe': stated(({ probe }, draw) => ({ probe: turned(probe, draw) })),
  masked: stated(() => ({ conditions: [true, false, 80] })),
  blurred: stated(() => ({ conditions: [false, false, 29] })),
  'quality above its end': stated(() => ({ conditions: [false, false, 101] })),
  'no liveness': stated(() => ({ liveness: null })),
  'an attack': stated(() => ({ liveness: [LIVE[0], LIVE[1], LIVE[2], 1, LIVE[4]] })),
  undecided: stated(() => ({ liveness: [LIVE[0], LIVE[1], LIVE[2], 2, LIVE[4]] })),
  'a fourth verdict': stated(() => ({ liveness: [LIVE[0], LIVE[1], LIVE[2], 3, LIVE[4]] })),
  'another issuer': stated(() => ({ liveness: [LIVE[0], LIVE[1], LIVE[2], 0, 'nobody'] })),
  'another standard': stated(() => ({ liveness: [LIVE[0], 'mine', LIVE[2], 0, LIVE[4]] })),
  'an empty method': stated(() => ({ liveness: ['', LIVE[1], LIVE[2], 0, LIVE[4]] })),
  'no intent': stated(() => ({ intent: false })),
  'a chain that is not there': stated((_, draw) => ({ attestation: random(32, draw) })),
  'an iat past every calendar': stated(() => ({ iat: 253_402_300_800 })),
}

const PAIRED: Readonly<Record<string, Maker>> = {
  'a claim dropped': paired((pairs, draw) =>
    pairs.filter((_, i) => i !== draw.pick(pairs.length) || i < 0).slice(0, 11),
  ),
  'a claim doubled': paired((pairs, draw) => {
    const at = draw.pick(pairs.length)
    return [...pairs.slice(0, at), pairs[at] as Pair, ...pairs.slice(at)]
  }),
  'a claim in the place of another': paired((pairs, draw) => {
    const from = draw.pick(pairs.length)
    const other = pairs[draw.pick(pairs.length)] as Pair
    return pairs.map((pair, i) =>
      i === from && pair !== other ? other : i === from ? [pair[0] + 1, pair[1]] : pair,
    )
  }),
  'two claims swapped': paired((pairs, draw) => {
    const at = draw.pick(pairs.length - 1)
    return [...pairs.slice(0, at), pairs[at + 1] as Pair, pairs[at] as Pair, ...pairs.slice(at + 2)]
  }),
  'a claim of no list': paired((pairs) => [...pairs, [-70009, true]]),
  'a claim of another type': paired((pairs, draw) => {
    const at = draw.pick(pairs.length)
    const values: readonly Value[] = [17, 'text', Uint8Array.of(1), [], true, [1, 2, 3, 4, 5], [[], 0]]
    return pairs.map(([label, value], i) => [
      label,
      i === at ? (values[draw.pick(values.length)] as Value) : value,
    ])
  }, open),
}

const ENCODED: Readonly<Record<string, Maker>> = {
  'a label with a longer head': (_, parts) => {
    const payload = payloadOf(parts)
    return bad(
      sealedOf(
        parts,
        plainOf(parts, proofOf(parts, concat(payload.slice(0, 1), Uint8Array.of(0x18, 3), payload.slice(2)))),
      ),
    )
  },
  'a map without end': (_, parts) => {
    const payload = concat(u8(0xbf), payloadOf(parts).slice(1), u8(0xff))
    return bad(sealedOf(parts, plainOf(parts, proofOf(parts, payload))))
  },
  'a payload altered and signed': (_, parts, draw) =>
    open(sealedOf(parts, plainOf(parts, proofOf(parts, altered(payloadOf(parts), draw))))),
  'a payload altered, not signed': (_, parts, draw) => {
    const proof = proofOf(parts, payloadOf(parts))
    const bytes = encode(proof)
    const altered = turned(bytes.slice(3), draw)
    return bad(
      sealedOf(
        parts,
        concat(
          Uint8Array.of(0x85, 1, 0x18, 61),
          bytes.slice(0, 3),
          altered,
          encode(parts.vector),
          encode(null),
        ),
      ),
    )
  },
  'a header altered and signed': (_, parts, draw) =>
    bad(
      sealedOf(parts, plainOf(parts, proofOf(parts, payloadOf(parts), turned(headerOf(parts.device), draw)))),
    ),
  'a header of the other algorithm': (_, parts) => {
    const { algorithm, id } = parts.device
    const header = headerPairs(algorithm === 'ES256' ? 'EdDSA' : 'ES256', id)
    return bad(sealedOf(parts, plainOf(parts, proofOf(parts, payloadOf(parts), header))))
  },
  'a proof altered': (_, parts, draw) => {
    const proof = proofOf(parts, payloadOf(parts))
    const other = proof instanceof Uint8Array ? altered(proof, draw) : encode(proof)
    return bad(sealedOf(parts, plainOf(parts, other)))
  },
  'a plaintext altered': (_, parts, draw) =>
    bad(sealedOf(parts, altered(plainOf(parts, proofOf(parts, payloadOf(parts))), draw))),
  'a vector altered': (_, parts, draw) =>
    bad(
      sealedOf(
        parts,
        plainOf({ ...parts, vector: turned(parts.vector, draw) }, proofOf(parts, payloadOf(parts))),
      ),
    ),
  'a chain that nobody stated': (_, parts, draw) =>
    bad(sealedOf(parts, plainOf({ ...parts, chain: random(9, draw) }, proofOf(parts, payloadOf(parts))))),
  'a chain altered': (_, parts, draw) => {
    const chain = random(40, draw)
    const claims = { ...parts.claims, attestation: sha256(chain) }
    const proof = proofOf(parts, payloadOf({ ...parts, claims }))
    return bad(sealedOf(parts, plainOf({ ...parts, chain: turned(chain, draw) }, proof)))
  },
  'a seal altered': async (_, parts, draw) => bad(altered(await finished(parts), draw)),
  'a seal with a bit turned': async (_, parts, draw) => bad(turned(await finished(parts), draw)),
  'another suite': (_, parts, draw) => {
    const others = [
      [0, 0x20, 0, 1, 0, 1],
      [0, 0x10, 0, 1, 0, 2],
      [0, 0x10, 0, 1, 0xff, 0xff],
      [0, 0x10, 0, 3, 0, 1],
      [],
    ]
    return bad(finished({ ...parts, suite: Uint8Array.from(others[draw.pick(others.length)] as number[]) }))
  },
  'sealed for another key id': (_, parts, draw) =>
    bad(finished({ ...parts, recipient: { ...parts.recipient, id: random(32, draw) } })),
}

const SENT: Readonly<Record<string, Maker>> = {
  nothing: (_, parts) => good(finished(parts)),
  'with a chain': (_, parts, draw) => {
    const chain = random(40, draw)
    return good(finished({ ...parts, chain, claims: { ...parts.claims, attestation: sha256(chain) } }))
  },
  'the other signature': async (_, parts) => {
    if (parts.device.algorithm === 'EdDSA') return good(finished(parts))
    const proof = proofOf(parts, payloadOf(parts))
    const other = (bytes: Uint8Array): Uint8Array =>
      concat(bytes.slice(0, -64), otherSignature(bytes.slice(-64)))
    const changed =
      proof instanceof Uint8Array
        ? other(proof)
        : (proof as readonly Uint8Array[]).map((part, i) => (i === 4 ? other(part) : part))
    return good(sealedOf(parts, plainOf(parts, changed)))
  },
  replayed: async (_, parts, __, past) => (past ? bad(past.sealed) : good(finished(parts))),
  'replayed under a new seal': (_, parts, __, past) =>
    past ? bad(sealedOf(past.parts, plainOf(past.parts, past.proof))) : good(finished(parts)),
  'replayed with the other signature': (_, parts, __, past) => {
    if (!past || past.parts.device.algorithm === 'EdDSA' || !(past.proof instanceof Uint8Array))
      return good(finished(parts))
    const other = concat(past.proof.slice(0, -64), otherSignature(past.proof.slice(-64)))
    return bad(sealedOf(past.parts, plainOf(past.parts, other)))
  },
  'another probe for a nonce that was spent': (_, parts, __, past) => {
    const { nonce } = (past?.parts ?? parts).claims
    const claims = { ...parts.claims, nonce }
    if (past === undefined) return good(finished(parts))
    return bad(finished({ ...parts, device: past.parts.device, claims }))
  },
  'a former probe, stated anew': (_, parts, __, past) => {
    if (!past) return good(finished(parts))
    const { vector } = past.parts
    return bad(
      finished({
        ...parts,
        vector,
        claims: { ...parts.claims, probe: probeHash(parts.claims.model, vector) },
      }),
    )
  },
  'a former probe, scaled': (_, parts, __, past) => {
    if (!past) return good(finished(parts))
    const vector = past.parts.vector.slice()
    const view = new DataView(vector.buffer)
    for (let i = 0; i < vector.length; i += 4) view.setFloat32(i, view.getFloat32(i, true) / 4, true)
    return bad(
      finished({
        ...parts,
        vector,
        claims: { ...parts.claims, probe: probeHash(parts.claims.model, vector) },
      }),
    )
  },
  'opened elsewhere and sent on': (world, parts) => {
    // Another vault asked with our nonce, and its own key; it seals what it got anew, to us.
    const elsewhere = world.devices[0]?.publicKey as Uint8Array
    return bad(finished({ ...parts, claims: { ...parts.claims, recipient: sha256(elsewhere) } }))
  },
  'asked of another subject': async (world, parts) =>
    bad(finished(await honest(world, parts.device, { subject: 'bob' }))),
  'asked for a search': async (world, parts) =>
    bad(finished(await honest(world, parts.device, { search: true }))),
  'asked for another purpose': async (world, parts) =>
    bad(finished(await honest(world, parts.device, { subject: 'ann', purpose: 'payment' }))),
  'asked of another device': async (world, parts) => {
    const other = world.devices.find((device) => device !== parts.device) as Parts['device']
    return bad(finished({ ...parts, device: other }))
  },
  'a device that was revoked': async (world) =>
    bad(finished(await honest(world, world.devices[3] as Parts['device']))),
  'a device of a revoked family': async (world) =>
    bad(finished(await honest(world, world.devices[4] as Parts['device']))),
  'a stranger': async (world) => bad(finished(await honest(world, world.devices[5] as Parts['device']))),
  'too late': async (world, parts) => {
    const sealed = await finished(parts)
    world.clock.advance(60_000)
    return bad(sealed)
  },
}

const MAKERS: readonly (readonly [string, Maker])[] = Object.entries({
  ...STATED,
  ...PAIRED,
  ...ENCODED,
  ...SENT,
})

export const ALTERATIONS: number = MAKERS.length

/** The case of a number: every alteration in its turn, on every kind of device. */
export async function makeCase(
  world: World,
  number: number,
  draw: Draw,
  past: Past | undefined,
): Promise<Case & { readonly parts: Parts }> {
  const [name, maker] = MAKERS[number % MAKERS.length] as readonly [string, Maker]
  const device = world.devices[Math.floor(number / MAKERS.length) % 3] as Parts['device']
  const parts = await honest(world, device)
  const made = await maker(world, parts, draw, past)
  return { name, parts, nonce: parts.claims.nonce, ...made }
}
