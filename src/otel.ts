/** What a vault tells of its work, for OpenTelemetry and for logs; imports neither. @module */

export { everyTelemetry } from './telemetry/every.ts'
export { type Logger, type LogOptions, logTelemetry } from './telemetry/log.ts'
export { type OtelMeter, type OtelOptions, otelTelemetry } from './telemetry/otel.ts'
