/** Telemetry: what a vault tells of its work while it runs, a closed list that names nobody (SPEC §11.9). @module */

import { checkFunction } from '../base/check.ts'
import { processMs } from '../base/clock.ts'
import { GuiseError } from '../base/errors.ts'
import { readFields } from '../policy/fields.ts'
import type { QuorumFault } from '../quorum/errors.ts'
import { rejectConfiguration } from './errors.ts'
import { type ScoreHistogram, ScoreWindow } from './histogram.ts'

/** Few, and of few values: see SPEC §11.9. */
export type TelemetryAttributes = Readonly<Record<string, string>>

/**
 * Where a vault sends counts and durations, its methods called at once and never waited for. What it throws is dropped. Names
 * and values come from the closed list of SPEC §11.9: never a subject, a record, a score, a vector or a message.
 */
export interface Telemetry {
  /** `guise.vault.calls`, `.conflicts`, `.quorum_faults`, `guise.people.reached`: `value` is 1. `guise.vault.in_flight`: 1 or −1. */
  count(name: string, value: number, attributes: TelemetryAttributes): void
  /** `guise.vault.duration`, in milliseconds with fractions. */
  record(name: string, ms: number, attributes: TelemetryAttributes): void
  /** `guise.vault.similarity`: 1,000 comparisons of one probe class, coarse. Without this method none are counted. */
  histogram?(name: string, histogram: ScoreHistogram, attributes: TelemetryAttributes): void
}

/** The verbs that are counted, as `Vault` names them; `enrollMany` counts as many times `enroll`. */
export type Verb =
  | 'enroll'
  | 'verify'
  | 'adapt'
  | 'addReference'
  | 'removeReference'
  | 'identify'
  | 'loadGallery'
  | 'activate'
  | 'suspend'
  | 'resume'
  | 'hold'
  | 'release'
  | 'rebind'
  | 'revoke'
  | 'withdraw'
  | 'renewBasis'
  | 'reissue'
  | 'rotate'
  | 'erase'
  | 'renewReceipt'
  | 'addDevice'
  | 'removeDevice'
  | 'describe'
  | 'health'

/** A code of this library; another's error may say anything in its place. */
const CODE = /^ERR_[A-Z_]{3,40}$/

/** The vault's side of an adapter. */
export class Meter {
  readonly #to: Telemetry
  readonly #windows = new Map<string, ScoreWindow>()

  constructor(to: Telemetry) {
    this.#to = to
  }

  /** A call begins; what is given back ends it, with its result or with what it failed with. */
  begin(verb: Verb): (result: unknown, failed?: boolean, signal?: AbortSignal) => void {
    const startMs = processMs()
    return (result, failed, signal) => {
      const outcome = failed === true ? failureOf(result, signal) : outcomeOf(result)
      this.#count('calls', 1, { verb, outcome })
      void tell(() => this.#to.record('guise.vault.duration', processMs() - startMs, { verb }))
    }
  }

  inFlight(change: 1 | -1): void {
    this.#count('in_flight', change, {})
  }

  /** Holders of the quorum that gave no valid answer, and what they did instead. */
  holders(faults: readonly QuorumFault[]): void {
    for (const { index, fault } of faults) this.#count('quorum_faults', 1, { holder: `${index}`, fault })
  }

  conflict(): void {
    this.#count('conflicts', 1, {})
  }

  /** A comparison whose answer is durable. */
  compared(probeClass: string, bin: number): void {
    if (this.#to.histogram === undefined) return
    const window = this.#windows.get(probeClass) ?? new ScoreWindow()
    this.#windows.set(probeClass, window)
    const full = window.add(bin)
    if (full)
      void tell(() => this.#to.histogram?.('guise.vault.similarity', full, { probe_class: probeClass }))
  }

  #count(name: string, value: number, attributes: TelemetryAttributes): void {
    void tell(() => this.#to.count(`guise.vault.${name}`, value, attributes))
  }
}

/** The adapter of a vault's options, when there is one. */
export function openMeter(given: unknown): Meter | undefined {
  if (given === undefined) return undefined
  const methods = readFields(given, 'telemetry', ['count', 'record', 'histogram'], rejectConfiguration)
  for (const [name, method] of Object.entries(methods)) {
    if (name !== 'histogram' || method !== undefined)
      checkFunction(method, `telemetry.${name}`, rejectConfiguration)
  }
  return new Meter(given as Telemetry)
}

/** Calls an adapter now; neither what it throws nor a promise of its that fails is anybody's concern. */
export async function tell(task: () => unknown): Promise<void> {
  try {
    await task()
  } catch {
    // An adapter's fault is not the verb's.
  }
}

/** What a verb answers with, if it answers with one of several; `unhealthy` of a vault that is not well. */
function outcomeOf(result: unknown): string {
  const { outcome = 'ok', ok } = (result ?? {}) as { readonly outcome?: string; readonly ok?: boolean }
  return ok === false ? 'unhealthy' : outcome
}

function failureOf(error: unknown, signal: AbortSignal | undefined): string {
  if (signal?.aborted && error === signal.reason) return 'aborted'
  return error instanceof GuiseError && CODE.test(error.code) ? error.code : 'fault'
}
