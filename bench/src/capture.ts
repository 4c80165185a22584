/** What does a verify cost whose probe comes in an attested capture, from the question to the decision? @module */

import { p256 } from '@noble/curves/nist.js'
import type { Realm } from '../../dist/base/brand.js'
import { joinBytes, labelBytes } from '../../dist/base/bytes.js'
import { writeQuestion } from '../../dist/capture/challenge.js'
import { thumbprint, verifySignature } from '../../dist/capture/device-key.js'
import { tagOf } from '../../dist/capture/rows.js'
import { type Plain, readPlain, readSealed, unseal } from '../../dist/capture/sealed.js'
import { probeHash, readHeader, readPayload, signedBytes } from '../../dist/capture/statement.js'
import { type DeviceSigner, platformSigner, sealCapture } from '../../dist/capture.js'
import { hpkeKeyPair, hpkePrivateKey } from '../../dist/crypto/hpke.js'
import { verifyEd25519 } from '../../dist/crypto/sign.js'
import { embedding, toIntegers } from '../../dist/embedding/embedding.js'
import { memoryStore, openVault, type Vault } from '../../dist/index.js'
import { openCaptureDesk, type VaultDesk } from '../../dist/node.js'
import {
  enrollRequest,
  makePeople,
  modelOf,
  type Person,
  PURPOSE,
  vaultOptions,
  verifyRequest,
} from './people.ts'
import { oursTwice, type Plan, type Scenario, type Series } from './scenario.ts'
import { timeCalls } from './timing.ts'

const NOBLE = 'noble P-256'
const ALGORITHMS = ['ES256', 'Ed25519'] as const
const WHOLE = { ES256: 'open and verify, ES256', Ed25519: 'open and verify, Ed25519' } as const
const MODEL = modelOf(512)
const REALM = 'bench' as Realm

type Algorithm = (typeof ALGORITHMS)[number]

export const captureScenario: Scenario = {
  name: 'capture',
  question:
    'verify with an attested capture of 512 numbers over a store in memory: from the sealed bytes to the decision',
  notes: [
    'open and verify: desk.openCapture and vault.verify, each capture of its own; the question is asked before and timed apart; nothing waits for a disk; as many calls before, to warm up',
    'parts: the functions that the desk calls, one by one, over the same capture; repeat: integers and their tag; P-256 by the platform (Web Crypto), Ed25519 by libsodium, as of §14.3',
    'rest of verify: vault.verify with the vector itself',
    'noble: verification of one P-256 signature of 64 bytes over the same message',
  ],
  repeats: true,
  claims: [
    { series: WHOLE.ES256, over: { variant: NOBLE, series: 'P-256 verification' }, most: 3 },
    { series: WHOLE.Ed25519, most: 1500 },
  ],
  variants: [...oursTwice(ours), { name: NOBLE, role: 'peer', run: noble }],
}

interface World {
  readonly vault: Vault
  readonly person: Person
  readonly desk: VaultDesk['desk']
  readonly devices: VaultDesk['devices']
}

async function ours(plan: Plan): Promise<readonly Series[]> {
  const [person] = (await makePeople(plan.seed, 1)) as readonly [Person]
  const vault = await openVault(
    await vaultOptions(memoryStore(), { bits: 512, dimensions: 512, custody: 'operator' }),
  )
  await vault.enroll(enrollRequest(person))
  const policy = { purpose: PURPOSE, liveness: 'not-needed', tripwire: 10_000 } as const
  const world = { vault, person, ...(await openCaptureDesk(vault, { model: MODEL, policies: [policy] })) }
  const series: Series[] = []
  for (const algorithm of ALGORITHMS) series.push(await wholeOf(plan, world, algorithm))
  for (const algorithm of ALGORITHMS) series.push(...(await partsOf(plan, world, algorithm)))
  const rest = (): Promise<unknown> => vault.verify(verifyRequest(person.subject, person))
  series.push(await timeCalls('rest of verify', plan.calls, none, rest, plan.calls))
  world.desk[Symbol.dispose]()
  await vault.close()
  return series
}

/** Captures that are all of their own: another number in the first place, so that none is a repetition. */
async function wholeOf(
  plan: Plan,
  { vault, person, desk, devices }: World,
  algorithm: Algorithm,
): Promise<Series> {
  const signer = await signerOf(algorithm)
  const device = await devices.enroll({ ...signer.key, carrier: 'token', family: 'bench' })
  const scope = { subject: person.subject, purpose: PURPOSE }
  const sealed: Uint8Array[] = []
  // In portions: a question is good for a minute.
  const next = async (turn: number): Promise<void> => {
    for (let i = 0; i < PORTION; i++) {
      const { bytes } = await desk.challenge({ ...scope, device })
      const step = ((turn + i) * ALGORITHMS.length + ALGORITHMS.indexOf(algorithm)) * 1e-4
      sealed.push(await sealCapture({ ...SEEN, challenge: bytes, vector: nudged(person, step), signer }))
    }
  }
  const values: number[] = []
  const warm = plan.calls
  for (let turn = 0; turn < warm + plan.calls; turn++) {
    if (sealed.length === 0) await next(turn)
    const bytes = sealed.shift() as Uint8Array
    const begin = performance.now()
    const capture = await desk.openCapture(bytes, scope)
    const { outcome } = await vault.verify({ subject: person.subject, capture })
    const took = (performance.now() - begin) * 1000
    if (outcome !== 'match') throw new Error(`a mate is no ${outcome}`)
    if (turn >= warm) values.push(took)
  }
  return { name: WHOLE[algorithm], unit: 'µs', values }
}

const PORTION = 64
const SEEN = {
  model: MODEL,
  conditions: { masked: false, glasses: false, quality: 90 },
  intent: true,
} as const

function nudged({ vector }: Person, step: number): Float32Array {
  const copy = Float32Array.from(vector)
  copy[0] = (copy[0] as number) + step
  return copy
}

async function partsOf(
  plan: Plan,
  { person, desk, devices }: World,
  algorithm: Algorithm,
): Promise<readonly Series[]> {
  const signer = await signerOf(algorithm)
  const id = await devices.enroll({ ...signer.key, carrier: 'token', family: 'bench' })
  const pair = await hpkeKeyPair()
  const recipient = {
    id: thumbprint({ algorithm: 'ES256', publicKey: pair.publicKey }),
    publicKey: pair.publicKey,
  }
  const key = await hpkePrivateKey(pair.privateKey, pair.publicKey)
  const nonce = crypto.getRandomValues(new Uint8Array(32))
  const challenge = writeQuestion({ realm: REALM, purpose: PURPOSE, nonce, recipient })
  const sealed = await sealCapture({ ...SEEN, challenge, vector: person.vector, signer })
  const opened = await unseal(readSealed(sealed), key, REALM)
  const plain = readPlain(Uint8Array.from(opened))
  const part = (name: string, call: () => unknown): Promise<Series> =>
    timeCalls(name, plan.calls, none, call, plan.calls)
  const signed = signedBytes(plain)
  const trusted = { ...signer.key }
  if (!(await verifySignature(trusted, signed, plain.signature))) throw new Error('a signature must verify')
  const common = [
    await part('challenge: row, mac, commit', () =>
      desk.challenge({ subject: person.subject, purpose: PURPOSE, device: id }),
    ),
    await part('HPKE open', () => unseal(readSealed(sealed), key, REALM)),
    await part('CBOR and the probe’s hash', () => readAll(readPlain(opened), person)),
    await part('device: two rows and macs', () => devices.find(thumbprint(signer.key))),
    await part('repeat: integers and tag', () => repeatTag(person)),
  ]
  const signature = await part(`signature, ${algorithm}`, () =>
    verifySignature(trusted, signed, plain.signature, verifyEd25519),
  )
  return algorithm === 'ES256' ? [...common, signature] : [signature]
}

function readAll(plain: Plain, { vector }: Person): unknown {
  readHeader(plain.header, refuse)
  readPayload(plain.payload, refuse)
  probeHash(MODEL.id, new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength))
  return signedBytes(plain)
}

function refuse(): Error {
  return new Error('a capture of this bench must read')
}

function repeatTag({ vector }: Person): Uint8Array {
  const face = embedding(vector, MODEL)
  const integers = toIntegers(face)
  const bytes = new Uint8Array(integers.buffer, integers.byteOffset, integers.byteLength)
  face[Symbol.dispose]()
  return tagOf(
    new Uint8Array(32),
    'guise/v1/capture-repeat',
    labelBytes(MODEL.id),
    new Uint8Array(32),
    joinBytes(bytes),
  )
}

async function signerOf(algorithm: Algorithm): Promise<DeviceSigner> {
  const how = algorithm === 'ES256' ? { name: 'ECDSA', namedCurve: 'P-256' } : { name: 'Ed25519' }
  return await platformSigner(
    (await crypto.subtle.generateKey(how, false, ['sign', 'verify'])) as CryptoKeyPair,
  )
}

async function noble(plan: Plan): Promise<readonly Series[]> {
  const message = crypto.getRandomValues(new Uint8Array(308))
  const { secretKey, publicKey } = p256.keygen()
  const signature = p256.sign(message, secretKey)
  const call = (): unknown => p256.verify(signature, message, publicKey)
  if (call() !== true) throw new Error('noble must accept its own signature')
  return [await timeCalls('P-256 verification', plan.calls, none, call, plan.calls)]
}

function none(): undefined {
  return undefined
}
