/** Random lives of several people against a model of them (SPEC §11, §12). @module */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { rowsOf, typedCode } from '../support/rows.ts'
import { basis, manualClock, sample, testVault } from '../support/vault.ts'

const DAY_MS = 86_400_000
const LIFE_MS = 30 * DAY_MS

interface Person {
  state: 'pending' | 'active' | 'suspended' | 'held' | 'revoked'
  generation: number
  expiresMs: number
  exposed: boolean
  /** Whose face the template is of: a reissue may take another one. */
  face: number
}

const VERBS = [
  'enroll',
  'pending',
  'verify',
  'stranger',
  'activate',
  'suspend',
  'resume',
  'hold',
  'release',
  'breach',
  'reissue',
  'erase',
  'wait',
  'rotate',
] as const
type Step = { readonly verb: (typeof VERBS)[number]; readonly person: number; readonly days: number }

const steps = fc.array(
  fc.record({
    verb: fc.constantFrom(...VERBS),
    person: fc.integer({ min: 0, max: 2 }),
    days: fc.integer({ min: 1, max: 20 }),
  }),
  { minLength: 20, maxLength: 40 },
)

const FROM: Readonly<Record<string, readonly string[]>> = {
  activate: ['pending'],
  suspend: ['active'],
  resume: ['suspended'],
  hold: ['pending', 'active', 'suspended', 'expired'],
  release: ['held'],
  breach: ['pending', 'active', 'suspended', 'held', 'revoked', 'expired'],
  reissue: ['active', 'revoked', 'expired'],
  erase: ['pending', 'active', 'suspended', 'revoked', 'expired'],
}
const TO: Readonly<Record<string, Person['state']>> = {
  activate: 'active',
  suspend: 'suspended',
  resume: 'active',
  hold: 'held',
  release: 'suspended',
  breach: 'revoked',
  reissue: 'active',
}

async function live(script: readonly Step[]): Promise<void> {
  const clock = manualClock(1_800_000_000_000)
  const { vault, keyring, store } = await testVault({ clock })
  const people = new Map<string, Person>()
  const fresh = (): ReturnType<typeof basis> =>
    basis({ grantedAt: new Date(clock.nowMs()), expiresAt: new Date(clock.nowMs() + LIFE_MS) })
  const stateOf = (person: Person): string => {
    const runsOut = person.state === 'pending' || person.state === 'active' || person.state === 'suspended'
    return runsOut && clock.nowMs() >= person.expiresMs ? 'expired' : person.state
  }

  async function enroll(subject: string, face: number, pending: boolean): Promise<void> {
    const request = {
      subject,
      basis: fresh(),
      ...sample(face),
      ...(pending ? { pending: true as const } : {}),
    }
    const code = await typedCode(vault.enroll(request))
    expect(code).toMatch(people.has(subject) ? /^ERR_VAULT_ENROLLED$/ : /^resolved/)
    if (people.has(subject)) return
    const expiresMs = clock.nowMs() + LIFE_MS
    people.set(subject, {
      state: pending ? 'pending' : 'active',
      generation: 1,
      expiresMs,
      exposed: false,
      face,
    })
  }

  async function verify(subject: string, face: number): Promise<void> {
    const decision = await vault.verify({ subject, ...sample(face, 1) })
    const person = people.get(subject)
    if (person === undefined) expect(decision).toMatchObject({ reason: 'unknown-subject' })
    else if (stateOf(person) !== 'active') expect(decision).toMatchObject({ reason: stateOf(person) })
    else if (face === person.face)
      expect(decision).toMatchObject({ outcome: 'match', exposed: person.exposed })
    else expect(decision.outcome).toBe('nonmatch')
    // No run grows: what attempts do is shown elsewhere.
    if (decision.outcome === 'nonmatch') await vault.rebind(subject)
  }

  async function change(verb: string, subject: string, face: number): Promise<void> {
    const calls: Readonly<Record<string, () => Promise<unknown>>> = {
      breach: () => vault.revoke(subject, 'breach'),
      reissue: () => vault.reissue({ subject, basis: fresh(), ...sample(face) }),
    }
    const call = calls[verb] ?? (() => vault[verb as 'hold'](subject))
    const code = await typedCode(call())
    const person = people.get(subject)
    if (person === undefined) {
      expect(code).toBe('ERR_VAULT_UNKNOWN_SUBJECT')
      return
    }
    const legal = FROM[verb]?.includes(stateOf(person)) === true
    expect([verb, stateOf(person), code]).toEqual([
      verb,
      stateOf(person),
      legal ? expect.stringMatching(/^resolved/) : 'ERR_VAULT_TRANSITION',
    ])
    if (!legal) return
    if (verb === 'erase') people.delete(subject)
    else if (verb !== 'breach' || person.state !== 'held') person.state = TO[verb] as Person['state']
    if (verb === 'breach') person.exposed = true
    if (verb !== 'reissue') return
    person.generation++
    person.face = face
    person.expiresMs = clock.nowMs() + LIFE_MS
  }

  for (const { verb, person, days } of script) {
    const subject = `p${person}`
    if (verb === 'wait') clock.advance(days * DAY_MS)
    else if (verb === 'rotate') {
      await keyring.promote(await keyring.add())
      for await (const result of vault.rotate()) expect(result.ok).toBe(true)
    } else if (verb === 'verify') await verify(subject, people.get(subject)?.face ?? person)
    else if (verb === 'stranger') await verify(subject, 50 + days)
    else if (verb === 'enroll' || verb === 'pending') await enroll(subject, person, verb === 'pending')
    else await change(verb, subject, person + 10 * (days % 2))
  }
  const living = [...people.values()].filter(({ state }) => state !== 'revoked').length
  expect(await rowsOf(store, 'index')).toHaveLength(people.size)
  expect(await rowsOf(store, 'references')).toHaveLength(living)
  expect(await rowsOf(store, 'secrets')).toHaveLength(living)
  for (const [subject, person] of people) {
    expect(await vault.describe(subject)).toMatchObject({
      state: stateOf(person),
      generation: person.generation,
      exposed: person.exposed,
    })
  }
}

describe('random lives', () => {
  test('the vault says what the model says', { timeout: 60_000 }, async () => {
    await fc.assert(fc.asyncProperty(steps, live), { numRuns: 60 })
  })
})
