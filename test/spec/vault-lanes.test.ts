/** SPEC §11.5: verifies side by side, and those who wait. @module */
import { memoryStore } from 'guise'
import { describe, expect, test } from 'vitest'
import { rowsOf } from '../support/rows.ts'
import { basis, codeOf, sample, testVault } from '../support/vault.ts'

const LANES = 64
const PEOPLE = 150

/** A vault of many people whose look-ups can be held back, and how many of them are under way. */
async function crowd(): Promise<{
  readonly world: Awaited<ReturnType<typeof testVault>>
  readonly held: { count: number; most: number }
  readonly hold: () => () => void
  readonly ask: (i: number, signal?: AbortSignal) => Promise<string>
}> {
  const inner = memoryStore()
  const held = { count: 0, most: 0 }
  let gate: Promise<void> | undefined
  const store = {
    ...inner,
    durable: inner.durable,
    get: inner.get.bind(inner),
    commit: inner.commit.bind(inner),
    scan: inner.scan.bind(inner),
    close: inner.close.bind(inner),
    getMany: async (...given: Parameters<NonNullable<typeof inner.getMany>>) => {
      held.count += 1
      held.most = Math.max(held.most, held.count)
      await gate
      held.count -= 1
      return await (inner.getMany as NonNullable<typeof inner.getMany>)(...given)
    },
  } as typeof inner
  const world = await testVault({ store, attempts: { realmPerHour: 1_000_000 } })
  for (let i = 0; i < PEOPLE; i++)
    await world.vault.enroll({ ...sample(i), subject: `p${i}`, basis: basis() })
  held.most = 0
  const ask = async (i: number, signal?: AbortSignal): Promise<string> => {
    const options = signal === undefined ? {} : { signal }
    return (await world.vault.verify({ ...sample(i, 1), subject: `p${i}` }, options)).outcome
  }
  const hold = (): (() => void) => {
    let release = (): void => undefined
    gate = new Promise((resolve) => {
      release = () => {
        gate = undefined
        resolve()
      }
    })
    return release
  }
  return { world, held, hold, ask }
}

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20))

describe('VAULT-104', () => {
  test('VAULT-104 so many are decided side by side, and all are answered', async () => {
    const { held, hold, ask, world } = await crowd()
    const release = hold()
    const asked = Array.from({ length: PEOPLE }, (_, i) => ask(i))
    await pause()
    expect(held.count).toBe(LANES)
    expect((await world.vault.health()).inFlight).toBe(PEOPLE)
    release()
    expect(new Set(await Promise.all(asked))).toEqual(new Set(['match']))
    expect(held.most).toBeLessThanOrEqual(LANES + 2)
  })

  test('VAULT-104 one that is ended while it waits has taken its sample, and leaves nothing behind', async () => {
    const { hold, ask, world } = await crowd()
    const before = await rowsOf(world.store, 'queue')
    const release = hold()
    const first = Array.from({ length: LANES }, (_, i) => ask(i))
    await pause()
    const controller = new AbortController()
    const request = { ...sample(100, 1), subject: 'p100' }
    const waiting = world.vault.verify(request, { signal: controller.signal })
    const behind = ask(101)
    controller.abort(new Error('no longer'))
    await expect(waiting).rejects.toThrow('no longer')
    release()
    expect(new Set(await Promise.all([...first, behind]))).toEqual(new Set(['match']))
    const entries = await rowsOf(world.store, 'queue')
    expect(entries.length - before.length).toBeLessThanOrEqual(LANES + 1)
    // What was taken is gone: it cannot be asked again.
    expect(await codeOf(world.vault.verify(request))).toBe('ERR_EMBEDDING_DISPOSED')
  })

  test('VAULT-104 a request says what it said when it was made', async () => {
    const { hold, ask, world } = await crowd()
    const release = hold()
    const first = Array.from({ length: LANES }, (_, i) => ask(i))
    const request = { ...sample(100, 1), subject: 'p100' }
    const waiting = world.vault.verify(request)
    request.subject = 'p7'
    release()
    expect((await waiting).outcome).toBe('match')
    await Promise.all(first)
  })

  test('VAULT-104 a crowd that asks about one subject takes one place', async () => {
    const { held, hold, ask } = await crowd()
    const release = hold()
    const same = Array.from({ length: LANES + 10 }, () => ask(3))
    const other = ask(4)
    await pause()
    expect(held.count).toBe(2)
    release()
    expect(await other).toBe('match')
    expect(new Set(await Promise.all(same))).toEqual(new Set(['match']))
  })

  test('VAULT-104 whoever waits for a device keeps nobody waiting', async () => {
    const { vault } = await testVault({ custody: { profile: 'holder' } })
    const holderShare = async (): Promise<Uint8Array> => new Uint8Array(32).fill(5)
    await vault.enroll({ ...sample(1), subject: 'anna', basis: basis(), holderShare })
    const never = (): Promise<never> => new Promise(() => undefined)
    const people = Array.from({ length: LANES + 1 }, (_, i) => `slow${i}`)
    for (const subject of people) await vault.enroll({ ...sample(2), subject, basis: basis(), holderShare })
    for (const subject of people) void vault.verify({ ...sample(2, 1), subject, holderShare: never })
    expect((await vault.verify({ ...sample(1, 1), subject: 'anna', holderShare })).outcome).toBe('match')
  })
})
