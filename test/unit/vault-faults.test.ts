/** Every call to the store or the provider fails once, at every place, in every way (SPEC §10.1, §11). @module */
import {
  type CallOptions,
  createKeyring,
  type KeyProvider,
  memoryStore,
  openVault,
  revealReason,
  StoreError,
  type Vault,
} from 'guise'
import { describe, expect, test } from 'vitest'
import { allowHighFalseMatchRate } from '../../src/vault/symbols.ts'
import { type Fault, hookedStore, typedCode } from '../support/rows.ts'
import { basis, MODEL, memoryProvider, PURPOSE, point, SIGNER, sample } from '../support/vault.ts'

type Run = (vault: Vault, options: CallOptions) => Promise<unknown>

interface Verb {
  readonly run: Run
  /** What brings the subject into the state from which the verb is legal. */
  readonly prepare?: readonly Run[]
  /** What describe says afterwards. */
  readonly state: string | undefined
  readonly generation?: number
}

const enroll: Run = (vault, options) =>
  vault.enroll({ subject: 'anna', basis: basis(), ...sample(1) }, options)
const pending: Run = (vault) => vault.enroll({ subject: 'anna', basis: basis(), pending: true, ...sample(1) })

const VERBS: Readonly<Record<string, Verb>> = {
  enroll: { run: enroll, state: 'active' },
  match: {
    prepare: [enroll],
    run: (vault, options) => vault.verify({ subject: 'anna', ...sample(1, 1) }, options),
    state: 'active',
  },
  nonmatch: {
    prepare: [enroll],
    run: (vault, options) => vault.verify({ subject: 'anna', ...sample(2, 1) }, options),
    state: 'active',
  },
  activate: { prepare: [pending], run: (vault, options) => vault.activate('anna', options), state: 'active' },
  suspend: { prepare: [enroll], run: (vault, options) => vault.suspend('anna', options), state: 'suspended' },
  resume: {
    prepare: [enroll, (vault) => vault.suspend('anna')],
    run: (vault, options) => vault.resume('anna', options),
    state: 'active',
  },
  hold: { prepare: [enroll], run: (vault, options) => vault.hold('anna', options), state: 'held' },
  release: {
    prepare: [enroll, (vault) => vault.hold('anna')],
    run: (vault, options) => vault.release('anna', options),
    state: 'suspended',
  },
  rebind: { prepare: [enroll], run: (vault, options) => vault.rebind('anna', options), state: 'active' },
  revoke: {
    prepare: [enroll],
    run: (vault, options) => vault.revoke('anna', 'breach', options),
    state: 'revoked',
  },
  reissue: {
    prepare: [enroll],
    run: (vault, options) => vault.reissue({ subject: 'anna', basis: basis(), ...sample(1, 2) }, options),
    state: 'active',
    generation: 2,
  },
  erase: { prepare: [enroll], run: (vault, options) => vault.erase('anna', options), state: undefined },
}

interface World {
  readonly vault: Vault
  readonly store: ReturnType<typeof hookedStore>
  readonly secrets: ReturnType<typeof hookedStore>
}

async function world(verb: Verb, split: boolean, provider: KeyProvider = memoryProvider()): Promise<World> {
  const store = hookedStore(memoryStore())
  const secrets = split ? hookedStore(memoryStore()) : store
  const keyring = await createKeyring({ realm: 'clinic', provider, store })
  const vault = await openVault({
    keyring,
    store,
    secrets,
    model: MODEL,
    purpose: PURPOSE,
    operatingPoints: [point()],
    custody: { profile: 'operator' },
    logSigner: SIGNER,
    [revealReason]: true,
    [allowHighFalseMatchRate]: true,
  })
  for (const step of verb.prepare ?? []) await step(vault, {})
  return { vault, store, secrets }
}

const error = (code: 'ERR_STORE_CONFLICT' | 'ERR_STORE_INDETERMINATE' | 'ERR_STORE_FULL'): StoreError =>
  new StoreError(code, 'made by a test')

/** One fault at the n-th call of both stores together. */
type MakeFault = (at: number, hit: () => void) => { readonly fault: Fault; readonly signal?: AbortSignal }

const FAULTS: Readonly<Record<string, MakeFault>> = {
  'a conflict, not applied': (at, hit) => ({
    fault: {
      before: (call, number) => {
        if (number !== at || call.name !== 'commit') return
        hit()
        throw error('ERR_STORE_CONFLICT')
      },
    },
  }),
  'an outcome that cannot be known, not applied': (at, hit) => ({
    fault: {
      before: (call, number) => {
        if (number !== at || call.name !== 'commit') return
        hit()
        throw error('ERR_STORE_INDETERMINATE')
      },
    },
  }),
  'an outcome that cannot be known, applied': (at, hit) => ({
    fault: {
      after: (call, number) => {
        if (number !== at || call.name !== 'commit') return
        hit()
        throw error('ERR_STORE_INDETERMINATE')
      },
    },
  }),
  'a full volume': (at, hit) => ({
    fault: {
      before: (_, number) => {
        if (number !== at) return
        hit()
        throw error('ERR_STORE_FULL')
      },
    },
  }),
  'a store that hangs until the call is aborted': (at, hit) => {
    const controller = new AbortController()
    return {
      signal: controller.signal,
      fault: {
        before: async ({ signal }, number) => {
          if (number !== at) return
          hit()
          const gone = new Promise((_, reject) => {
            signal?.addEventListener('abort', () => reject(signal.reason as Error))
          })
          setTimeout(() => controller.abort(error('ERR_STORE_CONFLICT')), 0)
          if (signal !== undefined) await gone
        },
      },
    }
  },
}

function arm({ store, secrets }: World, fault: Fault): void {
  let number = 0
  for (const one of new Set([store, secrets])) {
    one.fault = {
      before: (call) => {
        number++
        return fault.before?.(call, number)
      },
      after: (call) => fault.after?.(call, number),
    }
  }
}

/** How often the verb calls a store when nothing fails. */
async function countCalls(verb: Verb, split: boolean): Promise<number> {
  const made = await world(verb, split)
  let calls = 0
  arm(made, {
    before: () => {
      calls++
    },
  })
  await verb.run(made.vault, { operationId: 'once' })
  return calls
}

/** The verb with a fault, then without one until it resolves: never half done, done once. */
async function faultAt(verb: Verb, split: boolean, make: MakeFault, at: number): Promise<boolean> {
  const made = await world(verb, split)
  let wasHit = false
  const { fault, signal } = make(at, () => {
    wasHit = true
  })
  arm(made, fault)
  const options = { operationId: 'once', ...(signal === undefined ? {} : { signal }) }
  const code = await typedCode(verb.run(made.vault, options))
  arm(made, {})
  expect(code).toMatch(/^(resolved|ERR_STORE_|ERR_VAULT_UNFINISHED|ERR_AUDIT_PENDING)/)
  const first = await verb.run(made.vault, { operationId: 'once' })
  expect(await verb.run(made.vault, { operationId: 'once' })).toEqual(first)
  const described = await made.vault.describe('anna')
  expect(described?.state).toBe(verb.state)
  expect(described?.generation).toBe(verb.state === undefined ? undefined : (verb.generation ?? 1))
  if (verb.state === 'active') {
    const probe = await made.vault.verify({ subject: 'anna', ...sample(1, 7) })
    expect(probe.outcome).toBe('match')
  }
  return wasHit
}

describe.each([
  ['one store', false],
  ['two stores', true],
])('with %s', (_, split) => {
  describe.each(Object.entries(FAULTS))('%s', (__, make) => {
    test.each(Object.entries(VERBS))('%s', async (___, verb) => {
      const calls = await countCalls(verb, split)
      let hits = 0
      for (let at = 1; at <= calls; at++) if (await faultAt(verb, split, make, at)) hits++
      expect(hits).toBeGreaterThan(0)
    })
  })
})

describe('a provider that fails at its n-th call', () => {
  test.each(Object.entries(VERBS))('%s', async (_, verb) => {
    const provider = memoryProvider()
    const { unwrap } = provider
    // Nothing is cached: the vault is opened anew, so that every key has to be unwrapped by the verb.
    const store = memoryStore()
    await createKeyring({ realm: 'clinic', provider, store })
    let left = Number.POSITIVE_INFINITY
    provider.unwrap = (wrapped, context, options) =>
      --left < 0 ? Promise.reject(new Error('out of service')) : unwrap(wrapped, context, options)
    const { openKeyring } = await import('guise')
    const open = async (): Promise<Vault> =>
      openVault({
        keyring: await openKeyring({ realm: 'clinic', provider, store }),
        store,
        model: MODEL,
        purpose: PURPOSE,
        operatingPoints: [point()],
        custody: { profile: 'operator' },
        logSigner: SIGNER,
        [allowHighFalseMatchRate]: true,
      })
    const first = await open()
    for (const step of verb.prepare ?? []) await step(first, {})
    for (let calls = 0; calls < 2; calls++) {
      left = calls
      expect(await typedCode(open())).toBe('ERR_KEYS_PROVIDER')
    }
    left = Number.POSITIVE_INFINITY
    const vault = await open()
    left = 0
    await verb.run(vault, {})
    expect((await vault.describe('anna'))?.state).toBe(verb.state)
  })
})

describe('an abort at any point', () => {
  test.each(Object.entries(VERBS))('%s settles, and is whole or not there', async (_, verb) => {
    for (let turns = 0; turns < 40; turns += 6) {
      const made = await world(verb, true)
      const controller = new AbortController()
      const reason = new Error('enough')
      const call = verb.run(made.vault, { operationId: 'once', signal: controller.signal })
      const settled = call.then(
        () => 'done',
        (caught: unknown) => caught,
      )
      for (let turn = 0; turn < turns; turn++) await Promise.resolve()
      controller.abort(reason)
      const result = await settled
      if (result !== 'done' && result !== reason) {
        expect((result as { code?: string }).code).toMatch(/^ERR_(VAULT_UNFINISHED|AUDIT_PENDING)$/)
      }
      await verb.run(made.vault, { operationId: 'once' })
      expect((await made.vault.describe('anna'))?.state).toBe(verb.state)
    }
  })
})
