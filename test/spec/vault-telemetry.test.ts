/** Requirements VAULT-19 to VAULT-21 of SPEC.md: what telemetry tells, and what it never does. @module */
import { memoryStore, type ScoreHistogram, StoreError, type Telemetry, type VaultOptions } from 'guise'
import { describe, expect, test } from 'vitest'
import { accepts } from '../../src/compare/decide.ts'
import { ScoreWindow, scoreBin } from '../../src/vault/histogram.ts'
import type { Verb } from '../../src/vault/telemetry.ts'
import type { Vault } from '../../src/vault/vault.ts'
import { hookedStore } from '../support/rows.ts'
import { basis, codeOf, PURPOSE, point, sample, testVault } from '../support/vault.ts'

type Told = readonly ['count' | 'record' | 'histogram', string, unknown, Readonly<Record<string, string>>]

function recorder(): Required<Telemetry> & { readonly told: Told[] } {
  const told: Told[] = []
  return {
    told,
    count: (...call) => void told.push(['count', ...call]),
    record: (...call) => void told.push(['record', ...call]),
    histogram: (...call) => void told.push(['histogram', ...call]),
  }
}

/** The verbs with their outcomes, in the order of the calls. */
function callsOf(told: readonly Told[]): string[] {
  return told.flatMap(([, name, , { verb, outcome }]) =>
    name === 'guise.vault.calls' ? [`${verb} ${outcome}`] : [],
  )
}

const ANNA = { subject: 'anna-the-subject', basis: basis() }

describe('VAULT-19 names and attributes', () => {
  test('VAULT-19 every verb is counted once with its outcome, and nothing else is said', async () => {
    const telemetry = recorder()
    const { vault, keyring } = await testVault({ telemetry, maxInFlight: 1 })
    await vault.enroll({ ...ANNA, pending: true, ...sample(1) })
    await vault.activate(ANNA.subject)
    await vault.suspend(ANNA.subject, { actor: 'an-actor', operationId: 'an-operation' })
    await vault.resume(ANNA.subject)
    await vault.verify({ subject: ANNA.subject, ...sample(1, 1) })
    await vault.verify({ subject: ANNA.subject, ...sample(2, 1) })
    await vault.verify({ subject: 'nobody-known', ...sample(2, 1) })
    await vault.hold(ANNA.subject)
    await vault.release(ANNA.subject)
    await vault.rebind(ANNA.subject)
    await vault.describe(ANNA.subject)
    await vault.revoke(ANNA.subject, 'other')
    await vault.reissue({ ...ANNA, ...sample(1, 2) })
    await keyring.promote(await keyring.add())
    for await (const _ of vault.rotate()) break
    for await (const _ of vault.rotate()) throw new Error('nothing is left')
    const receipt = await vault.erase(ANNA.subject)
    await vault.renewReceipt(receipt)
    for await (const _ of vault.enrollMany([{ ...ANNA, subject: 'bert-the-subject', ...sample(3) }])) {
    }
    const device = async (): Promise<Uint8Array> => new Uint8Array(32)
    await codeOf(vault.addDevice({ subject: 'bert-the-subject', holderShare: device } as never))
    await codeOf(vault.removeDevice({ subject: 'bert-the-subject', holderShare: device } as never))
    await vault.health()
    await vault.close()
    await codeOf(vault.health())
    expect(callsOf(telemetry.told)).toEqual([
      'enroll ok',
      'activate ok',
      'suspend ok',
      'resume ok',
      'verify match',
      'verify nonmatch',
      'verify refused',
      'hold ok',
      'release ok',
      'rebind ok',
      'describe ok',
      'revoke ok',
      'reissue ok',
      'rotate ok',
      'rotate ok',
      'erase ok',
      'renewReceipt ok',
      'enroll ok',
      'addDevice ERR_VAULT_CUSTODY',
      'removeDevice ERR_VAULT_CUSTODY',
      'health ok',
      'health ERR_VAULT_CLOSED',
    ])
    for (const [method, name, value, attributes] of telemetry.told) {
      const shape = `${method} ${name} ${Object.keys(attributes).join()}`
      expect([
        'count guise.vault.calls verb,outcome',
        'record guise.vault.duration verb',
        'count guise.vault.in_flight ',
      ]).toContain(shape)
      expect(typeof value === 'number' && Number.isFinite(value)).toBe(true)
    }
    const text = JSON.stringify(telemetry.told)
    expect(text).not.toMatch(/subject|nobody|actor|operation|clinic|login/)
    const levels = telemetry.told
      .filter(([, name]) => name === 'guise.vault.in_flight')
      .map((told) => told[2])
    expect(levels.reduce<number>((sum, change) => sum + Number(change), 0)).toBe(0)
  })

  test('VAULT-19 failures are counted by code, aborted calls as such, everything else as a fault', async () => {
    const telemetry = recorder()
    const store = hookedStore(memoryStore())
    const { vault } = await testVault({ telemetry, store, maxInFlight: 1 })
    const waiting = vault.enroll({ ...ANNA, ...sample(1) })
    await codeOf(vault.describe('x'))
    await waiting
    await codeOf(vault.describe('x', { signal: AbortSignal.abort(new Error('a private reason')) }))
    await codeOf(vault.describe('x', { signal: 'none' } as never))
    const aborted = vault.rotate({ signal: AbortSignal.abort(new Error('stop')) })
    await codeOf(aborted[Symbol.asyncIterator]().next())
    store.fault = {
      before: () => {
        throw new RangeError('a private message')
      },
    }
    await codeOf(vault.describe('x'))
    store.fault = {
      before: () => {
        throw Object.assign(new StoreError('ERR_STORE_FAILED', 'x'), { code: 'anna-the-subject' })
      },
    }
    await codeOf(vault.describe('x'))
    store.fault = {
      before: (call) => {
        if (call.name === 'commit') throw new StoreError('ERR_STORE_FAILED', 'a private message')
      },
    }
    await vault.health()
    expect(callsOf(telemetry.told)).toEqual([
      'describe ERR_VAULT_OVERLOADED',
      'enroll ok',
      'describe aborted',
      'describe ERR_VAULT_INPUT',
      'rotate aborted',
      'describe fault',
      'describe fault',
      'health unhealthy',
    ])
    expect(JSON.stringify(telemetry.told)).not.toMatch(/private|anna/)
  })

  test('VAULT-19 a decision that is made anew is counted', async () => {
    const telemetry = recorder()
    const store = hookedStore(memoryStore())
    const { vault } = await testVault({ telemetry, store })
    await vault.enroll({ ...ANNA, ...sample(1) })
    let conflicts = 2
    store.fault = {
      before: (call) => {
        if (call.name === 'commit' && conflicts-- > 0) throw new StoreError('ERR_STORE_CONFLICT', 'x')
      },
    }
    expect(await vault.verify({ subject: ANNA.subject, ...sample(1, 1) })).toMatchObject({ outcome: 'match' })
    expect(telemetry.told.filter(([, name]) => name === 'guise.vault.conflicts')).toEqual([
      ['count', 'guise.vault.conflicts', 1, {}],
      ['count', 'guise.vault.conflicts', 1, {}],
    ])
  })

  test('VAULT-19 the verbs are those of a vault', () => {
    type Method = Exclude<
      { [Name in keyof Vault]: Vault[Name] extends (...input: never) => unknown ? Name : never }[keyof Vault],
      'close' | 'enrollMany' | typeof Symbol.asyncDispose
    >
    const same: [Verb, Method] extends [Method, Verb] ? true : false = true
    expect(same).toBe(true)
  })

  const count = (): void => undefined
  test.each<[unknown]>([
    [null],
    [{}],
    [{ count }],
    [{ count, record: 1 }],
    [{ count, record: count, histogram: null }],
  ])('VAULT-19 an adapter that is none is refused: %j', async (telemetry) => {
    expect(await codeOf(testVault({ telemetry } as never))).toBe('ERR_VAULT_CONFIGURATION')
  })
})

describe('VAULT-20 an adapter cannot harm a verb', () => {
  const broken: Readonly<Record<string, () => unknown>> = {
    throws: () => {
      throw new Error('broken adapter')
    },
    rejects: () => Promise.reject(new Error('broken adapter')),
    'never ends': () => new Promise(() => undefined),
  }
  test.each(Object.keys(broken))('VAULT-20 one that %s', async (name) => {
    const told = broken[name] as () => void
    const telemetry: Telemetry = { count: told, record: told, histogram: told }
    const { vault } = await testVault({ telemetry })
    await vault.enroll({ ...ANNA, ...sample(1) })
    for (let i = 0; i < 1001; i++) {
      expect((await vault.verify({ subject: ANNA.subject, ...sample(1, 1) })).outcome).toBe('match')
    }
    expect(await codeOf(vault.describe(''))).toBe('ERR_VAULT_INPUT')
    await vault.close()
  })

  test('VAULT-20 methods keep their object, and are called before the verb answers', async () => {
    class Counter implements Telemetry {
      #calls = 0
      count(): void {
        this.#calls += 1
      }
      record(): void {
        this.#calls += 1
      }
      calls(): number {
        return this.#calls
      }
    }
    const telemetry = new Counter()
    const { vault } = await testVault({ telemetry })
    await vault.health()
    expect(telemetry.calls()).toBe(4)
  })
})

describe('VAULT-21 histograms', () => {
  /** Similarities of a probe of energy 1 and one coordinate are the sum itself. */
  const bin = (similarity: number): number => scoreBin(similarity, 1, 1)
  const fill = (bins: readonly (readonly [bin: number, times: number])[]): (ScoreHistogram | undefined)[] => {
    const window = new ScoreWindow()
    return bins.flatMap(([at, times]) => Array.from({ length: times }, () => window.add(at)))
  }

  test('VAULT-21 a bin is a twentieth, and one holds everything below it', () => {
    expect([-1, -0.3, 0, 0.0499, 0.05, 0.51, 0.9999, 1].map(bin)).toEqual([0, 0, 0, 0, 1, 10, 19, 19])
    expect(scoreBin(0, 0, 64)).toBe(0)
    // The bins say less than the decision: one threshold lies inside a bin.
    expect(accepts(28, 100, 100, 2750) && !accepts(26, 100, 100, 2750)).toBe(true)
    expect(scoreBin(28, 100, 100)).toBe(scoreBin(26, 100, 100))
  })

  test('VAULT-21 nothing is released before a window is full, and each comparison is in one', () => {
    const shown = fill([
      [2, 999],
      [3, 1001],
      [5, 999],
    ])
    expect(shown.map((one, i) => (one === undefined ? 0 : i)).filter((at) => at > 0)).toEqual([999, 1999])
    expect(shown[999]).toMatchObject({ suppressed: 1000, total: 1000 })
    expect(shown[1999]?.counts[3]).toBe(1000)
    expect(shown[1999]?.edges).toEqual([-1, ...Array.from({ length: 20 }, (_, i) => (i + 1) / 20)])
  })

  test.each<[string, [number, number][], number[], number]>([
    [
      'none is small',
      [
        [0, 990],
        [9, 10],
      ],
      [990, 10],
      0,
    ],
    [
      'several that are small',
      [
        [0, 988],
        [8, 4],
        [9, 8],
      ],
      [988],
      12,
    ],
    [
      'one that is small takes the next with it',
      [
        [0, 900],
        [8, 91],
        [9, 9],
      ],
      [900],
      100,
    ],
    [
      'equal counts go together',
      [
        [0, 449],
        [1, 271],
        [2, 271],
        [3, 9],
      ],
      [449],
      551,
    ],
    ['one alone', [[0, 1000]], [1000], 0],
  ])('VAULT-21 small counts: %s', (_, bins, counts, suppressed) => {
    const last = fill(bins).at(-1)
    expect(last?.counts.filter((count) => count > 0)).toEqual(counts)
    expect(last).toMatchObject({ suppressed, total: 1000 })
    expect(last?.counts).toHaveLength(20)
  })

  async function many(options: Partial<VaultOptions>, times: number): Promise<Told[]> {
    const telemetry = recorder()
    const { vault } = await testVault({ ...options, telemetry })
    await vault.enroll({ ...ANNA, ...sample(1) })
    for (let i = 0; i < times; i++) await vault.verify({ subject: ANNA.subject, ...sample(1, i + 1) })
    // An answer that is given again, a refusal, a comparison that is not durable.
    for (let i = 0; i < 5; i++) {
      await vault.verify({ subject: ANNA.subject, ...sample(1, 9) }, { operationId: 'same' })
      await vault.verify({ subject: 'nobody', ...sample(1, 9) })
    }
    await vault.close()
    return telemetry.told.filter(([method]) => method === 'histogram')
  }

  test('VAULT-21 a vault releases full windows, and nothing when it is closed', async () => {
    expect(await many({}, 998)).toEqual([])
    const [told, ...more] = await many({}, 999)
    expect(more).toEqual([])
    const [, name, histogram, attributes] = told as Told
    expect([name, attributes]).toEqual(['guise.vault.similarity', { probe_class: 'any' }])
    const { counts, suppressed, total } = histogram as ScoreHistogram
    expect(total).toBe(1000)
    expect(counts.reduce((sum, count) => sum + count, suppressed)).toBe(1000)
    // Mates of the tests reach about 0.8; strangers lie in the first bins.
    expect(counts.slice(0, 10).every((count) => count === 0)).toBe(true)
  }, 60_000)

  test('VAULT-21 probe classes have windows of their own', async () => {
    const telemetry = recorder()
    const classes = ['any', 'masked'] as const
    const { vault } = await testVault({
      telemetry,
      purpose: PURPOSE,
      operatingPoints: classes.map((probeClass) => ({ ...point(), probeClass })),
    })
    await vault.enroll({ ...ANNA, ...sample(1) })
    for (let i = 0; i < 1998; i++) {
      const probeClass = classes[i % 2] as string
      await vault.verify({ subject: ANNA.subject, probeClass, ...sample(1, i + 1) })
    }
    const histograms = (): Told[] => telemetry.told.filter(([method]) => method === 'histogram')
    expect(histograms()).toEqual([])
    await vault.verify({ subject: ANNA.subject, probeClass: 'masked', ...sample(1, 1) })
    expect(histograms().map((told) => told[3])).toEqual([{ probe_class: 'masked' }])
  }, 60_000)
})
