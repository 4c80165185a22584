import { StoreError, type Vault } from 'guise'
import { countPeople, finishModel, fsck, modelStatus, vaultStatus, withdrawModel } from 'guise/node'
import { describe, expect, test } from 'vitest'
import { realmPrefix } from '../../src/base/identifier.ts'
import { modelPlace } from '../../src/record/place.ts'
import {
  adaptRequest,
  DAY,
  type ModelWorld,
  modelWorld,
  NEXT,
  NEXT_BITS,
  nextSample,
} from '../support/models.ts'
import { basis, codeOf, MODEL, point, sample } from '../support/vault.ts'
import { entriesOf } from '../support/vault-log.ts'

interface Dual extends ModelWorld {
  readonly both: Vault
  move(person: number): Promise<void>
}

/** A realm in its window, with so many people of the old model. */
async function dualWorld(people: number): Promise<Dual> {
  const world = await modelWorld()
  const ends = new Date(world.clock.nowMs() + 900 * DAY)
  for (let i = 0; i < people; i++) {
    await world.vault.enroll({ subject: `p${i}`, ...sample(i), basis: basis({ expiresAt: ends }) })
  }
  await world.announce()
  const both = await world.dual()
  const move = async (person: number): Promise<void> => {
    const decision = await both.adapt(adaptRequest(`p${person}`, person, 1, true))
    if (decision.outcome !== 'match' || decision.adapted === undefined) throw new Error('not moved')
  }
  return { ...world, both, move }
}

describe('finishing a migration', () => {
  test('VAULT-79 is refused while people are left, and changes nothing', async () => {
    const { place, both, move, store } = await dualWorld(2)
    await move(0)
    const before = await modelStatus(place)
    expect(await finishModel(place)).toEqual({ outcome: 'left', migration: before })
    expect(await modelStatus(place)).toEqual(before)
    await move(1)
    expect(await finishModel(place)).toMatchObject({ outcome: 'finished', migration: { left: 0, moved: 2 } })
    expect(await both.verify({ subject: 'p0', ...nextSample(0, 2) })).toMatchObject({ outcome: 'match' })
    const said = (await entriesOf(store)).filter(({ action }) => action === 'model-finish')
    expect(said.map(({ outcome, policy }) => [outcome, policy])).toEqual([
      ['refused', null],
      ['done', 'moved'],
    ])
  })

  for (const rest of ['suspend', 'revoke'] as const) {
    test(`VAULT-79 with the rest to ${rest}: nobody matches by the old model any more, in any process`, async () => {
      const { place, both, vault, move } = await dualWorld(4)
      await move(0)
      await both.suspend('p2')
      await both.hold('p3')
      const told: number[] = []
      const onProgress = ({ done }: { done: number }): void => void told.push(done)
      const finished = await finishModel({ ...place, rest, perSecond: 1000, onProgress })
      expect(finished).toMatchObject({ outcome: 'finished', rest: { complete: true, failed: 0 } })
      expect(told.length).toBeGreaterThan(0)
      const states = await Promise.all(
        ['p0', 'p1', 'p2', 'p3'].map(async (subject) => (await both.describe(subject))?.state),
      )
      const ended = rest === 'suspend' ? 'suspended' : 'revoked'
      expect(states).toEqual(['active', ended, ended, 'held'])
      if (rest === 'revoke') return
      // Whoever is resumed afterwards is compared with nothing, by vaults that were open all the time as well.
      await vault.resume('p1')
      for (const one of [vault, both]) {
        const decision = await one.verify({ subject: 'p1', ...sample(1, 1) })
        expect(decision).toEqual({ outcome: 'refused', reason: 'model' })
      }
      expect(await both.adapt(adaptRequest('p1', 1, 1, true))).toEqual({
        outcome: 'refused',
        reason: 'model',
      })
      const again = { subject: 'p1', basis: basis() }
      expect(await codeOf(vault.reissue({ ...again, ...sample(1) }))).toBe('ERR_VAULT_MODEL')
      await both.reissue({ ...again, ...nextSample(1) })
      expect(await both.verify({ subject: 'p1', ...nextSample(1, 1) })).toMatchObject({ outcome: 'match' })
    })
  }

  test('VAULT-79 a vault of the old model does not open afterwards, and one of the new does', async () => {
    const { place, open, move } = await dualWorld(1)
    await move(0)
    await finishModel(place)
    expect(await codeOf(open())).toBe('ERR_VAULT_MODEL')
    const next = { model: NEXT, operatingPoints: [point(NEXT, NEXT_BITS)], adaptation: undefined }
    const vault = await open(next as never)
    expect(await vault.verify({ subject: 'p0', ...nextSample(0, 1) })).toMatchObject({ outcome: 'match' })
    expect(await finishModel(place)).toMatchObject({ outcome: 'finished' })
  })

  test('VAULT-78 an enrolment of the old model that meets the end of the window is not in the way of the count', async () => {
    const { place, store, vault, move } = await dualWorld(1)
    await move(0)
    // The enrolment has decided on the open window, and its batch comes after the end.
    const commit = store.commit.bind(store)
    let ended: Promise<unknown> | undefined
    store.commit = async (steps, options) => {
      const enrolls = steps.some(({ step, table }) => step === 'put' && table === 'references')
      if (enrolls && ended === undefined) {
        ended = finishModel(place)
        await ended
      }
      return await commit(steps, options)
    }
    const made = codeOf(vault.enroll({ subject: 'late', ...sample(9), basis: basis() }))
    expect(await made).toBe('ERR_VAULT_MODEL')
    expect(await ended).toMatchObject({ outcome: 'finished', migration: { left: 0 } })
  })

  test('VAULT-80 goes on where it was stopped', async () => {
    const { place, store, both, move } = await dualWorld(3)
    await move(0)
    const commit = store.commit.bind(store)
    let left = 2
    store.commit = async (steps, options) => {
      const changes = steps.some(({ step, table }) => step === 'put' && table === 'states')
      if (changes && left-- <= 0) throw new StoreError('ERR_STORE_FULL', 'the disk is gone')
      return await commit(steps, options)
    }
    const first = await finishModel({ ...place, rest: 'suspend' }).catch((error: unknown) => error)
    expect(first).toSatisfy(
      (result: unknown) => result instanceof StoreError || (result as { outcome: string }).outcome === 'left',
    )
    store.commit = commit
    expect(await finishModel({ ...place, rest: 'suspend' })).toMatchObject({ outcome: 'finished' })
    expect((await both.describe('p1'))?.state).toBe('suspended')
    expect((await both.describe('p2'))?.state).toBe('suspended')
  })
})

test('VAULT-81 the report names pseudonyms, since when, and who matched longest ago first', async () => {
  const { place, clock, both, move } = await dualWorld(4)
  await move(0)
  clock.advance(DAY)
  await both.verify({ subject: 'p1', ...sample(1, 1) })
  clock.advance(DAY)
  await both.verify({ subject: 'p2', ...sample(2, 1) })
  const status = await modelStatus(place)
  expect(status).toMatchObject({
    stage: 'dual',
    from: MODEL.id,
    to: NEXT.id,
    moved: 1,
    left: 3,
    other: 0,
    unreadable: 0,
  })
  const names = await Promise.all(['p3', 'p1', 'p2'].map(async (one) => (await both.describe(one))?.subject))
  expect(status.stragglers.map(({ subject }) => subject)).toEqual(names)
  expect(status.stragglers.map(({ lastMatchAt }) => lastMatchAt)).toEqual([
    undefined,
    clock.nowMs() - DAY,
    clock.nowMs(),
  ])
  for (const { since, state } of status.stragglers)
    expect({ since, state }).toEqual({ since: clock.nowMs() - 2 * DAY, state: 'active' })
  expect(JSON.stringify(status)).not.toMatch(/p[0-3]"/)
})

test('POLICY-73 an adaptation is a match: it neither begins a retention anew nor makes another person', async () => {
  const { place, clock, both, move } = await dualWorld(2)
  const enrolledAt = clock.nowMs()
  clock.advance(DAY)
  const decision = await both.adapt(adaptRequest('p0', 0))
  expect(decision).toMatchObject({ outcome: 'match', adapted: { generation: 2 } })
  const { stragglers } = await modelStatus(place)
  const [, adapted] = stragglers
  expect(adapted).toMatchObject({ since: enrolledAt, lastMatchAt: clock.nowMs() })
  await move(1)
  expect(await countPeople(place.keyring)).toBe(2)
  expect((await vaultStatus(place)).people).toBe(2)
})

describe('the row of a migration', () => {
  test('VAULT-82 that was put back, or taken away, is refused as a state row is', async () => {
    const { place, store, open, both, move, realm } = { ...(await dualWorld(1)), realm: 'clinic' as never }
    const { table, key } = modelPlace({ realm })
    const before = await store.get(table, key)
    await move(0)
    await finishModel(place)
    const now = await store.get(table, key)
    if (before === undefined || now === undefined) throw new Error('no row')
    await store.commit([{ step: 'put', table, key, bytes: before.bytes, expected: now.version }])
    expect(await codeOf(both.verify({ subject: 'p0', ...nextSample(0, 1) }))).toBe('ERR_AUDIT_ROLLBACK')
    expect(await codeOf(open({}))).toBe('ERR_AUDIT_ROLLBACK')
    const faults = []
    for await (const { kind, table: where } of fsck(place)) faults.push({ kind, table: where })
    expect(faults).toEqual([{ kind: 'old', table: 'states' }])
    const put = await store.get(table, key)
    await store.commit([{ step: 'delete', table, key, expected: put?.version ?? '' }])
    expect(await codeOf(open({}))).toBe('ERR_AUDIT_ROLLBACK')
  })

  test('VAULT-82 altered in any byte is refused', async () => {
    const { store, open } = await dualWorld(0)
    const { table, key } = modelPlace({ realm: 'clinic' as never })
    const good = await store.get(table, key)
    if (good === undefined) throw new Error('no row')
    expect(realmPrefix('clinic' as never).length + 16).toBe(key.length)
    for (let at = 0; at < good.bytes.length; at += 7) {
      const bytes = Uint8Array.from(good.bytes)
      bytes[at] = (bytes[at] ?? 0) ^ 1
      const { version } = (await store.get(table, key)) ?? { version: '' }
      await store.commit([{ step: 'put', table, key, bytes, expected: version }])
      expect(await codeOf(open({}))).toMatch(/^ERR_RECORD_/)
    }
  })

  test('VAULT-77 bad windows and equal models are refused before anything is written', async () => {
    const { announce, clock, place } = await modelWorld()
    const now = clock.nowMs()
    const bad = [
      { closesAt: new Date(now) },
      { closesAt: new Date(Number.NaN) },
      { opensAt: new Date(now + 2 * DAY), closesAt: new Date(now + DAY) },
      { to: { model: MODEL, operatingPoints: [point()] } },
    ]
    for (const options of bad) expect(await codeOf(announce(options))).toBe('ERR_VAULT_INPUT')
    expect((await modelStatus(place)).stage).toBe('none')
    await announce({ opensAt: new Date(now + DAY) })
    await withdrawModel(place)
    expect(await announce({ opensAt: new Date(now + DAY) })).toMatchObject({ stage: 'announced' })
  })
})
