/** B21: recordings, injected clips and stolen statements against a vault that takes attested captures (SPEC §20). @module */
import type { VerifyDecision } from 'guise'
import { type AttestedCapture, type DeviceSigner, sealCapture } from 'guise/capture'
import { expect, test } from 'vitest'
import { CONDITIONS, LIVENESS, outcome, tokenDevice } from '../support/capture.ts'
import { basis, codeOf, face, type MODEL, point } from '../support/vault.ts'
import { type CaptureVault, captureOf, captureVault, LIVE, shoot } from '../support/vault-capture.ts'

const WIDE: typeof MODEL = { id: 'test@1', dimensions: 512, metric: 'cosine' }
const ANN = { subject: 'ann', person: 1, model: WIDE } as const
const SCOPE = { subject: 'ann', purpose: 'login' } as const

/** Ann is enrolled by a capture; Ben is, too. */
async function world(): Promise<CaptureVault> {
  const made = await captureVault({
    model: WIDE,
    bits: 512,
    operatingPoints: [point(WIDE, 512, 3000)],
    policies: [
      { ...LIVE, tripwire: 7000 },
      { ...LIVE, purpose: 'visit' },
    ],
  })
  for (const [person, subject] of [
    [1, 'ann'],
    [2, 'ben'],
  ] as const) {
    const capture = await captureOf(made, { ...ANN, person, subject })
    await made.vault.enroll({ subject, basis: basis(), capture })
  }
  return made
}

function nearly(): Float32Array {
  const vector = face(1, 0, 512)
  vector[0] = (vector[0] as number) + 0.001
  return vector
}

async function verify({ vault }: CaptureVault, capture: AttestedCapture): Promise<VerifyDecision['outcome']> {
  return (await vault.verify({ subject: 'ann', capture })).outcome
}

test('B21 a clip that is injected without the device’s key is refused', async () => {
  const made = await world()
  const { desk, device } = made
  const own = tokenDevice('ES256')
  // The thief knows the face, the challenge, the transport key and the device's public key.
  const claimed = { ...own.signer, key: device.signer.key } as DeviceSigner
  const signers: readonly (readonly [DeviceSigner, string])[] = [
    [own.signer, 'device'],
    [claimed, 'signature'],
  ]
  for (const [signer, reason] of signers) {
    const sealed = await shoot(made, { ...ANN, vector: nearly(), signer })
    expect(await outcome(desk, sealed, SCOPE)).toBe(reason)
  }
})

test('B21 a capture is accepted once, and its probe in no other statement', async () => {
  const made = await world()
  const vector = face(1, 3, 512)
  const recorded = await shoot(made, { ...ANN, vector })
  // Faces of tests are more alike than people's: an honest one may meet the tripwire.
  const first = await verify(made, await made.desk.openCapture(recorded, SCOPE))
  expect(['match', 'second-factor']).toContain(first)
  expect(await outcome(made.desk, recorded, SCOPE)).toBe('challenge')
  // With the device's key and a question of its own; the numbers scaled by two.
  const again = await shoot(made, { ...ANN, vector: vector.map((value) => 2 * value) })
  expect(await outcome(made.desk, again, SCOPE)).toBe('repeated')
})

test('B21 what was enrolled, with one number changed, asks for a second factor', async () => {
  const made = await world()
  const changed = await captureOf(made, { ...ANN, vector: nearly() })
  expect(await verify(made, changed)).toBe('second-factor')
})

test('B21 a statement of one subject or purpose serves no other', async () => {
  const made = await world()
  const { desk } = made
  const sealed = await shoot(made, { ...ANN, index: 4 })
  for (const scope of [
    { ...SCOPE, subject: 'ben' },
    { ...SCOPE, purpose: 'visit' },
    { search: true, purpose: 'login' },
  ] as const)
    expect(await outcome(desk, sealed, scope)).toBe('binding')
  // Whoever holds the accepted capture in the backend cannot pass it on either.
  const bens = await captureOf(made, { ...ANN, subject: 'ben', index: 5 })
  expect(await codeOf(verify(made, bens))).toBe('ERR_VAULT_CAPTURE')
  const visit = await captureOf(made, { ...ANN, purpose: 'visit', index: 6 })
  expect(await codeOf(verify(made, visit))).toBe('ERR_VAULT_CAPTURE')
})

test('B21 liveness that nobody signed, or somebody else did, is none', async () => {
  const made = await world()
  const others = await shoot(made, { ...ANN, index: 8, liveness: { ...LIVENESS, issuer: 'my-app' } })
  expect(await outcome(made.desk, others, SCOPE)).toBe('policy')
  const challenge = await made.desk.challenge({ ...SCOPE, device: made.device.id })
  const none = await sealCapture({
    conditions: CONDITIONS,
    intent: true,
    challenge: challenge.bytes,
    vector: face(1, 9, 512),
    model: WIDE,
    signer: made.device.signer,
  })
  expect(await outcome(made.desk, none, SCOPE)).toBe('policy')
})
