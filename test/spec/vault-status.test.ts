/** Requirement VAULT-22 of SPEC.md: a realm is counted right, and nothing is written. @module */
import { memoryStore, type Store } from 'guise'
import { type NoticeKind, type StatusOptions, type VaultStatus, vaultStatus } from 'guise/node'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { Epoch, Millis, Realm } from '../../src/base/brand.ts'
import type { EpochStatus } from '../../src/keys/transition.ts'
import { noticesOf } from '../../src/vault/status.ts'
import { dump, hookedStore, overwrite, rowsOf } from '../support/rows.ts'
import { basis, codeOf, sample, testVault } from '../support/vault.ts'

afterEach(() => vi.restoreAllMocks())

const NONE = { pending: 0, active: 0, suspended: 0, held: 0, revoked: 0, expired: 0, erased: 0 }

/** One person in every state; two wraps of five under the first epoch. */
async function populated(split: boolean) {
  const secrets = split ? memoryStore() : undefined
  const made = await testVault(secrets === undefined ? {} : { secrets })
  const { vault, keyring } = made
  for (const subject of ['active', 'suspended', 'held', 'revoked', 'erased']) {
    await vault.enroll({ subject, basis: basis(), ...sample(1) })
  }
  await vault.enroll({ subject: 'pending', pending: true, basis: basis(), ...sample(2) })
  const expiresAt = new Date(Date.now() + 60)
  await vault.enroll({ subject: 'expired', basis: basis({ expiresAt }), ...sample(3) })
  await vault.suspend('suspended')
  await vault.hold('held')
  await vault.revoke('revoked', 'other')
  // Keeps a receipt, which is no work.
  await vault.erase('erased', { operationId: 'erase' })
  await keyring.promote(await keyring.add())
  let moved = 0
  for await (const _ of vault.rotate()) moved += 1
  expect(moved).toBe(5)
  await vault.enroll({ subject: 'late', basis: basis(), ...sample(4) })
  await keyring.promote(await keyring.add())
  await vault.enroll({ subject: 'later', basis: basis(), ...sample(5) })
  await new Promise((resolve) => setTimeout(resolve, 80))
  const where: StatusOptions = { keyring, store: made.store, ...(secrets === undefined ? {} : { secrets }) }
  return { ...made, where, wraps: secrets ?? made.store }
}

const kinds = ({ notices }: Pick<VaultStatus, 'notices'>): string[] =>
  notices.map(({ level, kind }) => `${level} ${kind}`)

describe.each([false, true])('VAULT-22 two stores: %s', (split) => {
  test('VAULT-22 every record in its state, every wrap under its epoch, nothing written', async () => {
    const { where, store, wraps } = await populated(split)
    const before = [await dump(store), await dump(wraps)]
    const status = await vaultStatus(where)
    expect(status).toMatchObject({
      ok: true,
      realm: 'clinic',
      states: { pending: 1, active: 3, suspended: 1, held: 1, revoked: 1, expired: 1, erased: 1 },
      people: 7,
      unfinished: 0,
      unreadable: 0,
    })
    expect(status.epochs.map(({ epoch, status: of, wraps: n }) => [epoch, of, n])).toEqual([
      [1, 'enabled', 0],
      [2, 'enabled', 6],
      [3, 'primary', 1],
    ])
    expect(kinds(status)).toEqual(['note old-epochs'])
    expect([await dump(store), await dump(wraps)]).toEqual(before)
  })

  test('VAULT-22 what cannot be read is counted, and a closed epoch is a fault', async () => {
    const { where, store, wraps, keyring } = await populated(split)
    const [state] = await rowsOf(store, 'states')
    const [wrap] = await rowsOf(wraps, 'secrets')
    await overwrite(store, 'states', state?.key as Uint8Array, new Uint8Array(9))
    await overwrite(wraps, 'secrets', wrap?.key as Uint8Array, new Uint8Array(9))
    await keyring.disable(2)
    const status = await vaultStatus(where)
    expect(status).toMatchObject({ ok: false, unreadable: 2 })
    expect(kinds(status)).toEqual(['fault unreadable', 'fault closed-epoch'])
    expect(Object.values(status.states).reduce((sum, one) => sum + one)).toBe(8)
    await keyring.enable(2)
    await keyring.retire(3)
    expect(kinds(await vaultStatus(where))).toContain('fault closed-epoch')
  })
})

test('VAULT-22 another realm of the store is not counted', async () => {
  const store = memoryStore()
  const first = await testVault({ store, realm: 'clinic' })
  const other = await testVault({ store, realm: 'clinic-2' })
  await first.vault.enroll({ subject: 'anna', basis: basis(), ...sample(1) })
  const empty = await vaultStatus({ keyring: other.keyring, store })
  expect(empty).toMatchObject({ ok: true, people: 0, states: NONE, notices: [] })
  expect(await vaultStatus({ keyring: first.keyring, store })).toMatchObject({ people: 1 })
  expect(await codeOf(vaultStatus({ keyring: first.keyring, store: memoryStore() }))).toBe(
    'ERR_VAULT_CONFIGURATION',
  )
})

test('VAULT-22 work between two stores is counted while it is there', async () => {
  const secrets: Store = memoryStore()
  const store = hookedStore(memoryStore())
  const { vault, keyring } = await testVault({ store, secrets })
  let during: VaultStatus | undefined
  store.fault = {
    before: async ({ name, steps }) => {
      if (name !== 'commit' || !steps.some(({ table }) => table === 'references')) return
      store.fault = {}
      during = await vaultStatus({ keyring, store, secrets })
    },
  }
  await vault.enroll({ subject: 'anna', basis: basis(), ...sample(1) })
  expect(during).toMatchObject({ ok: true, unfinished: 1, people: 0 })
  expect(kinds(during as VaultStatus)).toEqual(['note unfinished'])
})

test('VAULT-22 it ends with its signal, and with faults that are no row', async () => {
  const store = hookedStore(memoryStore())
  const { vault, keyring } = await testVault({ store })
  await vault.enroll({ subject: 'anna', basis: basis(), ...sample(1) })
  const signal = AbortSignal.abort(new Error('enough'))
  await expect(vaultStatus({ keyring, store, signal })).rejects.toThrow('enough')
  keyring.close()
  expect(await codeOf(vaultStatus({ keyring, store }))).toBe('ERR_KEYS_DISPOSED')
})

describe('what is due', () => {
  const DAY_MS = 86_400_000
  const counted = {
    realm: 'clinic' as Realm,
    at: (1000 * DAY_MS) as Millis,
    states: NONE,
    people: 0,
    reached: [],
    unfinished: 0,
    unreadable: 0,
    log: { entries: 9, signed: 9, queued: 0, oldestMs: undefined },
    epochs: [],
  }
  const aged = (days: number, status: EpochStatus) => ({
    epoch: 1 as Epoch,
    status,
    createdAt: ((1000 - days) * DAY_MS) as Millis,
    changedAt: undefined,
    wraps: 0,
  })
  const due = (change: Partial<typeof counted> | object): string[] =>
    kinds({ notices: noticesOf({ ...counted, ...change }, { minAccepted: 1 as Epoch }) })

  test.each<[number, EpochStatus, string[]]>([
    [583, 'primary', []],
    [584, 'primary', ['warning key-age']],
    [729, 'primary', ['warning key-age']],
    [730, 'primary', ['fault key-age']],
    [900, 'enabled', []],
    [900, 'destroyed', []],
  ])('a key of %i days that is %s', (days, status, expected) => {
    expect(due({ epochs: [aged(days, status)] })).toEqual(expected)
  })

  test.each<[number, string[]]>([
    [89_999, ['note people']],
    [90_000, ['warning people', 'note people']],
    // The event of 100,000 is not logged yet.
    [100_000, ['warning people', 'warning people', 'note people']],
  ])('%i people', (people, expected) => {
    expect(due({ people, reached: [{ threshold: 90_000, at: DAY_MS as Millis }] })).toEqual(expected)
  })

  test.each<[number | undefined, string[]]>([
    [undefined, []],
    [60_000, []],
    [60_001, ['warning log']],
  ])('an entry that has waited for %s ms', (waitedMs, expected) => {
    const oldestMs = waitedMs === undefined ? undefined : counted.at - waitedMs
    expect(due({ log: { ...counted.log, queued: 3, oldestMs } })).toEqual(expected)
  })

  test('a text names no person', () => {
    const kindsOfAll: readonly NoticeKind[] = ['unreadable', 'people', 'people', 'unfinished']
    const notices = noticesOf(
      { ...counted, people: 95_000, unfinished: 2, unreadable: 3 },
      { minAccepted: 1 as Epoch },
    )
    expect(notices.map(({ kind }) => kind)).toEqual(kindsOfAll)
    expect(notices.map(({ text }) => text.replaceAll(/\d+/g, 'n'))).toEqual([
      'n rows cannot be read: guise fsck names them',
      'n people: from n on some laws ask for a filing',
      'no event of n people is logged: run guise people',
      'n notes of work between two stores, or for the quorum: the next opening finishes them',
    ])
  })
})
