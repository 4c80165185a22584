import { finishModel, modelStatus, withdrawModel } from 'guise/node'
import { describe, expect, test } from 'vitest'
import { decodeModelRow, encodeModelRow, type ModelRow } from '../../src/record/model-row.ts'
import { stateKey } from '../../src/record/place.ts'
import { adaptRequest, DAY, type ModelWorld, modelWorld, NEXT, NEXT_BITS } from '../support/models.ts'
import { basis, codeOf, MODEL, point, sample } from '../support/vault.ts'

const THIRD = { ...NEXT, id: 'third@1' }
const toThird = { model: THIRD, operatingPoints: [point(THIRD, NEXT_BITS)] }

/** The first migration is over; p0 was under a legal hold and kept a template of the old model. */
async function finishedWorld(): Promise<ModelWorld> {
  const world = await modelWorld()
  const { vault, place, clock } = world
  const expiresAt = new Date(clock.nowMs() + 900 * DAY)
  await vault.enroll({ subject: 'p0', ...sample(0), basis: basis({ expiresAt }) })
  await vault.hold('p0')
  await world.announce()
  await finishModel({ ...place, rest: 'suspend' })
  await vault.release('p0')
  await vault.resume('p0').catch(() => undefined)
  return world
}

/** How the old model is treated: by a vault that was open all the time, and by opening one. */
async function oldModel({ vault, open }: ModelWorld): Promise<readonly unknown[]> {
  return [
    await vault.verify({ subject: 'p0', ...sample(0, 1) }),
    await codeOf(vault.enroll({ subject: 'more', ...sample(8), basis: basis() })),
    await codeOf(open()),
  ]
}

const ENDED = [{ outcome: 'refused', reason: 'model' }, 'ERR_VAULT_MODEL', 'ERR_VAULT_MODEL']

describe('a model that a migration has ended', () => {
  test('VAULT-100 stays so while another one is announced, under way, closed and finished', async () => {
    const world = await finishedWorld()
    const { announce, clock, place } = world
    expect(await oldModel(world)).toEqual(ENDED)
    const [now, from] = [clock.nowMs(), { model: NEXT }]
    const window = { opensAt: new Date(now + DAY), closesAt: new Date(now + 3 * DAY) }
    await announce({ from, to: toThird, ...window })
    for (const stage of ['announced', 'dual', 'closed', 'finished']) {
      if (stage === 'finished') await finishModel(place)
      expect((await modelStatus(place)).stage).toBe(stage)
      expect(await oldModel(world)).toEqual(ENDED)
      clock.advance(stage === 'announced' ? DAY : 2 * DAY)
    }
  })

  test('VAULT-100 stays so when the migration that follows is withdrawn', async () => {
    const world = await finishedWorld()
    const { announce, clock, place } = world
    const opensAt = new Date(clock.nowMs() + DAY)
    await announce({ from: { model: NEXT }, to: toThird, opensAt })
    expect(await withdrawModel(place)).toMatchObject({ stage: 'finished', from: MODEL.id, to: NEXT.id })
    expect(await oldModel(world)).toEqual(ENDED)
    expect(await codeOf(withdrawModel(place))).toBe('ERR_VAULT_TRANSITION')
    // It can be announced anew, opened and finished; withdrawn later, it leaves both.
    await announce({ from: { model: NEXT }, to: toThird })
    await finishModel(place)
    const to = {
      model: { ...NEXT, id: 'fourth@1' },
      operatingPoints: [point({ ...NEXT, id: 'fourth@1' }, 256)],
    }
    await announce({ from: { model: THIRD }, to, opensAt: new Date(clock.nowMs() + DAY) })
    expect(await withdrawModel(place)).toMatchObject({ stage: 'finished', from: NEXT.id, to: THIRD.id })
    expect(await oldModel(world)).toEqual(ENDED)
  })

  test('VAULT-100 until a migration that leads back to it has opened', async () => {
    const world = await finishedWorld()
    const { announce, clock, vault, place } = world
    const to = { model: MODEL, operatingPoints: [point()] }
    await announce({ from: { model: NEXT }, to, opensAt: new Date(clock.nowMs() + DAY) })
    expect((await oldModel(world))[0]).toEqual(ENDED[0])
    clock.advance(DAY)
    expect(await vault.verify({ subject: 'p0', ...sample(0, 1) })).toMatchObject({ outcome: 'match' })
    await finishModel(place)
    await announce({ from: { model: MODEL }, to: toThird })
    expect(await vault.verify({ subject: 'p0', ...sample(0, 1) })).toMatchObject({ outcome: 'match' })
  })
})

describe('finishing beside a record that cannot be read', () => {
  for (const rest of [undefined, 'suspend'] as const) {
    test(`VAULT-101 is refused, with the rest ${rest ?? 'unsaid'}`, async () => {
      const { vault, store, place, announce, dual } = await modelWorld()
      await vault.enroll({ subject: 'p0', ...sample(0), basis: basis() })
      await announce()
      const both = await dual()
      const row = await firstState(store)
      const altered = Uint8Array.from(row.bytes)
      altered[altered.length - 1] = (altered.at(-1) as number) ^ 1
      const version = await put(row.version, altered)
      const finished = await finishModel({ ...place, ...(rest && { rest }) })
      expect(finished).toMatchObject({ outcome: 'left', migration: { left: 0, unreadable: 1 } })
      // It came back: the person moves as everybody does, where the window has not ended for good.
      await put(version, row.bytes)
      if (rest !== undefined) return
      expect(await both.adapt(adaptRequest('p0', 0, 1, true))).toMatchObject({ adapted: { generation: 2 } })
      expect(await finishModel(place)).toMatchObject({ outcome: 'finished' })

      async function put(expected: string, bytes: Uint8Array): Promise<string> {
        await store.commit([{ step: 'put', table: 'states', key: row.key, bytes, expected }])
        return (await firstState(store)).version
      }
    })
  }
})

test('VAULT-102 a window that was opened again while the rest was dealt with ends nothing', async () => {
  const { vault, place, announce, dual, clock } = await modelWorld()
  const expiresAt = new Date(clock.nowMs() + 900 * DAY)
  await vault.enroll({ subject: 'p0', ...sample(0), basis: basis({ expiresAt }) })
  await announce()
  const both = await dual()
  let opened = false
  const onProgress = (): void => {
    opened = true
  }
  // Another operator announces another end, and somebody comes, when the campaign has told of its last one.
  const finish = finishModel({ ...place, rest: 'suspend', onProgress: onProgress })
  const { store } = place
  const commit = store.commit.bind(store)
  let entered: Promise<unknown> | undefined
  store.commit = async (steps, options) => {
    if (opened && entered === undefined) {
      entered = announce().then(() =>
        vault.enroll({ subject: 'late', ...sample(9), basis: basis({ expiresAt }) }),
      )
      await entered
    }
    return await commit(steps, options)
  }
  expect(await finish).toMatchObject({ outcome: 'left', migration: { stage: 'dual', left: 2 } })
  expect(await vault.verify({ subject: 'late', ...sample(9, 1) })).toMatchObject({ outcome: 'match' })
  expect(await both.adapt(adaptRequest('late', 9, 1, true))).toMatchObject({ adapted: { generation: 2 } })
  expect(await finishModel({ ...place, rest: 'suspend' })).toMatchObject({ outcome: 'finished' })
})

async function firstState(
  store: ModelWorld['store'],
): Promise<{ key: Uint8Array; bytes: Uint8Array; version: string }> {
  const prefix = stateKey('clinic' as never, new Uint8Array())
  for await (const row of store.scan('states', prefix)) return row
  throw new Error('no state row')
}

describe('the row of a migration that follows others', () => {
  const key = new Uint8Array(32).fill(7)
  const side = (model: string): ModelRow['from'] => ({
    model,
    meanHash: new Uint8Array(32),
    dimensions: 128,
    bits: 128,
  })
  const row: ModelRow = {
    realm: 'clinic' as never,
    version: 2,
    finished: false,
    from: side('b@1'),
    to: side('c@1'),
    points: ['0123456789abcdef'],
    opensMs: 1,
    closesMs: 2,
    changedMs: 1,
    keyVersion: 1,
  }

  test('VAULT-100 names 1 to 64 models that have ended, or says nothing', () => {
    const read = (ended: ModelRow['ended']): ModelRow =>
      decodeModelRow(encodeModelRow({ ...row, ...(ended && { ended }) }, key), row.realm, () => key)
    expect(read(undefined)).toEqual(row)
    const ended = Array.from({ length: 64 }, (_, i) => side(`a@${i}`))
    expect(read(ended)).toEqual({ ...row, ended })
    for (const bad of [[], [...ended, side('z@1')], { map: () => 0 }])
      expect(() => read(bad as never)).toThrow(expect.objectContaining({ code: 'ERR_RECORD_FORMAT' }))
  })
})
