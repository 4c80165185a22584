/** Where a process that is searched for canaries tells things: results, errors, telemetry, logger, output (I-01). @module */
/// <reference types="node" />

import { openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { serialize } from 'node:v8'
import { everyTelemetry } from '../../src/telemetry/every.ts'
import { type Logger, logTelemetry } from '../../src/telemetry/log.ts'
import { type OtelMeter, otelTelemetry } from '../../src/telemetry/otel.ts'
import type { Telemetry } from '../../src/vault/telemetry.ts'

export interface Sinks {
  readonly telemetry: Telemetry
  readonly logger: Logger
  /** Both keep a value in every form that a program may give it, and print it as programs do. */
  returned(value: unknown): void
  thrown(error: unknown): void
}

/** Files `returned`, `thrown`, `telemetry`, `meter` and `logger` in a folder. */
export function openSinks(folder: string): Sinks {
  const sink = (name: string): ((text: string | Uint8Array) => void) => {
    const file = openSync(join(folder, name), 'a')
    return (text) => void writeSync(file, Buffer.concat([Buffer.from(text), Buffer.from('\n')]))
  }
  const [returned, thrown] = [sink('returned'), sink('thrown')]
  const logger = jsonLogger(sink('logger'))
  return {
    telemetry: everyTelemetry(
      plainTelemetry(sink('telemetry')),
      otelTelemetry(plainMeter(sink('meter')), { similarity: true, attributes: { realm: 'faults' } }),
      logTelemetry(logger, { intervalMs: 0 }),
    ),
    logger,
    returned(value) {
      for (const form of formsOf(value)) returned(form)
      console.log(value)
    },
    thrown(error) {
      for (const form of formsOf(error)) thrown(form)
      if (error instanceof Error) thrown(`${error.name} ${error.message} ${error.stack}`)
      console.error(error)
    },
  }
}

/** A value in text, JSON and as a structured clone; where that fails, the error tells what it tells. */
function* formsOf(value: unknown): Generator<string | Uint8Array> {
  const everything = { depth: Infinity, showHidden: true, maxArrayLength: null, maxStringLength: null }
  yield attempt(() => String(value))
  yield attempt(() => inspect(value, { ...everything, getters: true }))
  yield attempt(() => JSON.stringify(value) ?? '')
  yield attempt(() => serialize(structuredClone(value)))
}

function attempt(form: () => string | Uint8Array): string | Uint8Array {
  try {
    return form()
  } catch (error) {
    return inspect(error)
  }
}

/** Three digits after the point: more would be taken for the digits of a face now and then. */
function plainTelemetry(write: (text: string) => void): Telemetry {
  return {
    count: (...call) => write(JSON.stringify(call)),
    record: (name, ms, attributes) => write(JSON.stringify([name, ms.toFixed(3), attributes])),
    histogram: (...call) => write(JSON.stringify(call)),
  }
}

function plainMeter(write: (text: string) => void): OtelMeter {
  const instrument = (name: string) => ({
    add: (value: number, attributes?: object) => write(JSON.stringify([name, value, attributes])),
    record: (value: number, attributes?: object) =>
      write(JSON.stringify([name, value.toFixed(3), attributes])),
  })
  return { createCounter: instrument, createUpDownCounter: instrument, createHistogram: instrument }
}

/** As pino writes. */
function jsonLogger(write: (text: string) => void): Logger {
  const at = (level: number) => (fields: object, msg: string) =>
    write(JSON.stringify({ level, time: Date.now(), pid: process.pid, ...fields, msg }))
  return { debug: at(20), info: at(30), warn: at(40), error: at(50) }
}
