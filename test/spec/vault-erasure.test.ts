/** Erasures to their end: which epochs have to go until when, and what a receipt says meanwhile (SPEC §11.11). @module */
import { type ErasureReceipt, memoryStore } from 'guise'
import { verifyInclusion } from 'guise/audit'
import { erasureStatus, keepErasureBound } from 'guise/node'
import { memoryKeyProvider } from 'guise/testing'
import { describe, expect, test } from 'vitest'
import { type BoundFacts, boundStep } from '../../src/vault/erasure-bound.ts'
import { dump, hookedStore, overwrite, rowsOf, typedCode } from '../support/rows.ts'
import {
  basis,
  codeOf,
  manualClock,
  memoryProvider,
  SIGNER,
  sample,
  type TestVault,
  testVault,
} from '../support/vault.ts'
import { ask, copyOf } from '../support/vault-log.ts'

const DAY = 86_400_000
const BOUND = 30 * DAY
type Epoch = BoundFacts['epochs'][number]
const epoch = (
  number: number,
  status: Epoch['status'],
  wraps = 0,
  changedAt: number | undefined = 1,
): Epoch => ({ epoch: number, status, wraps, changedAt }) as Epoch

function facts(more: Partial<BoundFacts>): BoundFacts {
  return {
    epochs: [epoch(1, 'primary', 5)],
    erasures: [{ since: 1, last: 1, unreachableMs: 0 }],
    unreadable: 0,
    canDestroy: true,
    boundMs: BOUND,
    leadMs: 7 * DAY,
    nowMs: 25 * DAY,
    ...more,
  }
}

describe('the next step', () => {
  const primary2 = epoch(2, 'primary', 9)
  test.each<[string, Partial<BoundFacts>, object]>([
    ['no erasure', { erasures: [] }, { step: 'nothing' }],
    ['before its time', { nowMs: 22 * DAY }, { step: 'wait', at: 23 * DAY }],
    ['at its time', { nowMs: 23 * DAY }, { step: 'promote' }],
    ['the primary epoch', {}, { step: 'promote' }],
    ['an epoch with wraps', { epochs: [epoch(1, 'enabled', 1), primary2] }, { step: 'rotate' }],
    ['an empty one', { epochs: [epoch(1, 'enabled'), primary2] }, { step: 'disable', epoch: 1 }],
    ['a disabled one', { epochs: [epoch(1, 'disabled'), primary2] }, { step: 'destroy', epoch: 1 }],
    ['a destroyed one', { epochs: [epoch(1, 'destroyed'), primary2] }, { step: 'nothing' }],
    [
      'a destroyed one that nobody confirmed',
      { epochs: [{ ...epoch(1, 'destroyed'), changedAt: undefined }, primary2] },
      { step: 'blocked', why: 'unconfirmed' },
    ],
    [
      'a disabled one with wraps',
      { epochs: [epoch(1, 'disabled', 1), primary2] },
      { step: 'blocked', why: 'closed-epoch' },
    ],
    [
      'wraps that cannot be read',
      { epochs: [epoch(1, 'enabled'), primary2], unreadable: 1 },
      { step: 'blocked', why: 'unreadable' },
    ],
    [
      'the same before wraps are moved',
      { epochs: [epoch(1, 'enabled', 2), primary2], unreadable: 1 },
      { step: 'rotate' },
    ],
    ['a provider that cannot destroy', { canDestroy: false }, { step: 'blocked', why: 'no-destroy' }],
    [
      'every epoch that an erasure names',
      {
        epochs: [epoch(1, 'destroyed'), epoch(2, 'disabled'), epoch(3, 'enabled'), epoch(4, 'primary')],
        erasures: [{ since: 1, last: 3, unreachableMs: 0 }],
      },
      { step: 'destroy', epoch: 2 },
    ],
    [
      'only what is due',
      {
        epochs: [epoch(1, 'destroyed'), epoch(2, 'primary', 9)],
        erasures: [
          { since: 1, last: 1, unreachableMs: 0 },
          { since: 2, last: 2, unreachableMs: 20 * DAY },
        ],
      },
      { step: 'wait', at: 43 * DAY },
    ],
  ])('%s', (_, more, step) => {
    expect(boundStep(facts(more))).toEqual(step)
  })

  test('VAULT-47 never disables or destroys an epoch with wraps, a primary or a named-by-nobody one', () => {
    const statuses = ['primary', 'enabled', 'disabled', 'destroyed'] as const
    for (const status of statuses)
      for (const wraps of [0, 1])
        for (const named of [true, false]) {
          const erasures = named ? [{ since: 1, last: 1, unreachableMs: 0 }] : []
          const step = boundStep(facts({ epochs: [epoch(1, status, wraps), primary2], erasures }))
          if (step.step === 'disable') expect([status, wraps, named]).toEqual(['enabled', 0, true])
          if (step.step === 'destroy') expect([status, wraps, named]).toEqual(['disabled', 0, true])
        }
  })
})

async function realm(): Promise<TestVault & { readonly clock: ReturnType<typeof manualClock> }> {
  const clock = manualClock()
  const world = await testVault({ clock, provider: memoryProvider() })
  for (const [person, subject] of ['anna', 'bert', 'cleo'].entries()) {
    await world.vault.enroll({
      subject,
      basis: basis({ expiresAt: new Date(Date.now() + 400 * DAY) }),
      ...sample(person),
    })
  }
  return { ...world, clock }
}

test('VAULT-48 every erasure is irrecoverable within the bound when it is kept daily; nobody else notices', async () => {
  const { vault, keyring, store, clock } = await realm()
  const now = (): number => clock.nowMs()
  const receipts: ErasureReceipt[] = [await vault.erase('anna')]
  const copy = await copyOf(store)
  expect(await keepErasureBound({ keyring, store, now })).toMatchObject({
    pending: 1,
    overdue: 0,
    next: { step: 'wait' },
    steps: [],
  })
  const done: string[] = []
  for (let day = 1; day <= 30; day++) {
    clock.advance(DAY)
    if (day === 10) receipts.push(await vault.erase('bert'))
    const { steps, overdue } = await keepErasureBound({ keyring, store, now })
    done.push(...steps.map(({ step }) => `${day} ${step}`))
    expect(overdue).toBe(0)
  }
  expect(done).toEqual(['23 promote', '23 rotate', '23 disable', '23 destroy'])
  for (const receipt of receipts) {
    const status = await erasureStatus({ receipt, keyring, store, now })
    expect(status).toMatchObject({ overdue: false, epochs: [{ epoch: 1, status: 'destroyed' }] })
    expect(status.irrecoverable).toHaveProperty('at')
    expect((await vault.renewReceipt(receipt)).irrecoverable).toEqual(status.irrecoverable)
  }
  expect(await ask(vault, 'cleo', 2)).toBe('match')
  expect(await keepErasureBound({ keyring, store, now })).toMatchObject({
    pending: 0,
    next: { step: 'nothing' },
    by: undefined,
  })
  // An old copy opens with no key that is left: its wraps are under what was destroyed.
  const [wrap] = await rowsOf(copy, 'secrets')
  expect(wrap).toBeDefined()
  await overwrite(
    store,
    'secrets',
    (await rowsOf(store, 'secrets'))[0]?.key as Uint8Array,
    wrap?.bytes as Uint8Array,
  )
  expect(await codeOf(vault.verify({ subject: 'cleo', ...sample(2, 1) }))).not.toBe('resolved')
  await vault.close()
})

test('VAULT-49 a receipt goes from unreachable to irrecoverable, each with its entry of the log', async () => {
  const { vault, keyring, store, clock } = await realm()
  const now = (): number => clock.nowMs()
  const receipt = await vault.erase('anna')
  const look = (): ReturnType<typeof erasureStatus> => erasureStatus({ receipt, keyring, store, now })
  const first = await look()
  expect(first).toMatchObject({
    record: receipt.record,
    unreachableAt: receipt.unreachableAt,
    overdue: false,
  })
  expect(first.irrecoverable).toEqual({ by: receipt.unreachableAt + BOUND })
  expect(first.epochs).toEqual([{ epoch: 1, status: 'primary', destroyedAt: undefined, audit: undefined }])
  expect(first.audit?.entry).toEqual(receipt.audit?.entry)
  clock.advance(BOUND + 1)
  expect(await look()).toMatchObject({ overdue: true })
  const report = await keepErasureBound({ keyring, store, now })
  expect(report).toMatchObject({ pending: 0, overdue: 0, next: { step: 'nothing' } })
  const last = await look()
  const [gone] = last.epochs
  expect(last).toMatchObject({ overdue: false, irrecoverable: { at: gone?.destroyedAt } })
  for (const proof of [last.audit, gone?.audit]) {
    if (proof === undefined) throw new Error('an entry is missing')
    verifyInclusion(proof.entry, proof, SIGNER.verifierKey)
  }
  // Signed before the keys were renewed: the version that signed it is found.
  await keyring.renew()
  expect((await look()).irrecoverable).toEqual(last.irrecoverable)
  const altered = { ...receipt, signature: receipt.signature.map((byte, at) => (at === 3 ? byte ^ 1 : byte)) }
  expect(await typedCode(erasureStatus({ receipt: altered, keyring, store }))).toBe('ERR_RECORD_MAC')
  expect(await typedCode(erasureStatus({ receipt, keyring, store: memoryStore() }))).toBe(
    'ERR_VAULT_CONFIGURATION',
  )
  await vault.close()
})

test('VAULT-49 a provider that cannot destroy: never, and blocked', async () => {
  const { destroy: _, ...provider } = memoryKeyProvider()
  const { vault, keyring, store } = await testVault({ provider })
  await vault.enroll({ subject: 'anna', basis: basis(), ...sample(1) })
  const receipt = await vault.erase('anna')
  expect(await erasureStatus({ receipt, keyring, store })).toMatchObject({
    irrecoverable: 'never',
    overdue: false,
  })
  const { next } = await keepErasureBound({ keyring, store })
  expect(next).toEqual({ step: 'blocked', why: 'no-destroy' })
  await vault.close()
})

test('VAULT-49 the receipt of another realm is refused', async () => {
  const provider = memoryProvider()
  const one = await testVault({ provider })
  await one.vault.enroll({ subject: 'anna', basis: basis(), ...sample(1) })
  const receipt = await one.vault.erase('anna')
  const other = await testVault({ provider, realm: 'other' })
  expect(await codeOf(erasureStatus({ receipt, keyring: other.keyring, store: other.store }))).toBe(
    'ERR_RECORD_MAC',
  )
  await one.vault.close()
  await other.vault.close()
})

describe('kept at any point', () => {
  test('VAULT-47 a stop after any step loses nothing; a provider that is away is asked again', async () => {
    for (let stop = 0; stop < 6; stop++) {
      const { vault, keyring, store, clock } = await realm()
      const receipt = await vault.erase('anna')
      clock.advance(BOUND)
      const abort = new AbortController()
      let asked = 0
      const now = (): number => {
        if (asked++ === stop) abort.abort(new Error('killed'))
        return clock.nowMs()
      }
      await keepErasureBound({ keyring, store, now, signal: abort.signal }).catch(() => undefined)
      const { next } = await keepErasureBound({ keyring, store, now: () => clock.nowMs() })
      expect(next).toEqual({ step: 'nothing' })
      expect((await erasureStatus({ receipt, keyring, store })).irrecoverable).toHaveProperty('at')
      expect(keyring.epochs).toHaveLength(2)
      expect(await ask(vault, 'cleo', 2)).toBe('match')
      await vault.close()
    }
  })

  test('an epoch that was added before is taken; a dry run writes nothing', async () => {
    const { vault, keyring, store, clock } = await realm()
    await vault.erase('anna')
    await keyring.add()
    clock.advance(BOUND - DAY)
    const before = await dump(store)
    const options = { keyring, store, now: () => clock.nowMs(), dryRun: true }
    expect(await keepErasureBound(options)).toMatchObject({
      dryRun: true,
      steps: [{ step: 'promote' }],
      pending: 1,
    })
    expect(await dump(store)).toEqual(before)
    await keepErasureBound({ ...options, dryRun: false })
    expect(keyring).toMatchObject({ primary: 2 })
    expect(keyring.epochs).toHaveLength(2)
    await vault.close()
  })

  test('VAULT-47 an epoch that is primary for a moment behind the count is not disabled with what was wrapped under it', async () => {
    const store = hookedStore(memoryStore())
    const { vault, keyring } = await testVault({ store })
    await vault.enroll({ subject: 'anna', basis: basis(), ...sample(1) })
    await vault.erase('anna')
    let scans = 0
    store.fault = {
      before: async ({ name, table }) => {
        if (name !== 'scan' || table !== 'states' || keyring.primary === 1 || ++scans !== 1) return
        await keyring.promote(1)
        await vault.enroll({ subject: 'ben', basis: basis(), ...sample(1) })
        await keyring.promote(2)
      },
    }
    const report = await keepErasureBound({ keyring, store, now: () => Date.now() + BOUND })
    expect(report.next).toEqual({ step: 'nothing' })
    expect(report.steps.map(({ step }) => step)).toEqual(['promote', 'rotate', 'disable', 'destroy'])
    expect(await ask(vault, 'ben', 1)).toBe('match')
    await vault.close()
  })

  test('VAULT-47 stragglers keep an epoch alive', async () => {
    const { vault, keyring, store, clock } = await realm()
    await vault.erase('anna')
    const [row] = await rowsOf(store, 'secrets')
    const spoiled = Uint8Array.from(row?.bytes as Uint8Array)
    spoiled[spoiled.length - 1] = (spoiled.at(-1) as number) ^ 1
    await overwrite(store, 'secrets', row?.key as Uint8Array, spoiled)
    clock.advance(BOUND + DAY)
    const report = await keepErasureBound({ keyring, store, now: () => clock.nowMs() })
    expect(report).toMatchObject({
      overdue: 1,
      next: { step: 'rotate' },
      rotation: { complete: false, failed: 1 },
    })
    expect(report.rotation?.stragglers).toMatchObject([{ kind: 'record', code: 'ERR_SEAL_OPEN' }])
    expect(keyring.epochs[0]?.status).toBe('enabled')
    await vault.close()
  })

  test('bounds that make no sense are refused', async () => {
    const { vault, keyring, store } = await testVault()
    for (const bad of [{ boundMs: 0 }, { leadMs: -1 }, { boundMs: DAY, leadMs: 2 * DAY }]) {
      expect(await typedCode(keepErasureBound({ keyring, store, ...bad }))).toBe('ERR_VAULT_INPUT')
    }
    await vault.close()
  })
})
