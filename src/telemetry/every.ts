/** One adapter that passes on to several (SPEC §11.9). @module */

import { type Telemetry, tell } from '../vault/telemetry.ts'

/** Tells every adapter; what one of them throws keeps nothing from the others. */
export function everyTelemetry(...adapters: readonly Telemetry[]): Telemetry {
  const each = (task: (adapter: Telemetry) => unknown): void => {
    for (const adapter of adapters) void tell(() => task(adapter))
  }
  return {
    count: (...call) => each((adapter) => adapter.count(...call)),
    record: (...call) => each((adapter) => adapter.record(...call)),
    ...(adapters.some((adapter) => adapter.histogram !== undefined)
      ? { histogram: (...call) => each((adapter) => adapter.histogram?.(...call)) }
      : {}),
  }
}
