/** Telemetry of a vault as OpenTelemetry metrics, over a meter that the caller brings (SPEC §11.9). @module */

import type { ScoreHistogram } from '../vault/histogram.ts'
import type { Telemetry, TelemetryAttributes } from '../vault/telemetry.ts'

interface InstrumentOptions {
  readonly description?: string
  readonly unit?: string
  readonly advice?: { explicitBucketBoundaries?: number[] }
}
interface Adding {
  add(value: number, attributes?: Record<string, string>): void
}

/** What is used of a `Meter` of `@opentelemetry/api` 1.9 or later. */
export interface OtelMeter {
  createCounter(name: string, options?: InstrumentOptions): Adding
  createUpDownCounter(name: string, options?: InstrumentOptions): Adding
  createHistogram(
    name: string,
    options?: InstrumentOptions,
  ): { record(value: number, attributes?: Record<string, string>): void }
}

/** What `otelTelemetry` is told beside the meter. */
export interface OtelOptions {
  /** Added to everything, such as the realm. Few values, and never a person's. */
  readonly attributes?: TelemetryAttributes
  /** True: similarities too, as SPEC §11.9 lets them out. What that still tells stands in SPEC §18. */
  readonly similarity?: boolean
}

/** A verify on LMDB takes about a millisecond, one that waits for a device or another machine up to seconds. */
const DURATION_MS = [0.25, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000]

/**
 * Metrics with the names of SPEC §11.9. Imports nothing of OpenTelemetry: without an SDK a meter does nothing, and so does
 * this. A window of similarities is recorded as that many times the middle of each bin, below 0.05 as 0.025, so that the
 * metric's own sum is an estimate; what was hidden is counted as `guise.vault.similarity.suppressed`.
 *
 * @example
 * ```ts
 * const vault = await openVault({ ...options, telemetry: otelTelemetry(metrics.getMeter('login')) })
 * ```
 */
export function otelTelemetry(meter: OtelMeter, options: OtelOptions = {}): Telemetry {
  const { attributes: fixed = {}, similarity = false } = options
  const counters: ReadonlyMap<string, Adding> = new Map([
    counter(meter, 'guise.vault.calls', 'Calls that ended', '{call}'),
    counter(meter, 'guise.vault.conflicts', 'Decisions that were made anew', '{decision}'),
    counter(meter, 'guise.vault.quorum_faults', 'Holders that gave no valid answer', '{answer}'),
    counter(meter, 'guise.people.reached', 'Numbers of live persons that were reached', '{event}'),
    [
      'guise.vault.in_flight',
      meter.createUpDownCounter('guise.vault.in_flight', { description: 'Calls under way', unit: '{call}' }),
    ],
  ])
  const durations = meter.createHistogram('guise.vault.duration', {
    description: 'Time from call to end',
    unit: 'ms',
    advice: { explicitBucketBoundaries: DURATION_MS },
  })
  return {
    count: (name, value, attributes) => counters.get(name)?.add(value, { ...attributes, ...fixed }),
    record: (_, ms, attributes) => durations.record(ms, { ...attributes, ...fixed }),
    ...(similarity ? { histogram: similarities(meter, fixed) } : {}),
  }
}

function counter(meter: OtelMeter, name: string, description: string, unit: string): [string, Adding] {
  return [name, meter.createCounter(name, { description, unit })]
}

function similarities(meter: OtelMeter, fixed: TelemetryAttributes): NonNullable<Telemetry['histogram']> {
  const shown = meter.createHistogram('guise.vault.similarity', {
    description: 'Similarity of probe and template, in windows of 1,000 comparisons',
    unit: '1',
    advice: { explicitBucketBoundaries: Array.from({ length: 19 }, (_, i) => (i + 1) / 20) },
  })
  const name = 'guise.vault.similarity.suppressed'
  const [, hidden] = counter(meter, name, 'Comparisons in bins of fewer than 10', '{comparison}')
  return (_, histogram: ScoreHistogram, attributes) => {
    const all = { ...attributes, ...fixed }
    histogram.counts.forEach((count, bin) => {
      // A histogram of OpenTelemetry drops what is below 0.
      const low = Math.max(0, histogram.edges[bin] as number)
      const middle = (low + (histogram.edges[bin + 1] as number)) / 2
      for (let i = 0; i < count; i++) shown.record(middle, all)
    })
    if (histogram.suppressed > 0) hidden.add(histogram.suppressed, all)
  }
}
