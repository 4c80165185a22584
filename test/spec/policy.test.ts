/** Requirements POLICY-1 to POLICY-9 of SPEC.md. @module */
import { type Basis, memoryStore, type OperatingPoint, StoreError, type Vault } from 'guise'
import { describe, expect, test } from 'vitest'
import { allowHighFalseMatchRate, testClock } from '../../src/vault/symbols.ts'
import { dump, hookedStore, rowsOf } from '../support/rows.ts'
import { basis, codeOf, MODEL, manualClock, numbers, point, sample, testVault } from '../support/vault.ts'

const ANNA = { subject: 'anna', basis: basis() }
const wrong = async (vault: Vault, i: number): Promise<string> =>
  (await vault.verify({ subject: 'anna', ...sample(2 + i, 1) })).outcome

describe('POLICY-1 the basis', () => {
  const refused: Readonly<Record<string, Partial<Record<keyof Basis, unknown>>>> = {
    'no kind': { kind: undefined },
    'a kind that is none': { kind: 'toString' },
    'no purpose': { purpose: undefined },
    'no notice': { noticeVersion: '' },
    'a long notice': { noticeVersion: 'é'.repeat(65) },
    'no evidence': { evidence: undefined },
    'short evidence': { evidence: new Uint8Array(31) },
    'no beginning': { grantedAt: undefined },
    'an invalid date': { grantedAt: new Date(Number.NaN) },
    'a number for a date': { expiresAt: Date.now() + 1000 },
    'an end before the beginning': { expiresAt: new Date(0) },
    'an end at the beginning': { grantedAt: new Date(5), expiresAt: new Date(5) },
    'more than ten years': { grantedAt: new Date(0), expiresAt: new Date(3653 * 86_400_000 + 1) },
    'a date before 1970': { grantedAt: new Date(-1) },
    'consent that does not say whether it was separate': { separateConsent: undefined },
    'separate consent that is no boolean': { separateConsent: 'yes' },
    'a child without a guardian': { under14: true },
    'a child with a guardian of the wrong length': { under14: true, guardianEvidence: new Uint8Array(33) },
  }

  test.each(Object.entries(refused))('POLICY-1 %s', async (_, change) => {
    const { vault, store } = await testVault()
    const call = vault.enroll({ subject: 'anna', basis: { ...basis(), ...change } as Basis, ...sample(1) })
    expect(await codeOf(call)).toBe('ERR_POLICY_BASIS')
    expect(await rowsOf(store, 'states')).toEqual([])
  })

  test('POLICY-1 what is complete is kept as it was given', async () => {
    const { vault } = await testVault()
    const guardianEvidence = new Uint8Array(32).fill(1)
    const given = basis({ kind: 'law', separateConsent: false, under14: true, guardianEvidence })
    await vault.enroll({ subject: 'anna', basis: given, ...sample(1) })
    expect((await vault.describe('anna'))?.basis).toEqual(given)
    const ten = { grantedAt: new Date(0), expiresAt: new Date(3653 * 86_400_000) }
    await vault.enroll({ subject: 'ben', basis: basis(ten), ...sample(1) })
  })
})

test('POLICY-2 no match at or after the end, to the millisecond', async () => {
  const clock = manualClock()
  const { vault } = await testVault({ clock })
  const expiresAt = new Date(clock.nowMs() + 10_000)
  await vault.enroll({ subject: 'anna', basis: basis({ expiresAt }), ...sample(1) })
  const ask = async (): Promise<unknown> => vault.verify({ subject: 'anna', ...sample(1, 1) })
  clock.advance(9999)
  expect(await ask()).toMatchObject({ outcome: 'match' })
  clock.advance(1)
  expect(await ask()).toEqual({ outcome: 'refused', reason: 'expired' })
  clock.jump(-1)
  expect(await ask()).toMatchObject({ outcome: 'match' })
  clock.jump(86_400_000)
  expect(await ask()).toEqual({ outcome: 'refused', reason: 'expired' })
})

describe('POLICY-3 operating points', () => {
  const altered = (change: object): OperatingPoint => ({ ...point(), ...change })
  const rate = { value: 1e-4, low: 5e-5, high: 2e-4, trials: 100_000, confidence: 0.95 }
  test.each([
    ['none', []],
    ['no list', undefined],
    ['another model', [altered({ model: 'other@1' })]],
    ['another mean', [altered({ meanHash: '0'.repeat(64) })]],
    ['another suite', [altered({ suite: 'B6' })]],
    ['a suite that is none', [altered({ suite: 'B5' })]],
    ['other bits', [altered({ bits: 64 })]],
    ['no threshold', [altered({ threshold: undefined })]],
    ['a threshold of 0', [altered({ threshold: 0 })]],
    ['a threshold above one', [altered({ threshold: 10_001 })]],
    ['a threshold that is no integer', [altered({ threshold: 4500.5 })]],
    [
      'a bound finer than the trials show',
      [altered({ falseMatchRate: { ...rate, value: 0, low: 0, high: 2e-5 } })],
    ],
    ['an interval beside the rate', [altered({ falseMatchRate: { ...rate, low: 2e-4, high: 3e-4 } })]],
    ['another confidence', [altered({ falseMatchRate: { ...rate, confidence: 0.9 } })]],
    ['a rate that is no number', [altered({ falseMatchRate: { ...rate, value: Number.NaN } })]],
    ['two of one class', [point(), point()]],
    ['a hole', [undefined]],
    ['no source', [altered({ source: '' })]],
  ])('POLICY-3 %s', async (_, operatingPoints) => {
    const { open } = await testVault()
    expect(await codeOf(open({ operatingPoints: operatingPoints as never }))).toBe(
      'ERR_POLICY_OPERATING_POINT',
    )
  })

  test('POLICY-3 the class of a probe chooses its threshold', async () => {
    const lax = { ...point(MODEL, 128, 1), probeClass: 'lax' } as OperatingPoint
    const strict = { ...point(MODEL, 128, 10_000), probeClass: 'strict' } as OperatingPoint
    const { vault } = await testVault({ operatingPoints: [lax, strict] })
    await vault.enroll({ ...ANNA, ...sample(1), probeClass: 'lax' })
    const ask = (probeClass?: string): Promise<string> =>
      codeOf(vault.verify({ subject: 'anna', ...sample(1, 1), ...(probeClass ? { probeClass } : {}) }))
    expect(await ask()).toBe('ERR_VAULT_INPUT')
    const said = await vault.verify({ subject: 'anna', ...sample(1, 1), probeClass: 'strict' })
    expect(said.outcome).toBe('nonmatch')
    expect((await vault.verify({ subject: 'anna', ...sample(1, 1), probeClass: 'lax' })).outcome).toBe(
      'match',
    )
  })
})

test('POLICY-4 a rate above 1 in 10,000, or too few comparisons, only on demand', async () => {
  const { open } = await testVault()
  const measured = (value: number, trials: number): OperatingPoint => ({
    ...point(),
    falseMatchRate: { value, low: 0, high: 0.5, trials, confidence: 0.95 },
  })
  const openWith = (operatingPoint: OperatingPoint, symbol: boolean): Promise<string> =>
    codeOf(open({ operatingPoints: [operatingPoint], [allowHighFalseMatchRate]: symbol as true }))
  expect(await openWith(measured(1e-4, 30_000), false)).toBe('resolved')
  expect(await openWith(measured(1.01e-4, 1_000_000), false)).toBe('ERR_POLICY_OPERATING_POINT')
  expect(await openWith(measured(0, 29_999), false)).toBe('ERR_POLICY_OPERATING_POINT')
  expect(await openWith(measured(0.1, 100), true)).toBe('resolved')
})

describe('POLICY-6 how many answers of nonmatch leave', () => {
  test('POLICY-6 200 wrong probes at once, in four processes: five', async () => {
    for (let round = 0; round < 5; round++) {
      const { open, vault } = await testVault({ clock: manualClock() })
      await vault.enroll({ ...ANNA, ...sample(1) })
      const vaults = await Promise.all([open(), open(), open(), open()])
      const answers = await Promise.all(
        Array.from({ length: 200 }, (_, i) => wrong(vaults[i % 4] as Vault, i).catch(codeOfError)),
      )
      expect(answers.filter((answer) => answer === 'nonmatch')).toHaveLength(5)
      expect(answers.filter((answer) => answer === 'refused')).toHaveLength(195)
    }
  })

  test('POLICY-6 then one for each delay, none at the total, rebind, none at the end of the generation', async () => {
    const clock = manualClock()
    const attempts = { consecutive: 2, delayMs: 1000, total: 4, generation: 6 }
    const { vault } = await testVault({ clock, attempts })
    await vault.enroll({ ...ANNA, ...sample(1) })
    const answers: string[] = []
    const until = async (many: number): Promise<void> => {
      for (let i = 0; i < many; i++) {
        answers.push(await wrong(vault, i))
        clock.advance(1000)
      }
    }
    await until(6)
    expect(answers).toEqual(['nonmatch', 'nonmatch', 'nonmatch', 'nonmatch', 'refused', 'refused'])
    expect(await vault.verify({ subject: 'anna', ...sample(1, 1) })).toMatchObject({ reason: 'locked' })
    await vault.rebind('anna')
    answers.length = 0
    await until(4)
    expect(answers).toEqual(['nonmatch', 'nonmatch', 'refused', 'refused'])
    await vault.rebind('anna')
    expect(await vault.verify({ subject: 'anna', ...sample(1, 1) })).toMatchObject({ reason: 'locked' })
    await vault.reissue({ ...ANNA, ...sample(1, 2) })
    expect((await vault.verify({ subject: 'anna', ...sample(1, 1) })).outcome).toBe('match')
  })
})

test('POLICY-7 a match ends the run, and leaves the failures of the generation', async () => {
  const attempts = { consecutive: 3, total: 3, generation: 5 }
  const { vault } = await testVault({ attempts, clock: manualClock() })
  await vault.enroll({ ...ANNA, ...sample(1) })
  for (let i = 0; i < 2; i++) expect(await wrong(vault, i)).toBe('nonmatch')
  expect((await vault.verify({ subject: 'anna', ...sample(1, 1) })).outcome).toBe('match')
  for (let i = 0; i < 2; i++) expect(await wrong(vault, i)).toBe('nonmatch')
  expect((await vault.verify({ subject: 'anna', ...sample(1, 1) })).outcome).toBe('match')
  expect(await wrong(vault, 5)).toBe('nonmatch')
  expect(await vault.verify({ subject: 'anna', ...sample(1, 1) })).toMatchObject({ reason: 'locked' })
})

describe('POLICY-8 clocks that jump', () => {
  test('POLICY-8 500 jumps of up to 30 days: never early on the steady clock, never for ever', async () => {
    const clock = manualClock()
    const draw = numbers(77)
    const attempts = { consecutive: 1, delayMs: 30_000, total: 1000, generation: 100_000 }
    const { vault } = await testVault({ clock, attempts })
    const forever = { grantedAt: new Date(0), expiresAt: new Date(3653 * 86_400_000) }
    clock.jump(-clock.nowMs() + 3000 * 86_400_000)
    await vault.enroll({ subject: 'anna', basis: basis(forever), ...sample(1) })
    expect(await wrong(vault, 0)).toBe('nonmatch')
    let openings = 0
    for (let jump = 0; jump < 500; jump++) {
      clock.jump(Math.round((draw() - 0.5) * 2 * 30 * 86_400_000))
      const begun = clock.nowMs()
      if (begun < 0 || begun > 3600 * 86_400_000) clock.jump(3000 * 86_400_000 - begun)
      clock.advance(29_999)
      expect(await wrong(vault, jump)).toBe('refused')
      clock.advance(1)
      expect(await wrong(vault, jump)).toBe('nonmatch')
      openings++
      if (openings % 400 === 0) await vault.rebind('anna')
      if (openings % 400 === 0) expect(await wrong(vault, jump)).toBe('nonmatch')
    }
    expect(openings).toBe(500)
  })

  test('POLICY-8 after a restart the wall clock counts; behind the failure the wait begins anew', async () => {
    const clock = manualClock()
    const { vault, open } = await testVault({ clock, attempts: { consecutive: 1 } })
    const since = basis({ grantedAt: new Date(clock.nowMs() - 86_400_000) })
    await vault.enroll({ subject: 'anna', basis: since, ...sample(1) })
    expect(await wrong(vault, 0)).toBe('nonmatch')
    const origin = new Uint8Array(16).fill(1)
    let wall = clock.nowMs() - 3_000_000
    let ms = 0
    const restarted = { nowMs: () => wall, steady: () => ({ origin, ms }) }
    const other = await open({ [testClock]: restarted })
    expect(await wrong(other, 1)).toBe('refused')
    ms += 29_999
    wall += 29_999
    expect(await wrong(other, 1)).toBe('refused')
    ms += 1
    expect(await wrong(other, 1)).toBe('nonmatch')
  })
})

test.each([
  ['ten seconds after the failure', 10_000, 60_000, 20_000],
  ['ten seconds after the failure, on a machine that started three seconds ago', 10_000, 3000, 27_000],
])(
  'POLICY-8 after a restart, %s, a wall clock that stands still ends the wait',
  async (_, since, ms, left) => {
    const clock = manualClock()
    const { vault, open } = await testVault({ clock, attempts: { consecutive: 1 } })
    await vault.enroll({ ...ANNA, ...sample(1) })
    expect(await wrong(vault, 0)).toBe('nonmatch')
    const wall = clock.nowMs() + since
    let steadyMs = ms
    const frozen = {
      nowMs: () => wall,
      steady: () => ({ origin: new Uint8Array(16).fill(1), ms: steadyMs }),
    }
    const other = await open({ [testClock]: frozen })
    expect(await wrong(other, 1)).toBe('refused')
    steadyMs += left - 1
    expect(await wrong(other, 1)).toBe('refused')
    steadyMs += 1
    expect(await wrong(other, 1)).toBe('nonmatch')
  },
)

describe('POLICY-9 what is refused is not counted', () => {
  test('POLICY-9 refusals leave every row as it is', async () => {
    const { vault, store, open } = await testVault({ clock: manualClock() })
    await vault.enroll({ ...ANNA, ...sample(1) })
    for (let i = 0; i < 5; i++) await wrong(vault, i)
    // Closing writes the counter of the realm; from here on nothing has anything to write.
    await vault.close()
    const other = await open()
    const before = await dump(store)
    for (let i = 0; i < 20; i++) expect(await wrong(other, i)).toBe('refused')
    expect(await dump(store)).toEqual(before)
  })

  test('POLICY-9 a counter that cannot be written refuses the attempt', async () => {
    const store = hookedStore(memoryStore())
    const { vault } = await testVault({ store })
    await vault.enroll({ ...ANNA, ...sample(1) })
    store.fault = {
      before: (call) => {
        if (call.name === 'commit') throw new StoreError('ERR_STORE_READONLY', 'read-only')
      },
    }
    for (const person of [1, 2]) {
      expect(await codeOf(vault.verify({ subject: 'anna', ...sample(person, 1) }))).toBe('ERR_STORE_READONLY')
    }
  })
})

function codeOfError(error: unknown): string {
  return String((error as { code?: unknown }).code)
}
