/** Requirements POLICY-40 to POLICY-45 of SPEC.md: what is due is erased, nothing else is, and people are counted. @module */
import { memoryStore, type SubjectId, type Vault } from 'guise'
import { countPeople, type RetentionPolicy } from 'guise/node'
import { describe, expect, test } from 'vitest'
import { verifyErasureReceipt } from '../../src/vault/erasure-receipt.ts'
import { fsck } from '../../src/vault/fsck.ts'
import { purge } from '../../src/vault/purge.ts'
import { vaultStatus } from '../../src/vault/status.ts'
import { testClock } from '../../src/vault/symbols.ts'
import { logOf, purged } from '../support/people.ts'
import { dump, hookedStore, rowsOf } from '../support/rows.ts'
import { basis, codeOf, manualClock, numbers, PURPOSE, SIGNER, sample, testVault } from '../support/vault.ts'

const DAY = 86_400_000

async function realm(split = false) {
  const clock = manualClock()
  const secrets = split ? memoryStore() : undefined
  const world = await testVault(secrets === undefined ? { clock } : { clock, secrets })
  const { keyring, store, vault } = world
  const where = {
    keyring,
    store,
    logSigner: SIGNER,
    [testClock]: clock,
    ...(secrets === undefined ? {} : { secrets }),
  }
  const enroll = async (subject: string, days = 3000): Promise<void> => {
    const dates = { grantedAt: new Date(clock.nowMs()), expiresAt: new Date(clock.nowMs() + days * DAY) }
    await vault.enroll({ subject, basis: basis(dates), ...sample(1) })
  }
  const run = (bounds: Omit<RetentionPolicy, 'purpose'>, more: object = {}) =>
    purged({ ...where, policies: [{ purpose: PURPOSE, ...bounds }], ...more })
  return { ...world, clock, where, enroll, run, wraps: secrets ?? store }
}

const known = async (vault: Vault, subject: string): Promise<boolean> =>
  (await vault.describe(subject)) !== undefined

describe('POLICY-40', () => {
  const CASES = [
    ['enrolment', { afterEnrolmentDays: 2 }, async () => 0],
    ['expiry', { afterExpiryDays: 1.5 }, async () => 0],
    [
      'match',
      { afterMatchDays: 2 },
      async (vault: Vault, advance: (ms: number) => void) => {
        advance(DAY)
        expect((await vault.verify({ subject: 'anna', ...sample(1, 1) })).outcome).toBe('match')
        return DAY
      },
    ],
    [
      'revocation',
      { afterRevocationDays: 2 },
      async (vault: Vault, advance: (ms: number) => void) => {
        advance(DAY)
        await vault.revoke('anna', 'lost-device')
        advance(5)
        // Notes that it was stolen: the time of the revocation stays.
        await vault.revoke('anna', 'breach')
        return DAY
      },
    ],
  ] as const

  test.each(CASES)('POLICY-40 %s: due to the millisecond', async (reason, bounds, prepare) => {
    const { vault, clock, enroll, run } = await realm()
    const begun = clock.nowMs()
    await enroll('anna', reason === 'expiry' ? 0.5 : 3000)
    const from = await prepare(vault, (ms) => clock.advance(ms))
    const dueMs = begun + from + 2 * DAY
    clock.advance(dueMs - 1 - clock.nowMs())
    const early = await run(bounds)
    expect(early.summary).toMatchObject({ records: 1, due: 0, erased: 0, failed: 0 })
    expect(await known(vault, 'anna')).toBe(true)
    clock.advance(1)
    const dry = await run(bounds, { dryRun: true })
    expect(dry.told).toMatchObject([{ outcome: 'due', reason, dueAt: dueMs }])
    expect(await known(vault, 'anna')).toBe(true)
    const { told, summary } = await run(bounds)
    expect(told.map(({ outcome }) => outcome)).toEqual(['due', 'erased'])
    expect(summary).toMatchObject({ due: 1, erased: 1, failed: 0, people: 0 })
    expect(await known(vault, 'anna')).toBe(false)
  })

  test('POLICY-40 the first bound counts, a reissue begins anew, and a purpose without a policy is kept', async () => {
    const { vault, clock, enroll, run, where } = await realm()
    await enroll('anna')
    clock.advance(2 * DAY)
    const fresh = basis({ expiresAt: new Date(clock.nowMs() + 100 * DAY) })
    await vault.reissue({ subject: 'anna', basis: fresh, ...sample(1, 2) })
    clock.advance(DAY)
    expect((await run({ afterEnrolmentDays: 2 })).summary.due).toBe(0)
    const { told } = await run({ afterEnrolmentDays: 1, afterMatchDays: 0.5 }, { dryRun: true })
    expect(told).toMatchObject([{ reason: 'match', dueAt: clock.nowMs() - DAY / 2 }])
    const other = await purged({ ...where, policies: [{ purpose: 'door', afterEnrolmentDays: 0 }] })
    expect(other.summary).toMatchObject({ uncovered: 1, due: 0 })
  })

  test('POLICY-40 a withdrawal is due at once, whatever the policies say', async () => {
    const { vault, enroll, where, clock } = await realm()
    await enroll('anna')
    await vault.withdraw('anna')
    const { told } = await purged({ ...where, policies: [] })
    expect(told).toMatchObject([
      { outcome: 'due', reason: 'withdrawal', dueAt: clock.nowMs() },
      { outcome: 'erased' },
    ])
  })

  test.each([
    [[{ purpose: PURPOSE }]],
    [[{ purpose: PURPOSE, afterMatchDays: -1 }]],
    [[{ purpose: PURPOSE, afterExpiryDays: Number.NaN }]],
    [[{ purpose: '', afterExpiryDays: 1 }]],
    [
      [
        { purpose: PURPOSE, afterExpiryDays: 1 },
        { purpose: PURPOSE, afterMatchDays: 1 },
      ],
    ],
    ['policies'],
  ])('POLICY-40 refused: %j', async (policies) => {
    const { where } = await realm()
    expect(await codeOf(purged({ ...where, policies: policies as never }))).toBe('ERR_POLICY_RETENTION')
  })
})

describe.each([false, true])('POLICY-41 two stores: %s', (split) => {
  test('POLICY-41 nothing of a purged record is left but the tombstone; its receipt verifies', async () => {
    const { vault, keyring, store, wraps, run, enroll, clock, where } = await realm(split)
    await enroll('anna')
    await enroll('held')
    await vault.hold('held')
    clock.advance(DAY)
    await enroll('ben')
    const { told, summary } = await run({ afterEnrolmentDays: 1 }, { actor: 'retention-job' })
    expect(summary).toMatchObject({ records: 3, held: 1, due: 1, erased: 1, people: 2 })
    const [, erased] = told
    if (erased?.outcome !== 'erased') throw new Error('expected an erasure')
    const { receipt } = erased
    expect(verifyErasureReceipt(receipt, await keyring.receiptPublicKey())).toMatchObject({
      record: erased.record,
    })
    for (const table of ['index', 'attempts', 'references'] as const)
      expect(await rowsOf(store, table)).toHaveLength(2)
    expect(await rowsOf(wraps, 'secrets')).toHaveLength(2)
    expect((await logOf(store)).filter(({ action }) => action === 'erase')).toMatchObject([
      { outcome: 'done', policy: 'retention/enrolment', actor: 'retention-job' },
    ])
    const faults = []
    for await (const fault of fsck(where)) faults.push(fault)
    expect(faults).toEqual([])
    await vault.release('held')
    expect((await run({ afterEnrolmentDays: 1 })).summary.erased).toBe(1)
  })
})

describe('POLICY-42', () => {
  test.each([
    ['held', (vault: Vault) => vault.hold('anna')],
    ['renewed', (vault: Vault, basisOf: () => object) => vault.renewBasis('anna', basisOf() as never)],
  ])('POLICY-42 what was %s after it was counted is kept', async (_, change) => {
    const { vault, clock, enroll, where } = await realm()
    await enroll('anna', 1)
    clock.advance(2 * DAY)
    const later = () =>
      basis({ grantedAt: new Date(clock.nowMs()), expiresAt: new Date(clock.nowMs() + 9 * DAY) })
    const walk = purge({ ...where, policies: [{ purpose: PURPOSE, afterExpiryDays: 1 }] })
    expect((await walk.next()).value).toMatchObject([{ outcome: 'due' }])
    await change(vault, later)
    expect((await walk.next()).value).toMatchObject([{ outcome: 'kept' }])
    expect((await walk.next()).value).toMatchObject({ due: 1, erased: 0, failed: 0, people: 1 })
    expect(await known(vault, 'anna')).toBe(true)
  })

  test('POLICY-42 who matched after the count is kept', async () => {
    const { vault, clock, enroll, where } = await realm()
    await enroll('anna')
    clock.advance(DAY)
    const walk = purge({ ...where, policies: [{ purpose: PURPOSE, afterMatchDays: 1 }] })
    expect((await walk.next()).value).toMatchObject([{ outcome: 'due' }])
    await vault.verify({ subject: 'anna', ...sample(1, 1) })
    expect((await walk.next()).value).toMatchObject([{ outcome: 'kept' }])
    await walk.return(undefined as never)
  })
})

describe('POLICY-43', () => {
  test('POLICY-43 stopped between a page and its receipts: the next run gives the same receipts', async () => {
    const { vault, clock, enroll, where } = await realm()
    await enroll('anna')
    clock.advance(DAY)
    const policies = [{ purpose: PURPOSE, afterEnrolmentDays: 1 }]
    const walk = purge({ ...where, policies })
    const [due] = (await walk.next()).value as readonly { subject: SubjectId }[]
    const subject = due?.subject as SubjectId
    // As long as nothing is erased there is no receipt, and the record is due again.
    await walk.return(undefined as never)
    expect((await purged({ ...where, policies, resume: [subject], dryRun: true })).told).toMatchObject([
      { outcome: 'due' },
    ])
    const first = await purged({ ...where, policies })
    const again = await purged({ ...where, policies, resume: [subject] })
    expect(again.told).toMatchObject([{ outcome: 'erased', subject }])
    const receiptOf = (told: typeof first.told) => {
      const one = told.at(-1)
      if (one?.outcome !== 'erased') throw new Error('expected an erasure')
      return one.receipt
    }
    expect(receiptOf(again.told)).toEqual(receiptOf(first.told))
    expect(await known(vault, 'anna')).toBe(false)
    expect(await codeOf(purged({ ...where, policies, resume: ['x' as SubjectId] }))).toBe('ERR_VAULT_INPUT')
  })

  test('POLICY-43 a record that cannot be erased fails alone; unreadable ones are counted', async () => {
    const { clock, enroll, where, store } = await realm()
    for (const name of ['anna', 'ben', 'cleo']) await enroll(name)
    clock.advance(DAY)
    const [index] = await rowsOf(store, 'index')
    await store.commit([
      { step: 'delete', table: 'index', key: index?.key as Uint8Array, expected: index?.version as string },
    ])
    const policies = [{ purpose: PURPOSE, afterEnrolmentDays: 1 }]
    const { summary, told } = await purged({ ...where, policies })
    expect(summary).toMatchObject({ due: 3, erased: 2, failed: 1 })
    expect(told.filter(({ outcome }) => outcome === 'failed')).toMatchObject([
      { error: { code: 'ERR_RECORD_MISSING' } },
    ])
  })
})

test('POLICY-44 the rate holds, and progress is told', async () => {
  const { clock, enroll, run } = await realm()
  for (const name of ['anna', 'ben', 'cleo']) await enroll(name)
  clock.advance(DAY)
  const told: (readonly number[])[] = []
  const ticking = setInterval(() => clock.advance(100), 1)
  const begun = clock.steady().ms
  const { summary, pages } = await run(
    { afterEnrolmentDays: 1 },
    { perSecond: 1, onProgress: (...numbers: readonly number[]) => told.push(numbers) },
  )
  clearInterval(ticking)
  expect(summary.erased).toBe(3)
  expect(pages).toHaveLength(6)
  expect(clock.steady().ms - begun).toBeGreaterThanOrEqual(2000)
  expect(told).toEqual([
    [1, 3],
    [2, 3],
    [3, 3],
  ])
})

test('POLICY-44 aborting ends it, and the next run goes on', async () => {
  const { clock, enroll, run } = await realm()
  for (const name of ['anna', 'ben', 'cleo']) await enroll(name)
  clock.advance(DAY)
  const stop = new AbortController()
  const onProgress = () => stop.abort(new Error('enough'))
  await expect(
    run({ afterEnrolmentDays: 1 }, { perSecond: 1, onProgress, signal: stop.signal }),
  ).rejects.toThrow('enough')
  expect((await run({ afterEnrolmentDays: 1 })).summary).toMatchObject({ due: 2, erased: 2 })
})

test('POLICY-80 a signal in the middle of a page cuts nothing of it off: who is gone is told, and logged under who asked', async () => {
  const clock = manualClock()
  const store = hookedStore(memoryStore())
  const { vault, keyring } = await testVault({ clock, store })
  for (const subject of ['anna', 'ben', 'cleo', 'dora', 'emil'])
    await vault.enroll({ subject, basis: basis(), ...sample(1) })
  clock.advance(DAY)
  const stop = new AbortController()
  store.fault = {
    before: ({ name, steps }) => {
      if (name === 'commit' && steps.some(({ table }) => table === 'references'))
        stop.abort(new Error('enough'))
    },
  }
  const where = { keyring, store, logSigner: SIGNER, [testClock]: clock, actor: 'night' }
  const policies = [{ purpose: PURPOSE, afterEnrolmentDays: 1 }]
  const walk = purge({ ...where, policies, perSecond: 3, signal: stop.signal })
  expect((await walk.next()).value).toHaveLength(3)
  const { value } = await walk.next()
  const told = value as readonly { readonly outcome: string }[]
  expect(told.map(({ outcome }) => outcome)).toEqual(['erased', 'erased', 'erased'])
  await expect(walk.next()).rejects.toThrow('enough')
  const entries = (await logOf(store)).filter(({ action }) => action === 'erase')
  expect(entries.map(({ actor }) => actor)).toEqual(['night', 'night', 'night'])
})

test('POLICY-80 a signal between announcement and page erases nobody', async () => {
  const { clock, enroll, where } = await realm()
  await enroll('anna')
  clock.advance(DAY)
  const stop = new AbortController()
  const policies = [{ purpose: PURPOSE, afterEnrolmentDays: 1 }]
  const walk = purge({ ...where, policies, signal: stop.signal })
  expect((await walk.next()).value).toMatchObject([{ outcome: 'due' }])
  stop.abort(new Error('enough'))
  await expect(walk.next()).rejects.toThrow('enough')
  expect((await purged({ ...where, policies })).summary).toMatchObject({ due: 1, erased: 1 })
})

test('POLICY-45 the number of people is that of a model after every twentieth of 400 steps', async () => {
  const { vault, keyring, store } = await testVault()
  const random = numbers(45)
  const model = new Map<string, 'kept' | 'held' | 'revoked'>()
  const VERBS = [
    'enroll',
    'enroll',
    'revoke',
    'breach',
    'withdraw',
    'hold',
    'release',
    'suspend',
    'erase',
    'reissue',
    'verify',
    'renewBasis',
  ] as const
  for (let step = 0; step < 400; step++) {
    const subject = `person ${Math.floor(12 * random())}`
    const verb = VERBS[Math.floor(VERBS.length * random())] ?? 'enroll'
    const given = { subject, basis: basis(), ...sample(1, step) }
    const task = {
      enroll: () => vault.enroll(given),
      revoke: () => vault.revoke(subject, 'other'),
      breach: () => vault.revoke(subject, 'breach'),
      withdraw: () => vault.withdraw(subject),
      hold: () => vault.hold(subject),
      release: () => vault.release(subject),
      suspend: () => vault.suspend(subject),
      erase: () => vault.erase(subject),
      reissue: () => vault.reissue(given),
      verify: () => vault.verify({ subject, ...sample(1, step) }),
      renewBasis: () => vault.renewBasis(subject, basis()),
    }[verb]
    const done = (await codeOf(task())) === 'resolved'
    const stands = model.get(subject)
    if (done && (verb === 'enroll' || verb === 'reissue')) model.set(subject, 'kept')
    if (done && verb === 'hold') model.set(subject, 'held')
    if (done && verb === 'release') model.set(subject, 'kept')
    if (done && verb === 'erase') model.delete(subject)
    if (done && ['revoke', 'breach', 'withdraw'].includes(verb) && stands === 'kept')
      model.set(subject, 'revoked')
    const expected = [...model.values()].filter((one) => one !== 'revoked').length
    if (step % 20 === 19) {
      expect(await countPeople(keyring), `step ${step}: ${verb}`).toBe(expected)
      expect((await vaultStatus({ keyring, store })).people).toBe(expected)
      expect(await rowsOf(store, 'references')).toHaveLength(expected)
    }
  }
})

test('POLICY-45 what is not durable is not counted, and counting writes nothing', async () => {
  const { store, fail } = failingStore()
  const { vault, keyring } = await testVault({ store })
  await vault.enroll({ subject: 'anna', basis: basis(), ...sample(1) })
  fail(true)
  expect(await codeOf(vault.enroll({ subject: 'ben', basis: basis(), ...sample(2) }))).not.toBe('resolved')
  fail(false)
  await vault.close()
  const before = await dump(store)
  expect(await countPeople(keyring)).toBe(1)
  expect(await dump(store)).toEqual(before)
})

function failingStore() {
  let failing = false
  const store = hookedStore(memoryStore())
  store.fault = {
    before: async ({ name }) => {
      if (failing && name === 'commit') throw new Error('the disk is gone')
    },
  }
  const fail = (to: boolean): void => {
    failing = to
  }
  return { store, fail }
}
