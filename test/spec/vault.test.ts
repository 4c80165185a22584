/** Requirements VAULT-1 to VAULT-9 of SPEC.md. @module */
import {
  allowUnattestedCapture,
  memoryStore,
  openKeyring,
  openVault,
  type State,
  type Vault,
  VaultError,
} from 'guise'
import { describe, expect, test } from 'vitest'
import { allowHighFalseMatchRate, revealReason } from '../../src/vault/symbols.ts'
import { dump, hookedStore, rowsOf, typedCode } from '../support/rows.ts'
import {
  basis,
  codeOf,
  faceOf,
  MODEL,
  manualClock,
  PURPOSE,
  point,
  sample,
  testVault,
} from '../support/vault.ts'

const ACTIVE = { subject: 'anna', basis: basis() }

/** SPEC §11.1, row by row. */
const TABLE: Readonly<Record<Exclude<State, 'erased'>, Readonly<Record<string, State | undefined>>>> = {
  pending: { activate: 'active', hold: 'held', revoke: 'revoked', erase: 'erased' },
  active: { suspend: 'suspended', hold: 'held', revoke: 'revoked', reissue: 'active', erase: 'erased' },
  suspended: { resume: 'active', hold: 'held', revoke: 'revoked', erase: 'erased' },
  held: { release: 'suspended' },
  revoked: { reissue: 'active', erase: 'erased' },
  expired: { hold: 'held', revoke: 'revoked', reissue: 'active', erase: 'erased' },
}
const VERBS = ['activate', 'suspend', 'resume', 'hold', 'release', 'revoke', 'reissue', 'erase'] as const

function run(vault: Vault, verb: (typeof VERBS)[number], nowMs: number): Promise<unknown> {
  if (verb === 'revoke') return vault.revoke('anna', 'other')
  if (verb !== 'reissue') return vault[verb]('anna')
  const fresh = basis({ grantedAt: new Date(nowMs - 1000), expiresAt: new Date(nowMs + 86_400_000) })
  return vault.reissue({ subject: 'anna', basis: fresh, ...sample(1, 9) })
}

async function inState(state: Exclude<State, 'erased'>): Promise<{
  readonly vault: Vault
  readonly clock: ReturnType<typeof manualClock>
  readonly store: Awaited<ReturnType<typeof testVault>>['store']
}> {
  const clock = manualClock()
  const { vault, store } = await testVault({ clock })
  const pending = state === 'pending' ? { pending: true as const } : {}
  await vault.enroll({ ...ACTIVE, ...pending, ...sample(1) })
  if (state === 'suspended') await vault.suspend('anna')
  if (state === 'held') await vault.hold('anna')
  if (state === 'revoked') await vault.revoke('anna', 'other')
  if (state === 'expired') clock.advance(86_400_000)
  return { vault, clock, store }
}

describe('VAULT-1 the table of transitions', () => {
  test.each(Object.keys(TABLE) as Exclude<State, 'erased'>[])('VAULT-1 from %s', async (state) => {
    for (const verb of VERBS) {
      const { vault, clock, store } = await inState(state)
      expect((await vault.describe('anna'))?.state).toBe(state)
      const to = TABLE[state][verb]
      const before = await dump(store)
      const code = await typedCode(run(vault, verb, clock.nowMs()))
      if (to === undefined) {
        expect([verb, code]).toEqual([verb, 'ERR_VAULT_TRANSITION'])
        expect(await dump(store)).toEqual(before)
      } else {
        expect(code).toMatch(/^resolved/)
        expect((await vault.describe('anna'))?.state).toBe(to === 'erased' ? undefined : to)
      }
    }
  })

  test('VAULT-1 an erased record knows no verb, even for whoever puts the mapping back', async () => {
    const { vault, store } = await inState('active')
    const [mapping] = await rowsOf(store, 'index')
    await vault.erase('anna')
    expect(await codeOf(vault.suspend('anna'))).toBe('ERR_VAULT_UNKNOWN_SUBJECT')
    const { key, bytes } = mapping ?? { key: new Uint8Array(1), bytes: new Uint8Array(1) }
    await store.commit([{ step: 'put', table: 'index', key, bytes, expected: null }])
    for (const verb of VERBS) expect(await codeOf(run(vault, verb, Date.now()))).toBe('ERR_VAULT_TRANSITION')
    expect(await vault.describe('anna')).toBeUndefined()
    const decision = await vault.verify({ subject: 'anna', ...sample(1, 1) })
    expect(decision).toEqual({ outcome: 'refused', reason: 'unknown-subject' })
  })
})

describe('VAULT-2 who can match', () => {
  test.each(['pending', 'suspended', 'held', 'revoked', 'expired'] as const)(
    'VAULT-2 not %s',
    async (state) => {
      const { vault } = await inState(state)
      const decision = await vault.verify({ subject: 'anna', ...sample(1, 1) })
      expect(decision).toEqual({ outcome: 'refused', reason: state })
    },
  )

  test('VAULT-2 a basis that has not begun', async () => {
    const clock = manualClock()
    const { vault } = await testVault({ clock })
    const later = basis({ grantedAt: new Date(clock.nowMs() + 1000) })
    await vault.enroll({ subject: 'anna', basis: later, ...sample(1) })
    clock.advance(999)
    expect(await vault.verify({ subject: 'anna', ...sample(1, 1) })).toMatchObject({ outcome: 'refused' })
    clock.advance(1)
    expect(await vault.verify({ subject: 'anna', ...sample(1, 1) })).toMatchObject({ outcome: 'match' })
  })
})

describe('VAULT-3 one winner', () => {
  test('VAULT-3 64 enrolments at once, in four processes', async () => {
    const { open, store } = await testVault()
    const vaults = await Promise.all([open(), open(), open(), open()])
    const calls = Array.from({ length: 64 }, (_, i) => {
      const vault = vaults[i % 4] as Vault
      return codeOf(vault.enroll({ ...ACTIVE, ...sample(1, i) }))
    })
    const codes = await Promise.all(calls)
    expect(codes.filter((code) => code === 'resolved')).toHaveLength(1)
    expect(codes.filter((code) => /^ERR_(VAULT_ENROLLED|STORE_CONFLICT)$/.test(code))).toHaveLength(63)
    for (const table of ['references', 'secrets', 'states', 'attempts', 'index'] as const) {
      expect(await rowsOf(store, table)).toHaveLength(1)
    }
  })

  test('VAULT-3 64 reissues of a revoked generation at once: the generations count one by one', async () => {
    const { vault, open, store } = await testVault()
    await vault.enroll({ ...ACTIVE, ...sample(1) })
    const vaults = await Promise.all([open(), open()])
    const calls = Array.from({ length: 64 }, (_, i) =>
      (vaults[i % 2] as Vault).reissue({ ...ACTIVE, ...sample(1, i) }, { operationId: 'the one' }),
    )
    const results = await Promise.all(calls)
    expect(new Set(results.map((result) => result.generation))).toEqual(new Set([2]))
    expect(await rowsOf(store, 'secrets')).toHaveLength(1)
    expect(await rowsOf(store, 'references')).toHaveLength(1)
    expect((await vault.verify({ subject: 'anna', ...sample(1, 70) })).outcome).toBe('match')
  })
})

test('VAULT-4 no enrolment without a basis, and no vault without operating point and purpose that fit', async () => {
  const { vault, keyring, store, open } = await testVault()
  for (const wrong of [undefined, null, {}, basis({ purpose: 'marketing' })]) {
    const call = vault.enroll({ subject: 'anna', basis: wrong as never, ...sample(1) })
    expect(await codeOf(call)).toBe('ERR_POLICY_BASIS')
  }
  expect(await rowsOf(store, 'states')).toHaveLength(0)
  expect(await codeOf(open({ operatingPoints: [] }))).toBe('ERR_POLICY_OPERATING_POINT')
  expect(await codeOf(open({ operatingPoints: [point(MODEL, 64)] }))).toBe('ERR_POLICY_OPERATING_POINT')
  expect(await codeOf(open({ purpose: '' }))).toBe('ERR_VAULT_CONFIGURATION')
  const bare = { keyring, store, model: MODEL, purpose: PURPOSE, custody: { profile: 'operator' } }
  expect(await codeOf(openVault(bare as never))).toBe('ERR_POLICY_OPERATING_POINT')
})

describe('VAULT-5 the attempt before the answer', () => {
  test('VAULT-5 the commit is over before the answer, and carries state and keyring', async () => {
    const store = hookedStore(memoryStore())
    const { vault } = await testVault({ store })
    await vault.enroll({ ...ACTIVE, ...sample(1) })
    const log: string[] = []
    let steps: readonly string[] = []
    store.fault = {
      after: (call) => {
        log.push(call.name)
        if (call.name === 'commit') steps = call.steps.map((step) => `${step.step} ${step.table}`)
      },
    }
    const decision = await vault.verify({ subject: 'anna', ...sample(2, 1) })
    expect(decision.outcome).toBe('nonmatch')
    expect(log.at(-1)).toBe('commit')
    expect([...steps].sort()).toEqual(['append queue', 'check keyrings', 'check states', 'put attempts'])
  })

  test('VAULT-5 whatever changes in between leads to a new decision', async () => {
    const store = hookedStore(memoryStore())
    const { vault, open } = await testVault({ store })
    await vault.enroll({ ...ACTIVE, ...sample(1) })
    const other = await open()
    const meanwhile = async (change: () => Promise<unknown>): Promise<unknown> => {
      store.fault = {
        before: async (call) => {
          if (call.name !== 'commit') return
          store.fault = {}
          await change()
        },
      }
      return vault.verify({ subject: 'anna', ...sample(1, 1) })
    }
    expect(await meanwhile(() => other.suspend('anna'))).toMatchObject({ reason: 'suspended' })
  })

  test('VAULT-5 an epoch that was disabled meanwhile decides nothing', async () => {
    const store = hookedStore(memoryStore())
    const { vault, keyring } = await testVault({ store })
    await vault.enroll({ ...ACTIVE, ...sample(1) })
    await keyring.promote(await keyring.add())
    store.fault = {
      before: async (call) => {
        if (call.name !== 'commit') return
        store.fault = {}
        await keyring.disable(1)
        // Another call of this process has seen it: the first one must not borrow its newer view.
        await vault.describe('nobody')
      },
    }
    expect(await codeOf(vault.verify({ subject: 'anna', ...sample(1, 1) }))).toBe('ERR_KEYS_DISABLED')
  })

  test('VAULT-5 conflicts without end are given up, typed', async () => {
    const inner = memoryStore()
    const store = hookedStore(inner)
    const { vault, open, provider } = await testVault({ store })
    await vault.enroll({ ...ACTIVE, ...sample(1) })
    // Beside the hook: what the log's sequencer commits in between takes no turn from the decision.
    const keyring = await openKeyring({ realm: 'clinic', provider, store: inner })
    const other = await open({ keyring, store: inner })
    let conflicts = 0
    store.fault = {
      before: async ({ name, steps }) => {
        if (name !== 'commit' || steps.every(({ table }) => table !== 'states')) return
        conflicts += 1
        await other.rebind('anna')
      },
    }
    expect(await codeOf(vault.verify({ subject: 'anna', ...sample(1, 1) }))).toBe('ERR_STORE_CONFLICT')
    expect(conflicts).toBe(64)
  })
})

test('VAULT-6 no match begins after a verb that ends matching has returned', async () => {
  const { vault, open } = await testVault()
  const vaults = await Promise.all([open(), open(), open()])
  const enders: readonly ((at: Vault) => Promise<unknown>)[] = [
    (at) => at.revoke('anna', 'other'),
    (at) => at.suspend('anna'),
    (at) => at.hold('anna'),
    (at) => at.erase('anna'),
    (at) => at.reissue({ ...ACTIVE, ...sample(3) }),
  ]
  let compared = 0
  for (const [round, end] of [...enders, ...enders].entries()) {
    const subject = 'anna'
    await vault.enroll({ subject, basis: basis(), ...sample(1) }).catch(() => undefined)
    if ((await vault.describe(subject))?.state === 'revoked') await vault.reissue({ ...ACTIVE, ...sample(1) })
    let ended = false
    const history: { readonly begunAfter: boolean; readonly outcome: string }[] = []
    const ask = async (at: Vault): Promise<void> => {
      for (let i = 0; i < 20; i++) {
        const begunAfter = ended
        const { outcome } = await at.verify({ subject, ...sample(1, 1 + i) })
        history.push({ begunAfter, outcome })
      }
    }
    const asking = Promise.all(vaults.map(ask))
    await new Promise((resolve) => setTimeout(resolve, 1 + (round % 4)))
    await end(vaults[round % 3] as Vault)
    ended = true
    await asking
    for (const at of vaults) {
      const { outcome } = await at.verify({ subject, ...sample(1, 50) })
      history.push({ begunAfter: true, outcome })
    }
    expect(history.filter((entry) => entry.begunAfter && entry.outcome === 'match')).toEqual([])
    compared += history.length
    const state = (await vault.describe(subject))?.state
    if (state === 'held') await vault.release(subject)
    await vault.erase(subject).catch((error: unknown) => expect(error).toBeInstanceOf(VaultError))
  }
  expect(compared).toBe(10 * 63)
})

test('VAULT-7 refusals look the same unless the reasons are revealed', async () => {
  const clock = manualClock()
  const { vault, open } = await testVault({ clock })
  const shy = await open({ [revealReason]: undefined as never })
  for (const [index, subject] of ['held', 'suspended', 'revoked', 'throttled', 'pending'].entries()) {
    const pending = subject === 'pending' ? { pending: true as const } : {}
    await vault.enroll({ subject, basis: basis(), ...pending, ...sample(index) })
  }
  await vault.hold('held')
  await vault.suspend('suspended')
  await vault.revoke('revoked', 'fraud')
  for (let i = 0; i < 5; i++) await vault.verify({ subject: 'throttled', ...sample(9, i) })
  for (const subject of ['unknown', 'held', 'suspended', 'revoked', 'throttled', 'pending']) {
    const quiet = await shy.verify({ subject, ...sample(1, 1) })
    expect(Reflect.ownKeys(quiet)).toEqual(['outcome'])
    expect(quiet).toEqual({ outcome: 'refused' })
    const told = await vault.verify({ subject, ...sample(1, 1) })
    expect(told).toMatchObject({ reason: subject === 'unknown' ? 'unknown-subject' : subject })
  }
})

test('VAULT-8 a match says that the subject is exposed', async () => {
  const { vault } = await testVault()
  await vault.enroll({ ...ACTIVE, ...sample(1) })
  expect(await vault.verify({ subject: 'anna', ...sample(1, 1) })).toMatchObject({ exposed: false })
  await vault.revoke('anna', 'breach')
  await vault.reissue({ ...ACTIVE, ...sample(1, 2) })
  expect(await vault.verify({ subject: 'anna', ...sample(1, 3) })).toMatchObject({
    outcome: 'match',
    exposed: true,
  })
})

test('VAULT-9 code and wraps of the old generation are gone, a tombstone stays', async () => {
  const { vault, store } = await testVault()
  const gone = async (): Promise<void> => {
    expect(await rowsOf(store, 'references')).toHaveLength(0)
    expect(await rowsOf(store, 'secrets')).toHaveLength(0)
  }
  await vault.enroll({ ...ACTIVE, ...sample(1) })
  const [first] = await rowsOf(store, 'secrets')
  await vault.reissue({ ...ACTIVE, ...sample(1, 1) })
  const [second, more] = await rowsOf(store, 'secrets')
  expect(more).toBeUndefined()
  expect(second?.key).not.toEqual(first?.key)
  await vault.revoke('anna', 'other')
  await gone()
  expect(await rowsOf(store, 'states')).toHaveLength(1)
  await vault.erase('anna')
  await gone()
  expect(await rowsOf(store, 'states')).toHaveLength(1)
})

test('a sample of another kind never reaches a comparison', async () => {
  const { vault } = await testVault({ [allowHighFalseMatchRate]: true })
  const embedding = faceOf(1)
  const call = vault.verify({ subject: 'anna', embedding, [allowUnattestedCapture]: false as never })
  expect(await codeOf(call)).toBe('ERR_VAULT_INPUT')
})
