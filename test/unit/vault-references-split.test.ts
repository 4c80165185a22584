/** Further references over two stores: a crash after any commit, and what the next opening finds (SPEC §11.15). @module */
import { memoryStore, type Vault } from 'guise'
import { describe, expect, test } from 'vitest'
import { addition, faultsOf, outcome, shot, strangers, templates, wide } from '../support/references.ts'
import { hookedStore } from '../support/rows.ts'
import { basis, codeOf, manualClock, testVault } from '../support/vault.ts'

type Verb = (vault: Vault) => Promise<unknown>
const ADA = { subject: 'ada', basis: basis() }
/** What a verb does, and how many templates there may be after it and before it. */
const VERBS: Readonly<Record<string, readonly [Verb, readonly number[]]>> = {
  enroll: [(vault) => vault.enroll({ ...ADA, ...shot(1), references: strangers() }), [0, 1, 2, 3]],
  addReference: [(vault) => vault.addReference(addition('ada', 1, 'desk')), [3, 4]],
  removeReference: [(vault) => vault.removeReference({ subject: 'ada', probeClass: 'masked' }), [2, 3]],
  revoke: [(vault) => vault.revoke('ada', 'lost-device'), [0, 3]],
  reissue: [(vault) => vault.reissue({ ...ADA, ...shot(1, 'any', 2) }), [1, 3]],
  erase: [(vault) => vault.erase('ada', { operationId: 'end' }), [0, 3]],
}

class Crash extends Error {}

async function world(split: boolean) {
  const store = hookedStore(memoryStore())
  const secrets = split ? hookedStore(memoryStore()) : store
  const clock = manualClock()
  const made = await testVault({ ...wide(), store, clock, ...(split ? { secrets } : {}) })
  return { ...made, store, secrets, clock, split }
}

/** Ends the process at its n-th commit: every later call fails too. */
function killAt(
  { store, secrets }: Awaited<ReturnType<typeof world>>,
  at: number,
  when: 'before' | 'after',
): void {
  let commits = 0
  let dead = false
  const die = (now: boolean): void => {
    if (now) dead = true
    if (dead) throw new Crash('dead')
  }
  for (const one of new Set([store, secrets])) {
    one.fault = {
      before: ({ name }) => die(name === 'commit' && ++commits === at && when === 'before'),
      after: ({ name }) => die(name === 'commit' && commits === at && when === 'after'),
    }
  }
}

describe.each(Object.entries(VERBS))('%s', (name, [verb, allowed]) => {
  test.each([false, true])(
    'VAULT-90 a crash at each of its commits leaves whole references alone (two stores: %s)',
    async (split) => {
      let crashes = 0
      for (const when of ['before', 'after'] as const) {
        for (let at = 1; at <= 12; at++) {
          const made = await world(split)
          if (name !== 'enroll') await made.vault.enroll({ ...ADA, ...shot(1), references: strangers() })
          killAt(made, at, when)
          const died = await verb(made.vault).then(
            () => false,
            () => true,
          )
          made.store.fault = {}
          made.secrets.fault = {}
          if (!died) break
          crashes += 1
          made.clock.advance(16 * 60_000)
          const vault = await made.open()
          const [codes, wraps] = await templates(made.store, made.secrets)
          expect(codes, `${when} ${at}`).toBe(wraps)
          expect(allowed).toContain(codes)
          expect(await vault.health()).toMatchObject({ ok: true, unfinished: 0 })
          expect(await faultsOf(made, split ? made.secrets : undefined)).toEqual([])
          const known = await vault.describe('ada')
          if (known?.state === 'active') expect(await outcome(vault, 1)).toBe('match')
          expect(known?.state === 'active' ? 1 + known.references.length : 0).toBe(codes)
          if (known !== undefined) await vault.erase('ada')
          expect(await templates(made.store, made.secrets)).toEqual([0, 0])
        }
      }
      expect(crashes).toBeGreaterThan(1)
    },
  )
})

describe('an old wrap that cannot be deleted yet', () => {
  const stuck = async () => {
    const made = await world(true)
    await made.vault.enroll({ ...ADA, ...shot(1), references: strangers() })
    // Only the first of the three deletions comes through.
    let deletions = 0
    made.secrets.fault = {
      before: ({ name, steps }) => {
        const deletes = name === 'commit' && steps.some(({ step }) => step === 'delete')
        if (deletes && ++deletions > 1) throw new Crash('no deletion')
      },
    }
    return made
  }

  test('VAULT-91 an erasure, and its retry, do not end before the last wrap is gone', async () => {
    const made = await stuck()
    const erase = (): Promise<unknown> => made.vault.erase('ada', { operationId: 'end' })
    expect(await codeOf(erase())).toBe('ERR_VAULT_UNFINISHED')
    expect(await codeOf(erase())).toBe('ERR_VAULT_UNFINISHED')
    expect(await templates(made.store, made.secrets)).toEqual([0, 2])
    made.secrets.fault = {}
    await erase()
    expect(await templates(made.store, made.secrets)).toEqual([0, 0])
  })

  test('VAULT-93 nor does a removal, and what comes after it finishes it', async () => {
    const made = await stuck()
    const { vault } = made
    const remove = (probeClass: string): Promise<unknown> =>
      vault.removeReference({ subject: 'ada', probeClass }, { operationId: probeClass })
    await remove('masked')
    expect(await codeOf(remove('glasses'))).toBe('ERR_VAULT_UNFINISHED')
    expect(await codeOf(remove('glasses'))).toBe('ERR_VAULT_UNFINISHED')
    expect(await codeOf(vault.revoke('ada', 'other'))).toBe('ERR_VAULT_UNFINISHED')
    made.secrets.fault = {}
    await remove('glasses')
    expect(await templates(made.store, made.secrets)).toEqual([1, 1])
    await vault.revoke('ada', 'other')
    expect(await templates(made.store, made.secrets)).toEqual([0, 0])
  })
})
