/** The tripwire, the second factor, and what the log is told of captures (SPEC §14.2, §20.7, §20.8). @module */
import {
  allowHighFalseMatchRate,
  allowUnattestedCapture,
  embedding,
  secondFactorConfirmed,
  type UnattestedSample,
  type VerifyDecision,
} from 'guise'
import type { DeviceTrust } from 'guise/capture'
import { openCaptureDesk } from 'guise/node'
import { describe, expect, test } from 'vitest'
import { outcome, tokenDevice } from '../support/capture.ts'
import { gallery, idPoint } from '../support/gallery.ts'
import { basis, codeOf, face, type MODEL, numbers, point, sample, testVault } from '../support/vault.ts'
import {
  ANY,
  type CaptureVault,
  captureOf,
  captureVault,
  LIVE,
  type Shot,
  shoot,
} from '../support/vault-capture.ts'
import { entriesOf } from '../support/vault-log.ts'

const WIDE: typeof MODEL = { id: 'test@1', dimensions: 512, metric: 'cosine' }
const ANN = { subject: 'ann', person: 1, model: WIDE } as const
const FACTOR = { [secondFactorConfirmed]: true } as const
/** Far from what a mate reaches at a cosine of 0.7, and from what the enrolled vector does. */
const TRIP = { ...LIVE, tripwire: 7000 }
const OPTIONS = {
  model: WIDE,
  bits: 512,
  operatingPoints: [point(WIDE, 512, 3000)],
  policies: [TRIP],
} as const

const ENROLLED = face(1, 0, 512)

/** The enrolled vector with one number changed: no repetition, and nearly the same. */
function nearly(step = 1): Float32Array {
  const vector = Float32Array.from(ENROLLED)
  vector[0] = (vector[0] as number) + step / 1000
  return vector
}

/** Another capture of the same face, at a cosine near 0.7. */
function mate(seed: number): Float32Array {
  const noise = numbers(7000 + seed)
  return ENROLLED.map((value) => value + 1.15 * (noise() + noise() - 1))
}

async function enrolled(options: Parameters<typeof captureVault>[0] = OPTIONS): Promise<CaptureVault> {
  const world = await captureVault(options)
  const capture = await captureOf(world, { ...ANN, vector: ENROLLED })
  await world.vault.enroll({ subject: 'ann', basis: basis(), capture })
  return world
}

async function ask(world: CaptureVault, vector: Float32Array, more: object = {}): Promise<VerifyDecision> {
  const capture = await captureOf(world, { ...ANN, vector })
  return await world.vault.verify({ subject: 'ann', capture, ...more })
}

describe('CAPTURE-25 what is too alike', () => {
  test('CAPTURE-25 a probe nearly as it was enrolled does not match, and counts as a failure', async () => {
    const world = await enrolled({ ...OPTIONS, attempts: { liveConsecutive: 5, liveTotal: 100 } })
    expect((await ask(world, mate(1))).outcome).toBe('match')
    for (let i = 1; i <= 5; i++) expect(await ask(world, nearly(i))).toEqual({ outcome: 'second-factor' })
    expect(await ask(world, mate(2))).toMatchObject({ outcome: 'refused', reason: 'throttled' })
  })

  test('CAPTURE-25 at the tripwire of 10,000 the same probe matches: the control', async () => {
    const world = await enrolled({ ...OPTIONS, policies: [LIVE] })
    expect((await ask(world, nearly())).outcome).toBe('match')
  })

  test('CAPTURE-25 a probe that does not match is no second factor away from it', async () => {
    const world = await enrolled()
    expect(await ask(world, face(2, 0, 512))).toEqual({ outcome: 'nonmatch' })
  })

  test('CAPTURE-25 a retry gets the weaker of both answers, uncounted', async () => {
    const world = await enrolled()
    const bare = (): UnattestedSample => ({
      embedding: embedding(nearly(), WIDE),
      [allowUnattestedCapture]: true,
    })
    const again = { operationId: 'login-1' }
    const capture = await captureOf(world, { ...ANN, vector: nearly() })
    const first = await world.vault.verify({ subject: 'ann', capture }, again)
    expect(first).toEqual({ outcome: 'second-factor' })
    expect(await world.vault.verify({ subject: 'ann', ...bare() }, again)).toEqual(first)
    const strict = await world.open({ operatingPoints: [point(WIDE, 512, 9900)] })
    expect(await strict.verify({ subject: 'ann', ...bare() }, again)).toEqual({ outcome: 'nonmatch' })
    const vector = nearly(2)
    const matched = { operationId: 'login-2' }
    const plain = { embedding: embedding(vector, WIDE), [allowUnattestedCapture]: true } as const
    expect((await world.vault.verify({ subject: 'ann', ...plain }, matched)).outcome).toBe('match')
    const late = await captureOf(world, { ...ANN, vector })
    expect(await world.vault.verify({ subject: 'ann', capture: late }, matched)).toEqual(first)
    await strict.close()
  })

  test('CAPTURE-25 a search that meets it names nobody', async () => {
    const bits = 256
    const points = [idPoint({ bits, galleryBits: bits, scanThreshold: 2000, threshold: 3000 }, WIDE)]
    const world = await captureVault({
      model: WIDE,
      bits,
      operatingPoints: [point(WIDE, bits, 3000)],
      gallery: gallery({ points }),
      policies: [TRIP],
      open: (options) => testVault({ ...options, [allowHighFalseMatchRate]: true }),
    })
    const first = await captureOf(world, { ...ANN, vector: ENROLLED })
    await world.vault.enroll({ subject: 'ann', basis: basis(), capture: first })
    const find = async (vector: Float32Array, more: object = {}): Promise<string> => {
      const capture = await captureOf(world, { person: 1, model: WIDE, vector })
      return (await world.vault.identify({ limit: 4, capture, ...more })).outcome
    }
    expect(await find(mate(1))).toBe('candidates')
    expect(await find(nearly(1))).toBe('second-factor')
    expect(await find(nearly(2), FACTOR)).toBe('candidates')
  })
})

test('CAPTURE-26 with an asserted second factor the operating point alone decides', async () => {
  const world = await enrolled()
  expect((await ask(world, nearly(1))).outcome).toBe('second-factor')
  expect((await ask(world, nearly(2), FACTOR)).outcome).toBe('match')
  expect((await ask(world, face(2, 0, 512), FACTOR)).outcome).toBe('nonmatch')
  const capture = await captureOf(world, { ...ANN, vector: nearly(3) })
  const said = { [secondFactorConfirmed]: 'yes' as never }
  expect(await codeOf(world.vault.verify({ subject: 'ann', capture, ...said }))).toBe('ERR_VAULT_INPUT')
})

test('VAULT-64 entries tell what was shown, and of no device', async () => {
  const world = await enrolled({ ...OPTIONS, policies: [TRIP] })
  const { vault, store, device } = world
  await ask(world, mate(1))
  await ask(world, nearly(1))
  await ask(world, nearly(2), FACTOR)
  await vault.verify({ subject: 'ann', ...sample(2, 0, WIDE) })
  const claimless = await openCaptureDesk(vault, { model: WIDE, policies: [ANY], refusalMs: 0 })
  const bare = await captureOf({ ...world, desk: claimless.desk }, { ...ANN, vector: mate(3) })
  await vault.reissue({ subject: 'ann', basis: basis(), capture: bare, more: [] })
  const [one, two] = [await captureOf(world, { ...ANN, vector: mate(4) }), sample(1, 5, WIDE)]
  await vault.reissue({ subject: 'ann', basis: basis(), capture: one, more: [two] })
  await vault.verify({
    subject: 'nobody',
    capture: await captureOf(world, { ...ANN, subject: 'nobody', index: 9 }),
  })
  await vault.close()
  const told = (await entriesOf(store)).filter(({ action }) => !action.startsWith('key-'))
  expect(
    told.map(({ action, outcome: end, policy }) => [action, end, policy?.replace(/^[0-9a-f]{16}/, 'id')]),
  ).toEqual([
    ['enroll', 'done', '+cl'],
    ['verify', 'match', 'id+cl'],
    ['verify', 'nonmatch', 'id+clt'],
    ['verify', 'match', 'id+clf'],
    ['verify', 'nonmatch', 'id'],
    ['reissue', 'done', '+c'],
    ['reissue', 'done', undefined],
    ['verify', 'refused', 'id+cl'],
  ])
  const text = JSON.stringify(told, (_, value: unknown) =>
    value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value,
  )
  for (const secret of [device.id, device.id.slice(0, 16), 'phone-9', 'camera-app', 'active-flash'])
    expect(text).not.toContain(secret)
})

test('CAPTURE-25 what the tripwire is not for: a recording with noise of its sender is one capture among others', async () => {
  const world = await enrolled({ ...OPTIONS, policies: [{ ...LIVE, tripwire: 7500 }] })
  const noise = numbers(99)
  // At a cosine near 0.86: twelve uniform numbers make a normal one of variance 1, as those of a face have here.
  const normal = (): number => Array.from({ length: 12 }, noise).reduce((sum, value) => sum + value, -6)
  const scale = Math.hypot(...ENROLLED) / Math.sqrt(512)
  for (let i = 0; i < 5; i++) {
    const vector = ENROLLED.map((value) => value + 0.6 * scale * normal())
    const capture = await captureOf(world, { ...ANN, vector })
    expect(await world.vault.verify({ subject: 'ann', capture })).toMatchObject({ outcome: 'match' })
  }
  const capture = await captureOf(world, { ...ANN, vector: nearly() })
  expect(await world.vault.verify({ subject: 'ann', capture })).toEqual({ outcome: 'second-factor' })
})

describe('CAPTURE-27 refused captures', () => {
  const seen = async (world: CaptureVault): Promise<readonly (string | null)[]> => {
    await world.vault.close()
    const entries = await entriesOf(world.store)
    return entries.filter(({ action }) => action === 'capture').map(({ policy }) => policy)
  }

  test('CAPTURE-27 the vault’s log tells why, but not of whom; noise is not told', async () => {
    const world = await captureVault()
    const { desk, devices, clock } = world
    const scope = { subject: 'ann', purpose: 'login' }
    const stranger = tokenDevice('ES256')
    const shot: Shot = { person: 1, subject: 'ann' }
    const strange = await shoot(world, { ...shot, signer: stranger.signer })
    const late = await shoot(world, { ...shot, index: 1 })
    const twice = await shoot(world, { ...shot, index: 2 })
    expect(await outcome(desk, Uint8Array.of(1), scope)).toBe('format')
    expect(await outcome(desk, strange, scope)).toBe('device')
    expect(await outcome(desk, twice, scope)).toBe('accepted')
    expect(await outcome(desk, twice, scope)).toBe('challenge')
    expect(await outcome(desk, await shoot(world, shot), { search: true, purpose: 'login' })).toBe('binding')
    clock.advance(60_000)
    expect(await outcome(desk, late, scope)).toBe('challenge')
    await devices.revoke(world.device.id)
    const told = ['device', 'challenge', 'binding', 'challenge'].map((reason) => `capture/${reason}`)
    expect(await seen(world)).toEqual(told)
  })

  test('CAPTURE-38 no more than 12 of one reason a minute, and a refusal stands without its entry', async () => {
    const world = await captureVault()
    const scope = { subject: 'ann', purpose: 'login' }
    const none: DeviceTrust = { find: async () => undefined }
    const { desk } = await openCaptureDesk(world.vault, {
      model: { ...WIDE, dimensions: 128 },
      policies: [LIVE],
      devices: none,
      refusalMs: 0,
    })
    const sealed = await shoot({ ...world, desk }, { person: 1, subject: 'ann' })
    for (let i = 0; i < 15; i++) expect(await outcome(desk, sealed, scope)).toBe('device')
    world.clock.advance(60_000)
    expect(await outcome(desk, sealed, scope)).toBe('device')
    expect(await seen(world)).toHaveLength(13)
    expect(await outcome(desk, sealed, scope)).toBe('device')
  })

  test('CAPTURE-38 who floods the log without a device’s key hides nothing that needs one', async () => {
    const world = await captureVault()
    const { desk } = await openCaptureDesk(world.vault, {
      model: { ...WIDE, dimensions: 128 },
      policies: [LIVE],
      refusalMs: 0,
    })
    const [scope, ann] = [
      { subject: 'ann', purpose: 'login' },
      { person: 1, subject: 'ann' },
    ]
    const at = { ...world, desk }
    const strange = await shoot(at, { ...ann, signer: tokenDevice('ES256').signer })
    const forged = { key: world.device.signer.key, sign: async () => new Uint8Array(64).fill(1) }
    const unsigned = await shoot(at, { ...ann, signer: forged })
    const caught = await shoot(at, { ...ann, index: 1 })
    expect(await outcome(desk, caught, scope)).toBe('accepted')
    const floods = [
      [strange, 'device'],
      [unsigned, 'signature'],
      [caught, 'challenge'],
    ] as const
    for (let i = 0; i < 25; i++)
      for (const [sealed, reason] of floods) expect(await outcome(desk, sealed, scope)).toBe(reason)
    const bob = { ...scope, subject: 'bob' }
    expect(await outcome(desk, await shoot(at, { ...ann, index: 2 }), bob)).toBe('binding')
    const told = await seen(world)
    expect(told).toHaveLength(37)
    expect(told.at(-1)).toBe('capture/binding')
  })
})
