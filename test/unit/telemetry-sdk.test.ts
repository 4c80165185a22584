/** Telemetry through the SDK of OpenTelemetry itself: what an exporter gets (SPEC §11.9). @module */

import { metrics } from '@opentelemetry/api'
import {
  AggregationTemporality,
  type Histogram,
  InMemoryMetricExporter,
  MeterProvider,
  type MetricData,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import { otelTelemetry } from 'guise/otel'
import { expect, test } from 'vitest'
import { basis, sample, testVault } from '../support/vault.ts'

test('an exporter of the SDK gets calls, durations and similarities', async () => {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 })
  const provider = new MeterProvider({ readers: [reader] })
  const attributes = { realm: 'clinic' }
  const telemetry = otelTelemetry(provider.getMeter('login'), { attributes, similarity: true })
  const { vault } = await testVault({ telemetry })
  await vault.enroll({ subject: 'anna', basis: basis(), ...sample(1) })
  for (let i = 0; i < 1000; i++) await vault.verify({ subject: 'anna', ...sample(1, i % 8) })
  await vault.close()
  await reader.forceFlush()
  const told = new Map<string, MetricData>()
  for (const { scopeMetrics } of exporter.getMetrics()) {
    for (const { metrics: all } of scopeMetrics) for (const data of all) told.set(data.descriptor.name, data)
  }
  expect([...told.keys()].sort()).toEqual([
    'guise.vault.calls',
    'guise.vault.duration',
    'guise.vault.in_flight',
    'guise.vault.similarity',
  ])
  const calls = (told.get('guise.vault.calls')?.dataPoints ?? []).map((point) => [
    point.attributes['verb'],
    point.attributes['outcome'],
    point.attributes['realm'],
    point.value,
  ])
  expect(calls).toEqual([
    ['enroll', 'ok', 'clinic', 1],
    ['verify', 'match', 'clinic', 1000],
  ])
  const inFlight = told.get('guise.vault.in_flight')?.dataPoints ?? []
  expect(inFlight.map(({ value }) => value)).toEqual(inFlight.map(() => 0))
  const [verifies] = (told.get('guise.vault.duration')?.dataPoints ?? [])
    .filter(({ attributes: { verb } }) => verb === 'verify')
    .map(({ value }) => value as Histogram)
  expect(verifies?.count).toBe(1000)
  // The boundaries that were advised, not the SDK's own.
  expect(verifies?.buckets.boundaries.slice(0, 3)).toEqual([0.25, 0.5, 1])
  const [similar] = (told.get('guise.vault.similarity')?.dataPoints ?? []).map(
    ({ value }) => value as Histogram,
  )
  // Each of the eight samples came 125 times: no bin is so small that it is hidden.
  expect(similar?.count).toBe(1000)
  await provider.shutdown()
})

test('without an SDK the meter of the API takes everything and does nothing', async () => {
  const { vault } = await testVault({ telemetry: otelTelemetry(metrics.getMeter('login')) })
  await vault.enroll({ subject: 'anna', basis: basis(), ...sample(1) })
  expect(await vault.verify({ subject: 'anna', ...sample(1, 1) })).toMatchObject({ outcome: 'match' })
  await vault.close()
})
