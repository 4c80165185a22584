/** A template's whole life through the public doors, wherever the package runs. */
import {
  allowHighFalseMatchRate,
  allowUnattestedCapture,
  type Basis,
  type Custody,
  createKeyring,
  embedding,
  expectMatch,
  logSigner,
  memoryStore,
  openVault,
  type SampleInput,
  type ShareSource,
  type Vault,
} from 'guise'
import { calibrate } from 'guise/evaluate'
import { holderShare } from 'guise/holder'
import { memoryKeyProvider, syntheticPeople } from 'guise/testing'
import { beforeAll, describe, expect, test } from 'vitest'

const model = { id: 'synthetic@1', dimensions: 128, metric: 'cosine' } as const
const purpose = 'login'
const SAMPLES = 3

type Calibrated = Awaited<ReturnType<typeof calibrate>>
let calibrated: Calibrated
const captures: Float32Array[] = []

beforeAll(async () => {
  const others = syntheticPeople({ seed: 'runtime others', subjects: 40, samples: SAMPLES, dimensions: 128 })
  calibrated = await calibrate(others, { model, falseMatchRate: 1e-3 })
  const people = syntheticPeople({ seed: 'runtime people', subjects: 2, samples: SAMPLES, dimensions: 128 })
  for await (const { vector } of people.read()) captures.push(vector)
}, 60_000)

/** One capture of a person, both counted from 0. */
function sample(person: number, capture: number): SampleInput {
  const vector = captures[person * SAMPLES + capture] ?? new Float32Array(0)
  return { embedding: embedding(vector, model), [allowUnattestedCapture]: true }
}

function basis(): Basis {
  const now = Date.now()
  return {
    kind: 'consent',
    purpose,
    grantedAt: new Date(now - 1000),
    expiresAt: new Date(now + 3_600_000),
    noticeVersion: '1',
    evidence: new Uint8Array(32),
    separateConsent: true,
  }
}

async function vaultFor(custody: Custody): Promise<Vault> {
  const store = memoryStore()
  const keyring = await createKeyring({ realm: 'clinic', provider: memoryKeyProvider(), store })
  const operatingPoints = [calibrated.operatingPoint]
  return openVault({
    keyring,
    store,
    model,
    purpose,
    operatingPoints,
    custody,
    logSigner: await logSigner('clinic.example/guise', new Uint8Array(32).fill(5)),
    [allowHighFalseMatchRate]: true,
  })
}

/** What a probe of the enrolled person does. */
async function outcomeFor(vault: Vault, person: number, capture: number): Promise<string> {
  return (await vault.verify({ subject: 'anna', ...sample(person, capture) })).outcome
}

describe('a template', () => {
  test('is enrolled, verified, revoked, reissued and erased', async () => {
    const vault = await vaultFor({ profile: 'operator' })
    await vault.enroll({ subject: 'anna', basis: basis(), more: [sample(0, 1)], ...sample(0, 0) })
    expect(await outcomeFor(vault, 0, 2)).toBe('match')
    expect(await outcomeFor(vault, 1, 2)).toBe('nonmatch')
    await vault.revoke('anna', 'breach')
    expect(await outcomeFor(vault, 0, 2)).toBe('refused')
    await vault.reissue({ subject: 'anna', basis: basis(), more: [sample(0, 1)], ...sample(0, 0) })
    const decision = await vault.verify({ subject: 'anna', ...sample(0, 2) })
    expect(expectMatch(decision)).toMatchObject({ exposed: true })
    const receipt = await vault.erase('anna')
    expect(receipt.signature).toHaveLength(64)
    expect(await outcomeFor(vault, 0, 2)).toBe('refused')
    await vault.close()
  })

  test('opens under custody of the holder with the share of the device alone', async () => {
    const shareOf =
      (secret: Uint8Array): ShareSource =>
      async (context) =>
        holderShare(secret, context)
    const device = shareOf(new Uint8Array(32).fill(1))
    const stranger = shareOf(new Uint8Array(32).fill(2))
    const vault = await vaultFor({ profile: 'holder' })
    await vault.enroll({ subject: 'anna', basis: basis(), holderShare: device, ...sample(0, 0) })
    const probe = { subject: 'anna', ...sample(0, 0) }
    expect(await vault.verify({ ...probe, holderShare: device })).toMatchObject({ outcome: 'match' })
    expect(await vault.verify({ subject: 'anna', ...sample(0, 0), holderShare: stranger })).toEqual({
      outcome: 'refused',
    })
    await vault.close()
  })
})
