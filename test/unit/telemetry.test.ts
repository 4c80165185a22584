/** Telemetry as metrics and as lines of a log: names, values, and that nobody is named (SPEC §11.9). @module */
import { memoryStore, type ScoreHistogram, type Telemetry } from 'guise'
import { everyTelemetry, type Logger, logTelemetry, type OtelMeter, otelTelemetry } from 'guise/otel'
import { expect, test } from 'vitest'
import { hookedStore } from '../support/rows.ts'
import { basis, codeOf, sample, testVault } from '../support/vault.ts'

type Measured = readonly [
  name: string,
  value: number,
  attributes: Readonly<Record<string, string>> | undefined,
]
interface Made {
  readonly kind: string
  readonly unit: string | undefined
  readonly buckets: readonly number[] | undefined
}

/** A meter in the shape of OpenTelemetry's, which keeps what it is told. */
function meter(): OtelMeter & { readonly made: Map<string, Made>; readonly measured: Measured[] } {
  const made = new Map<string, Made>()
  const measured: Measured[] = []
  const make =
    (kind: string): OtelMeter['createCounter'] & OtelMeter['createHistogram'] =>
    (name, options) => {
      if (made.has(name)) throw new Error('made twice')
      made.set(name, { kind, unit: options?.unit, buckets: options?.advice?.explicitBucketBoundaries })
      const tell = (value: number, attributes?: Record<string, string>): void => {
        // As the SDK does, which warns and drops it.
        if (value < 0 && kind !== 'up and down') throw new RangeError('a negative value')
        measured.push([name, value, attributes])
      }
      return { add: tell, record: tell }
    }
  return {
    made,
    measured,
    createCounter: make('counter'),
    createUpDownCounter: make('up and down'),
    createHistogram: make('histogram'),
  }
}

const HISTOGRAM: ScoreHistogram = {
  edges: [-1, ...Array.from({ length: 20 }, (_, i) => (i + 1) / 20)],
  counts: [900, ...Array.from({ length: 17 }, () => 0), 80, 0],
  suppressed: 20,
  total: 1000,
}

test('a meter gets the instruments of the vault, and what they count', async () => {
  const to = meter()
  const telemetry = otelTelemetry(to, { attributes: { realm: 'clinic' } })
  expect(telemetry.histogram).toBeUndefined()
  const { vault } = await testVault({ telemetry })
  await vault.enroll({ subject: 'anna', basis: basis(), ...sample(1) })
  await vault.verify({ subject: 'anna', ...sample(1, 1) })
  expect([...to.made].map(([name, { kind, unit }]) => `${kind} ${name} ${unit}`)).toEqual([
    'counter guise.vault.calls {call}',
    'counter guise.vault.conflicts {decision}',
    'counter guise.vault.quorum_faults {answer}',
    'counter guise.people.reached {event}',
    'up and down guise.vault.in_flight {call}',
    'histogram guise.vault.duration ms',
  ])
  const buckets = to.made.get('guise.vault.duration')?.buckets ?? []
  expect([...buckets].sort((a, b) => a - b)).toEqual(buckets)
  const realm = { realm: 'clinic' }
  expect(to.measured.map(([name, value, attributes]) => [name, Math.sign(value), attributes])).toEqual(
    ['enroll ok', 'verify match'].flatMap((call) => {
      const [verb, outcome] = call.split(' ')
      return [
        ['guise.vault.in_flight', 1, realm],
        ['guise.vault.in_flight', -1, realm],
        ['guise.vault.calls', 1, { verb, outcome, ...realm }],
        ['guise.vault.duration', 1, { verb, ...realm }],
      ]
    }),
  )
})

test('similarities are recorded when they are asked for, each in its bucket', () => {
  const to = meter()
  const telemetry = otelTelemetry(to, { similarity: true })
  telemetry.histogram?.('guise.vault.similarity', HISTOGRAM, { probe_class: 'any' })
  const { buckets = [] } = to.made.get('guise.vault.similarity') as Made
  expect(buckets).toHaveLength(19)
  /** OpenTelemetry's buckets hold their upper bound. */
  const bucketOf = (value: number): number => buckets.filter((bound) => value > bound).length
  const values = to.measured.filter(([name]) => name === 'guise.vault.similarity')
  const counts = Array.from(
    { length: 20 },
    (_, i) => values.filter(([, value]) => bucketOf(value) === i).length,
  )
  expect(counts).toEqual(HISTOGRAM.counts)
  expect(to.measured.at(-1)).toEqual(['guise.vault.similarity.suppressed', 20, { probe_class: 'any' }])
  telemetry.histogram?.('guise.vault.similarity', { ...HISTOGRAM, suppressed: 0 }, { probe_class: 'any' })
  expect(to.measured.filter(([name]) => name.endsWith('suppressed'))).toHaveLength(1)
  telemetry.count('guise.vault.of_a_later_version', 1, {})
  expect(to.measured.at(-1)?.[0]).toBe('guise.vault.similarity')
})

function logger(): Logger & { readonly lines: (readonly [string, object, string])[] } {
  const lines: (readonly [string, object, string])[] = []
  const at =
    (level: string) =>
    (fields: object, message: string): void =>
      void lines.push([level, fields, message])
  return { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

test('a log names overload, faults by code and changes of health, and nobody', async () => {
  const log = logger()
  const store = hookedStore(memoryStore())
  const telemetry = logTelemetry(log, { attributes: { realm: 'clinic' }, intervalMs: 0 })
  const { vault } = await testVault({ store, telemetry, maxInFlight: 1 })
  await vault.health()
  const waiting = vault.enroll({ subject: 'anna', basis: basis(), ...sample(1) })
  expect(await codeOf(vault.describe('anna'))).toBe('ERR_VAULT_OVERLOADED')
  await waiting
  await vault.verify({ subject: 'anna', ...sample(1, 1) })
  await codeOf(vault.enroll({ subject: 'anna', basis: basis(), ...sample(1) }))
  store.fault = {
    before: () => {
      throw new RangeError('a message')
    },
  }
  await codeOf(vault.describe('anna'))
  store.fault = {}
  const { keyring, vault: other } = await testVault({ telemetry })
  keyring.close()
  await other.health()
  await other.health()
  await codeOf(other.describe('anna'))
  await vault.health()
  await vault.health()
  const realm = 'clinic'
  expect(log.lines).toEqual([
    [
      'warn',
      { realm, verb: 'describe', outcome: 'ERR_VAULT_OVERLOADED', calls: 1 },
      'the vault is overloaded',
    ],
    [
      'debug',
      { realm, verb: 'enroll', outcome: 'ERR_VAULT_ENROLLED', calls: 1 },
      'a call of the vault failed',
    ],
    ['error', { realm, verb: 'describe', outcome: 'fault', calls: 1 }, 'a call of the vault failed'],
    ['error', { realm }, 'the vault is not healthy'],
    [
      'error',
      { realm, verb: 'describe', outcome: 'ERR_KEYS_DISPOSED', calls: 1 },
      'a call of the vault failed',
    ],
    ['info', { realm }, 'the vault is healthy again'],
  ])
})

test.each([
  ['aborted', 'debug'],
  ['ERR_VAULT_INPUT', 'debug'],
  ['ERR_EMBEDDING_NORM', 'debug'],
  ['ERR_STORE_CONFLICT', 'warn'],
  ['ERR_VAULT_UNFINISHED', 'warn'],
  ['ERR_STORE_FAILED', 'error'],
  ['ERR_SEAL_OPEN', 'error'],
  ['ERR_RECORD_MAC', 'error'],
])('%s is logged as %s', (outcome, level) => {
  const log = logger()
  logTelemetry(log).count('guise.vault.calls', 1, { verb: 'verify', outcome })
  expect(log.lines.map(([at]) => at)).toEqual([level])
})

test('of many alike one line in a while is written, and none of other names', async () => {
  const log = logger()
  const telemetry = logTelemetry(log, { intervalMs: 50 })
  const overload = (verb: string): void =>
    telemetry.count('guise.vault.calls', 1, { verb, outcome: 'ERR_VAULT_OVERLOADED' })
  for (let i = 0; i < 5; i++) overload('verify')
  overload('enroll')
  telemetry.count('guise.vault.in_flight', 1, {})
  telemetry.record('guise.vault.duration', 3, { verb: 'verify' })
  expect(log.lines.map(([, fields]) => fields)).toMatchObject([
    { verb: 'verify', calls: 1 },
    { verb: 'enroll', calls: 1 },
  ])
  await new Promise((resolve) => setTimeout(resolve, 60))
  overload('verify')
  expect(log.lines.at(-1)?.[1]).toMatchObject({ verb: 'verify', calls: 5 })
})

test('several adapters are told, whatever one of them does', async () => {
  const told: string[] = []
  const good: Telemetry = {
    count: (name) => void told.push(name),
    record: (name) => void told.push(name),
    histogram: (name) => void told.push(name),
  }
  const bad = (): never => {
    throw new Error('broken')
  }
  const late = (): unknown => Promise.reject(new Error('broken'))
  const all = everyTelemetry({ count: bad, record: late }, good)
  all.count('a', 1, {})
  all.record('b', 1, {})
  all.histogram?.('c', HISTOGRAM, {})
  // A promise that nobody caught would end the process.
  await new Promise((resolve) => setImmediate(resolve))
  expect(told).toEqual(['a', 'b', 'c'])
  expect(everyTelemetry({ count: bad, record: bad }).histogram).toBeUndefined()
})
