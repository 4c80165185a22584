/** Codes and secrets in two stores: a crash after any commit, and what the next opening finds (SPEC §10.3). @module */
import { memoryStore, type Store, type Vault } from 'guise'
import { describe, expect, test } from 'vitest'
import { hookedStore, overwrite, remove, rowsOf, typedCode } from '../support/rows.ts'
import { basis, manualClock, sample, testVault } from '../support/vault.ts'

const ANNA = { subject: 'anna', basis: basis() }
const MINUTES = 60_000

type Verb = (vault: Vault) => Promise<unknown>
const VERBS: Readonly<Record<string, Verb>> = {
  enroll: (vault) => vault.enroll({ ...ANNA, ...sample(1) }),
  reissue: (vault) => vault.reissue({ ...ANNA, ...sample(1, 2) }),
  revoke: (vault) => vault.revoke('anna', 'lost-device'),
  erase: (vault) => vault.erase('anna'),
}

class Crash extends Error {}

interface Split {
  readonly store: ReturnType<typeof hookedStore>
  readonly secrets: ReturnType<typeof hookedStore>
  readonly clock: ReturnType<typeof manualClock>
  readonly vault: Vault
  open(): Promise<Vault>
}

async function split(): Promise<Split> {
  const store = hookedStore(memoryStore())
  const secrets = hookedStore(memoryStore())
  const clock = manualClock()
  const { vault, open } = await testVault({ store, secrets, clock })
  return { store, secrets, clock, vault, open }
}

/** Kills the process at its n-th commit, before or after the commit is applied: every later call fails too. */
function killAt({ store, secrets }: Split, at: number, when: 'before' | 'after'): void {
  const seen = { commits: 0 }
  let dead = false
  for (const one of [store, secrets]) {
    one.fault = {
      before: (call) => {
        if (dead) throw new Crash('dead')
        if (call.name === 'commit' && ++seen.commits === at && when === 'before') {
          dead = true
          throw new Crash('dead')
        }
      },
      after: (call) => {
        if (call.name === 'commit' && seen.commits === at && when === 'after') {
          dead = true
          throw new Crash('dead')
        }
      },
    }
  }
}

function revive({ store, secrets }: Split): void {
  store.fault = {}
  secrets.fault = {}
}

async function wraps(secrets: Store): Promise<number> {
  return (await rowsOf(secrets, 'secrets')).filter((row) => row.key.length === 7 + 36).length
}

/** Rows that are notes of unfinished work. */
async function notes({ store, secrets }: Split): Promise<number> {
  const all = [...(await rowsOf(secrets, 'secrets')), ...(await rowsOf(store, 'states'))]
  return all.filter((row) => row.key.length === 7 + 16 + 36).length
}

describe.each(Object.entries(VERBS))('%s', (name, verb) => {
  test.each(['before', 'after'] as const)('a crash %s each of its commits', async (when) => {
    let crashes = 0
    for (let at = 1; at <= 6; at++) {
      const made = await split()
      if (name !== 'enroll') await made.vault.enroll({ ...ANNA, ...sample(1) })
      killAt(made, at, when)
      const outcome = await verb(made.vault).then(
        () => 'done',
        () => 'crashed',
      )
      revive(made)
      if (outcome === 'crashed') crashes++
      const early = await made.open()
      const described = await early.describe('anna')
      if (described?.state === 'active') {
        expect((await early.verify({ subject: 'anna', ...sample(1, 3) })).outcome).toBe('match')
      }
      made.clock.advance(15 * MINUTES + 1)
      const late = await made.open()
      expect(await notes(made)).toBe(0)
      const alive = described?.state === 'active' ? 1 : 0
      expect([name, when, at, await wraps(made.secrets)]).toEqual([name, when, at, alive])
      expect(await rowsOf(made.store, 'references')).toHaveLength(alive)
      expect((await late.health()).unfinished).toBe(0)
      // Whatever happened, the verb can be asked for again.
      const code = await typedCode(verb(late))
      expect(code).toMatch(/^resolved|^ERR_VAULT_(ENROLLED|TRANSITION|UNKNOWN_SUBJECT)$/)
    }
    expect(crashes).toBeGreaterThan(1)
  })
})

test('a note younger than fifteen minutes may belong to an enrolment under way: its wrap stays', async () => {
  const made = await split()
  killAt(made, 1, 'after')
  await made.vault
    .enroll({ ...ANNA, ...sample(1) })
    .catch((error: unknown) => expect(error).toBeInstanceOf(Crash))
  revive(made)
  made.clock.advance(15 * MINUTES)
  expect((await (await made.open()).health()).unfinished).toBe(1)
  expect(await wraps(made.secrets)).toBe(1)
  made.clock.advance(1)
  expect((await (await made.open()).health()).unfinished).toBe(0)
  expect(await wraps(made.secrets)).toBe(0)
})

test('an enrolment that the secrets store held up for over a minute is given up, and cleaned', async () => {
  const made = await split()
  made.secrets.fault = {
    after: (call) => {
      if (call.name === 'commit') made.clock.advance(MINUTES + 1)
    },
  }
  expect(await typedCode(made.vault.enroll({ ...ANNA, ...sample(1) }))).toBe('ERR_VAULT_EXPIRED_WORK')
  expect(await wraps(made.secrets)).toBe(0)
  expect(await notes(made)).toBe(0)
  made.secrets.fault = {}
  await made.vault.enroll({ ...ANNA, ...sample(1) })
})

test('a reference whose wrap is missing is refused as erased', async () => {
  const made = await split()
  await made.vault.enroll({ ...ANNA, ...sample(1) })
  const [wrap] = await rowsOf(made.secrets, 'secrets')
  await remove(made.secrets, 'secrets', wrap?.key ?? new Uint8Array(1))
  const decision = await made.vault.verify({ subject: 'anna', ...sample(1, 1) })
  expect(decision).toEqual({ outcome: 'refused', reason: 'erased' })
  await made.vault.reissue({ ...ANNA, ...sample(1, 1) })
  expect((await made.vault.verify({ subject: 'anna', ...sample(1, 2) })).outcome).toBe('match')
})

test('a note that lies elsewhere or is damaged leads to nothing, and keeps no vault from opening', async () => {
  const made = await split()
  killAt(made, 1, 'after')
  await made.vault
    .enroll({ ...ANNA, ...sample(1) })
    .catch((error: unknown) => expect(error).toBeInstanceOf(Crash))
  revive(made)
  made.clock.advance(15 * MINUTES + 1)
  const note = (await rowsOf(made.secrets, 'secrets')).find((row) => row.key.length === 7 + 16 + 36)
  if (note === undefined) throw new Error('no note')
  for (let at = 0; at < note.bytes.length; at += 7) {
    await overwrite(
      made.secrets,
      'secrets',
      note.key,
      note.bytes.map((byte, i) => (i === at ? byte ^ 3 : byte)),
    )
    expect((await (await made.open()).health()).unfinished).toBe(1)
    expect(await wraps(made.secrets)).toBe(1)
  }
  await overwrite(made.secrets, 'secrets', note.key, note.bytes)
  expect((await (await made.open()).health()).unfinished).toBe(0)
  expect(await wraps(made.secrets)).toBe(0)
})
