/** Requirements POLICY-55 to POLICY-57 of SPEC.md: who must know that a realm has so many people is told. @module */
import { memoryStore, type Telemetry } from 'guise'
import { fsck, type PeopleReading, vaultStatus, type WatchPeopleOptions, watchPeople } from 'guise/node'
import { logTelemetry } from 'guise/otel'
import { describe, expect, test } from 'vitest'
import { peopleKey } from '../../src/vault/people-row.ts'
import { crossingsOf, logOf } from '../support/people.ts'
import { hookedStore, overwrite, remove } from '../support/rows.ts'
import { basis, codeOf, numbers, sample, testVault } from '../support/vault.ts'

async function realm(store = memoryStore()) {
  const world = await testVault({ store })
  const { vault, keyring } = world
  const enroll = (subject: string): Promise<unknown> =>
    vault.enroll({ subject, basis: basis(), ...sample(1) })
  const watch = (more: Partial<WatchPeopleOptions> = {}) => {
    const walk = watchPeople({ keyring, store, thresholds: [2, 3], everyMs: 10, ...more })
    return { walk, read: async (): Promise<PeopleReading> => (await walk.next()).value }
  }
  return { ...world, enroll, watch }
}

const thresholdsOf = ({ reached }: PeopleReading): readonly number[] =>
  reached.map(({ threshold }) => threshold)

describe('POLICY-55', () => {
  test('POLICY-55 each time, once, in the log, in health and in status; nothing between', async () => {
    const { vault, keyring, store, enroll, watch } = await realm()
    const { read } = watch({ actor: 'watch-1' })
    expect(await read()).toEqual({ people: 0, reached: [] })
    await enroll('anna')
    expect(await read()).toEqual({ people: 1, reached: [] })
    expect((await vault.health()).people).toEqual([])
    await enroll('ben')
    const first = await read()
    expect(first).toMatchObject({ people: 2, reached: [{ threshold: 2 }] })
    expect((await read()).reached).toEqual([])
    const told = (await vault.health()).people
    expect(told).toMatchObject([{ threshold: 2 }])
    // The row is written a moment before its entry has a time.
    const early = (first.reached[0]?.at ?? 0) - (told?.[0]?.at ?? 0)
    expect(early).toBeGreaterThanOrEqual(0)
    expect(early).toBeLessThan(1000)
    await vault.revoke('ben', 'other')
    await enroll('cleo')
    await enroll('dora')
    expect(thresholdsOf(await read())).toEqual([2, 3])
    const status = await vaultStatus({ keyring, store, peopleThresholds: [2, 3] })
    expect(status).toMatchObject({ ok: true, people: 3, reached: [{ threshold: 2 }, { threshold: 3 }] })
    expect(
      status.notices.map(({ level, kind, text }) => [level, kind, text.replace(/at 20.*/, 'at')]),
    ).toEqual([
      ['warning', 'people', '3 people: from 3 on some laws ask for a filing'],
      ['note', 'people', '2 people were reached: the log tells of it at'],
      ['note', 'people', '3 people were reached: the log tells of it at'],
    ])
    for await (const fault of fsck({ keyring, store })) expect(fault).toBeUndefined()
    await vault.close()
    const events = (await logOf(store)).filter(({ action }) => action === 'people')
    expect(events.map(({ policy, outcome, actor, handle }) => [policy, outcome, actor, handle])).toEqual([
      ['people/2', 'done', 'watch-1', null],
      ['people/2', 'done', 'watch-1', null],
      ['people/3', 'done', 'watch-1', null],
    ])
  })

  test('POLICY-55 a number that was lower again before anybody looked is told of all the same', async () => {
    const { vault, keyring, store, enroll, watch } = await realm()
    for (const name of ['anna', 'ben', 'cleo']) await enroll(name)
    for (const name of ['anna', 'ben', 'cleo']) await vault.erase(name)
    expect((await vaultStatus({ keyring, store, peopleThresholds: [1] })).people).toBe(0)
    const reading = await watch().read()
    expect(reading.people).toBe(0)
    expect(thresholdsOf(reading)).toEqual([2, 3])
    expect((await vault.health()).people).toHaveLength(2)
  })

  test('POLICY-55 whoever begins later reads the events that are logged and logs none again', async () => {
    const { store, enroll, watch } = await realm()
    for (const name of ['anna', 'ben']) await enroll(name)
    expect(thresholdsOf(await watch().read())).toEqual([2])
    expect(thresholdsOf(await watch().read())).toEqual([2])
    expect(thresholdsOf(await watch({ thresholds: [1, 2] }).read())).toEqual([2, 1])
    const before = await store.get('log', peopleKey('clinic' as never))
    await watch({ thresholds: [1, 2] }).read()
    expect((await store.get('log', peopleKey('clinic' as never)))?.version).toBe(before?.version)
  })

  test('POLICY-55 a model of 300 steps, read at random: every crossing is followed by an event', async () => {
    const { vault, store, watch } = await realm()
    const random = numbers(55)
    const thresholds = [1, 2, 3, 5]
    const watchers = [watch({ thresholds }), watch({ thresholds })]
    for (let step = 0; step < 300; step++) {
      const subject = `person ${Math.floor(8 * random())}`
      const verbs = [
        () => vault.enroll({ subject, basis: basis(), ...sample(1) }),
        () => vault.enroll({ subject, basis: basis(), ...sample(1) }),
        () => vault.reissue({ subject, basis: basis(), ...sample(1) }),
        () => vault.revoke(subject, 'breach'),
        () => vault.withdraw(subject),
        () => vault.hold(subject),
        () => vault.release(subject),
        () => vault.erase(subject),
      ]
      await codeOf(verbs[Math.floor(verbs.length * random())]?.() as Promise<unknown>)
      if (random() < 0.1) await watchers[Math.floor(2 * random())]?.read()
    }
    await watchers[0]?.read()
    await vault.close()
    const entries = await logOf(store)
    for (const threshold of thresholds) {
      const { crossings, events, missed } = crossingsOf(entries, threshold)
      expect(crossings, `${threshold}`).toBeGreaterThan(1)
      expect({ missed, tooMany: events > crossings }).toEqual({ missed: 0, tooMany: false })
    }
  }, 30_000)
})

describe('POLICY-56', () => {
  test('POLICY-56 eight watchers that look at once log one event; each of them reads it', async () => {
    const { vault, store, enroll, watch } = await realm()
    const watchers = Array.from({ length: 8 }, () => watch())
    for (const { read } of watchers) await read()
    await enroll('anna')
    await enroll('ben')
    const readings = await Promise.all(watchers.map(({ read }) => read()))
    // Whoever looked before the event was logged reads it the next time.
    const again = await Promise.all(watchers.map(({ read }) => read()))
    for (const [i, reading] of readings.entries())
      expect([...thresholdsOf(reading), ...thresholdsOf(again[i] as PeopleReading)]).toEqual([2])
    await vault.close()
    expect((await logOf(store)).filter(({ action }) => action === 'people')).toHaveLength(1)
  })

  test('POLICY-56 an event that cannot be logged is due until it is', async () => {
    const store = hookedStore(memoryStore())
    const { vault, enroll, watch } = await realm(store)
    const { walk } = watch()
    await enroll('anna')
    await enroll('ben')
    store.fault = {
      before: ({ name, steps }) => {
        if (
          name === 'commit' &&
          steps.some((step) => step.step === 'put' && step.table === 'log' && step.bytes.length < 100)
        )
          throw new Error('the disk is full')
      },
    }
    await expect(walk.next()).rejects.toThrow('the disk is full')
    expect((await vault.health()).people).toEqual([])
    store.fault = {}
    expect(thresholdsOf(await watch().read())).toEqual([2])
  })

  test('POLICY-56 a row that somebody took away or wrote himself: the log decides, and the next event writes it anew', async () => {
    const { vault, keyring, store, enroll, watch } = await realm()
    const { read } = watch()
    await enroll('anna')
    await enroll('ben')
    await read()
    const key = peopleKey('clinic' as never)
    await overwrite(store, 'log', key, new Uint8Array(60).fill(1))
    expect((await vault.health()).people).toBeUndefined()
    expect(await vaultStatus({ keyring, store })).toMatchObject({ ok: false, unreadable: 1, reached: [] })
    expect(thresholdsOf(await watch().read())).toEqual([2])
    await enroll('cleo')
    await read()
    expect((await vault.health()).people).toMatchObject([{ threshold: 3 }])
    await remove(store, 'log', key)
    const status = await vaultStatus({ keyring, store, peopleThresholds: [3] })
    expect(status.notices.map(({ text }) => text)).toContain(
      'no event of 3 people is logged: run guise people',
    )
  })
})

describe('POLICY-57', () => {
  test('POLICY-57 telemetry counts what a process logs or reads later, and not what it finds; a logger warns', async () => {
    const { enroll, watch } = await realm()
    const told: string[] = []
    const telemetry = (name: string): Telemetry => ({
      count: (what, value, { threshold }) => void told.push(`${name} ${what} ${value} ${threshold}`),
      record: () => undefined,
    })
    const lines: unknown[] = []
    const line = (fields: object, message: string): void => void lines.push([fields, message])
    const logger = { debug: line, info: line, warn: line, error: line }
    await enroll('anna')
    await enroll('ben')
    const first = watch({ telemetry: telemetry('first') })
    await first.read()
    const second = watch({ telemetry: telemetry('second') })
    const third = watch({ telemetry: logTelemetry(logger, { attributes: { realm: 'clinic' } }) })
    await second.read()
    await third.read()
    await enroll('cleo')
    for (const { read } of [first, second, third]) await read()
    expect(told).toEqual([
      'first guise.people.reached 1 2',
      'first guise.people.reached 1 3',
      'second guise.people.reached 1 3',
    ])
    expect(lines).toEqual([[{ realm: 'clinic', threshold: '3' }, 'a number of people was reached']])
  })

  test('POLICY-57 an adapter that throws changes nothing; an abort ends the watch', async () => {
    const { enroll, watch } = await realm()
    await enroll('anna')
    await enroll('ben')
    const stop = new AbortController()
    const count = (): never => {
      throw new Error('adapter')
    }
    const { walk, read } = watch({
      telemetry: { count, record: () => undefined },
      signal: stop.signal,
      everyMs: 60_000,
    })
    expect(thresholdsOf(await read())).toEqual([2])
    const waiting = walk.next()
    stop.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
    const late = watch({ signal: stop.signal })
    await expect(late.walk.next()).rejects.toThrow('enough')
  })

  test.each([
    [{ thresholds: [] }],
    [{ thresholds: [0] }],
    [{ thresholds: [1.5] }],
    [{ thresholds: [2_000_000_000] }],
    [{ thresholds: 7 as never }],
    [{ everyMs: 1 }],
    [{ telemetry: {} as Telemetry }],
  ])('POLICY-57 refused: %j', async (more) => {
    const { watch } = await realm()
    expect(await codeOf(watch(more).read())).toBe('ERR_VAULT_CONFIGURATION')
  })
})
