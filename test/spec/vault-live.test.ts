/** Limits of attempts with an accepted liveness claim (SPEC §12.3). @module */

import { openCaptureDesk } from 'guise/node'
import { describe, expect, test } from 'vitest'
import { type AttemptCount, attemptGate, checkAttemptPolicy, countAnswer } from '../../src/policy/attempts.ts'
import { basis, sample } from '../support/vault.ts'
import { ANY, type CaptureVault, captureOf, captureVault, LIVE } from '../support/vault-capture.ts'

const MODEL = { id: 'test@1', dimensions: 128, metric: 'cosine' } as const
let faces = 100

async function enrolled(policies = [LIVE]): Promise<CaptureVault> {
  const world = await captureVault({ policies })
  await world.vault.enroll({ subject: 'ann', basis: basis(), ...sample(1) })
  return world
}

/** A wrong face in a capture. */
async function wrong(world: CaptureVault, changes: object = {}): Promise<string> {
  const capture = await captureOf(world, { person: ++faces, subject: 'ann', ...changes })
  return told(await world.vault.verify({ subject: 'ann', capture }))
}

async function bare(world: CaptureVault, person = ++faces): Promise<string> {
  return told(await world.vault.verify({ subject: 'ann', ...sample(person, 1) }))
}

function told(decision: { readonly outcome: string; readonly reason?: string }): string {
  return decision.reason ?? decision.outcome
}

async function times(count: number, task: () => Promise<string>): Promise<readonly string[]> {
  const seen = new Set<string>()
  for (let i = 0; i < count; i++) seen.add(await task())
  return [...seen]
}

describe('VAULT-62 limits of live attempts', () => {
  test('VAULT-62 ten failures in a row with an accepted claim, five without', async () => {
    const world = await enrolled()
    expect(await times(10, () => wrong(world))).toEqual(['nonmatch'])
    expect(await wrong(world)).toBe('throttled')
    world.clock.advance(30_000)
    expect(await wrong(world)).toBe('nonmatch')
    const other = await enrolled()
    expect(await times(5, () => bare(other))).toEqual(['nonmatch'])
    expect(await bare(other)).toBe('throttled')
  })

  test('VAULT-62 a claim that no policy asked for counts as none', async () => {
    const world = await enrolled([ANY])
    expect(await times(5, () => wrong(world))).toEqual(['nonmatch'])
    expect(await wrong(world)).toBe('throttled')
  })

  test('VAULT-62 a caller’s word beside the sample changes nothing', async () => {
    const world = await enrolled()
    const said = {
      liveness: true,
      live: true,
      attested: true,
      livenessAccepted: true,
      provenance: { live: true },
    }
    const ask = async (): Promise<string> =>
      told(await world.vault.verify({ subject: 'ann', ...sample(++faces, 1), ...said }))
    expect(await times(5, ask)).toEqual(['nonmatch'])
    expect(await ask()).toBe('throttled')
  })
})

describe('VAULT-63 the weakest attempt of a run', () => {
  test('VAULT-63 one weak failure limits the run, before or after live ones', async () => {
    const first = await enrolled()
    expect(await bare(first)).toBe('nonmatch')
    expect(await times(4, () => wrong(first))).toEqual(['nonmatch'])
    expect(await wrong(first)).toBe('throttled')
    const last = await enrolled()
    expect(await times(4, () => wrong(last))).toEqual(['nonmatch'])
    expect(await bare(last)).toBe('nonmatch')
    expect(await wrong(last)).toBe('throttled')
  })

  test('VAULT-63 a weak attempt in a live run of seven waits, a live one does not', async () => {
    const world = await enrolled()
    expect(await times(7, () => wrong(world))).toEqual(['nonmatch'])
    expect(await bare(world)).toBe('throttled')
    expect(await wrong(world)).toBe('nonmatch')
  })

  test('VAULT-63 a match and a rebind begin a run anew', async () => {
    const world = await enrolled()
    expect(await bare(world)).toBe('nonmatch')
    expect(await bare(world, 1)).toBe('match')
    expect(await times(9, () => wrong(world))).toEqual(['nonmatch'])
    await world.vault.rebind('ann')
    expect(await bare(world)).toBe('nonmatch')
    await world.vault.rebind('ann')
    expect(await times(10, () => wrong(world))).toEqual(['nonmatch'])
  })

  test('VAULT-63 a claim of a policy that accepts none makes the run weak', async () => {
    const world = await enrolled()
    const { desk } = await openCaptureDesk(world.vault, { model: MODEL, policies: [ANY], refusalMs: 0 })
    expect(await wrong({ ...world, desk })).toBe('nonmatch')
    expect(await times(4, () => wrong(world))).toEqual(['nonmatch'])
    expect(await wrong(world)).toBe('throttled')
  })

  test('VAULT-63 the gate, for every order of thirty attempts', () => {
    const policy = checkAttemptPolicy({ delayMs: 1000, total: 20, liveTotal: 25 })
    const now = { nowMs: 5000, origin: new Uint8Array(16), steadyMs: 5000 }
    const none: AttemptCount = { run: 0, failures: 0, lastMs: 0, origin: new Uint8Array(16), steadyMs: 0 }
    for (let seed = 0; seed < 256; seed++) {
      let count = none
      let weak = false
      for (let i = 0; i < 30; i++) {
        const live = i >= 8 || ((seed >> i) & 1) === 1
        const least = weak || !live
        const gate = attemptGate(count, policy, { ...now, steadyMs: 5000 }, live).gate
        const open = count.run < (least ? 5 : 10)
        const locked = count.run >= (least ? 20 : 25)
        expect(gate).toBe(locked ? 'locked' : open ? 'open' : 'throttled')
        count = countAnswer(count, false, now, live)
        weak ||= !live
        expect(count.live).toBe(!weak)
      }
    }
  })
})

test('VAULT-62 limits of live attempts are no stricter, and in order', () => {
  const bad = [
    { consecutive: 20, liveConsecutive: 10 },
    { total: 80, liveTotal: 60 },
    { liveConsecutive: 50, liveTotal: 50, total: 50, consecutive: 60 },
    { liveConsecutive: 150, liveTotal: 120 },
    { liveTotal: 0 },
    { liveConsecutive: 201 },
  ]
  for (const attempts of bad) expect(() => checkAttemptPolicy(attempts)).toThrow(/attempts|limits/)
  expect(checkAttemptPolicy({ consecutive: 20, total: 300, generation: 900 })).toMatchObject({
    liveConsecutive: 20,
    liveTotal: 300,
  })
})
