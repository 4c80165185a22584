/** Commits that write; those that wait together share a transaction (SPEC §10.5, STORE-24). @module */

import { StoreError } from './errors.ts'
import { commitArguments, orderSteps, type PlacedStep } from './postgres-commit.ts'
import type { Connections, Statement } from './postgres-connection.ts'
import { isCollision, REFUSED, stateOf, TOO_LATE } from './postgres-failure.ts'
import { Gathering, type Take, type Waiting } from './postgres-gathering.ts'
import { writeSql } from './postgres-schema.ts'
import { conflict, keyText, type OwnedStep } from './steps.ts'

/** What commits need to know of their store. */
export interface CommitSettings {
  readonly schema: string
  readonly lockMs: number
  readonly timeoutMs: number
  readonly durable: boolean
}

type Call = Waiting<readonly OwnedStep[], string>

/**
 * A transaction of several commits takes the locks of all in one order and decides all of them; when an expectation of one fails, nothing
 * is written, that one is told, and the others go on. Where others hold a row for longer than an instant, or anything else
 * goes wrong and nothing was written, each is tried alone: nobody waits for the lock, or pays for the fault, of a stranger.
 */
export class Commits {
  readonly #connections: Connections
  readonly #settings: CommitSettings
  readonly #text: string
  readonly #gathering: Gathering<readonly OwnedStep[], string>
  #jitter: number

  constructor(connections: Connections, settings: CommitSettings, seed: number) {
    this.#connections = connections
    this.#settings = settings
    this.#text = writeSql(settings.schema)
    this.#jitter = seed
    this.#gathering = new Gathering(LANES, (take) => this.#serve(take))
  }

  /** The version of the rows written. */
  async commit(steps: readonly OwnedStep[], signal: AbortSignal | undefined): Promise<string> {
    return await this.#gathering.add(steps, signal)
  }

  async #serve(take: Take<readonly OwnedStep[], string>): Promise<void> {
    let taken: readonly Call[] = []
    let placed: readonly PlacedStep[] = []
    try {
      const answer = await this.#connections.runNext(() => {
        const rows = new GroupRows()
        taken = take((steps) => rows.add(steps))
        if (taken.length === 0) return undefined
        placed = orderSteps(taken.flatMap(({ input }) => input))
        return this.#statement(placed, Math.min(this.#settings.lockMs, GROUP_LOCK_MS))
      })
      if (answer === undefined) return
      const { made, refused } = answerOf(answer, placed)
      if (refused !== undefined) this.#refuse(taken, refused)
      else for (const call of taken) call.resolve(made)
    } catch (error) {
      if (taken.length === 0) throw error
      this.#fail(taken, placed, error)
    }
  }

  #refuse(taken: readonly Call[], refused: PlacedStep): void {
    const others = taken.filter((call) => !rejectConflict(call, refused))
    if (others.length < taken.length) this.#gathering.again(others)
    else for (const call of taken) call.reject(conflict(refused.step, refused.index))
  }

  #fail(taken: readonly Call[], placed: readonly PlacedStep[], error: unknown): void {
    const refused = refusedStep(error, placed)
    if (refused !== undefined) this.#refuse(taken, refused)
    else if (isWorthAnother(error)) {
      const attempt = isCollision(error) ? 2 : 1
      for (const call of taken) this.#alone(call.input, attempt).then(call.resolve, call.reject)
    } else for (const call of taken) call.reject(error)
  }

  async #alone(steps: readonly OwnedStep[], first: number): Promise<string> {
    const placed = orderSteps(steps)
    const statement = this.#statement(placed, this.#settings.lockMs)
    for (let attempt = first; ; attempt++) {
      try {
        if (attempt > 1) await this.#pause(attempt - 1)
        const { made, refused } = answerOf(await this.#connections.run(statement), placed)
        if (refused === undefined) return made
        throw conflict(refused.step, refused.index)
      } catch (error) {
        const refused = refusedStep(error, placed)
        if (refused !== undefined) throw conflict(refused.step, refused.index)
        if (!isCollision(error) || attempt === MOST_ATTEMPTS) throw error
      }
    }
  }

  #statement(placed: readonly PlacedStep[], lockMs: number): Statement {
    const { timeoutMs, durable } = this.#settings
    const values = [...commitArguments(placed), lockMs, timeoutMs, durable]
    return { text: this.#text, values, writes: true, timeoutMs: timeoutMs + lockMs }
  }

  /** Random for each store object, so that two that collided do not meet again at once. */
  #pause(attempt: number): Promise<void> {
    this.#jitter = ((this.#jitter + 1) * 48_271) % 2_147_483_647
    const share = this.#jitter / 2_147_483_647
    return new Promise((resolve) => setTimeout(resolve, PAUSE_MS * attempt * (0.5 + share)))
  }
}

/** Flushes of several transactions overlap; one that waits for a lock leaves room for others. */
const LANES = 4
/** Longer than nearly every commit takes. */
const GROUP_LOCK_MS = 250
/** Of a shared transaction: it ends soon, and its locks with it. */
const MOST_STEPS = 512
const MOST_BYTES = 1_048_576
const MOST_ATTEMPTS = 8
const PAUSE_MS = 4

/** The rows of a group: none is written by one commit and named by another, and all expect the same of a row that they check. */
class GroupRows {
  readonly #rows: Map<string, { readonly expected: string | null; readonly written: boolean }> = new Map()
  #steps = 0
  #bytes = 0

  /** True, and the rows are noted, when a commit may join. The first always may. */
  add(steps: readonly OwnedStep[]): boolean {
    const count = this.#steps + steps.length
    const bytes = steps.reduce((sum, step) => sum + step.bytes.length, this.#bytes)
    if (this.#steps > 0 && (count > MOST_STEPS || bytes > MOST_BYTES)) return false
    const named = steps.filter(({ step }) => step !== 'append')
    const joins = named.every(({ step, table, key, expected }) => {
      const known = this.#rows.get(`${table}/${keyText(key)}`)
      return known === undefined || (step === 'check' && !known.written && known.expected === expected)
    })
    if (!joins) return false
    this.#steps = count
    this.#bytes = bytes
    for (const { step, table, key, expected } of named) {
      const row = `${table}/${keyText(key)}`
      const written = step !== 'check' || this.#rows.get(row)?.written === true
      this.#rows.set(row, { expected, written })
    }
    return true
  }
}

interface Answer {
  readonly made: string
  /** A step whose row was not as expected; nothing was written. */
  readonly refused: PlacedStep | undefined
}

function answerOf(rows: readonly unknown[], placed: readonly PlacedStep[]): Answer {
  const [answer] = rows as readonly { readonly refused: number | null; readonly made: string }[]
  if (answer === undefined) throw new StoreError('ERR_STORE_FAILED', 'the server gave no answer')
  const { made, refused } = answer
  return { made, refused: refused === null ? undefined : stepAt(placed, refused) }
}

/** The step that a failure after the first write names. */
function refusedStep(error: unknown, placed: readonly PlacedStep[]): PlacedStep | undefined {
  if (!(error instanceof StoreError) || stateOf(error.cause) !== REFUSED) return undefined
  return stepAt(placed, Number((error.cause as Error).message))
}

function stepAt(placed: readonly PlacedStep[], number: number): PlacedStep {
  const place = placed[number - 1]
  if (place === undefined) throw new StoreError('ERR_STORE_FAILED', 'the server refused a step that is none')
  return place
}

/** True when the commit names the row: then it expects of it what the server did not find. */
function rejectConflict(call: Call, { step: refused }: PlacedStep): boolean {
  const row = keyText(refused.key)
  const index = call.input.findIndex(
    ({ step, table, key }) => step !== 'append' && table === refused.table && keyText(key) === row,
  )
  const step = call.input[index]
  if (step === undefined) return false
  call.reject(conflict(step, index))
  return true
}

/** True when nothing was written, and a commit may do better without the others, or with more time for a lock. */
function isWorthAnother(error: unknown): boolean {
  if (!(error instanceof StoreError) || error.code === 'ERR_STORE_INDETERMINATE') return false
  const state = stateOf(error.cause)
  return state !== undefined && state !== TOO_LATE && state !== CALLED_OFF
}

/** The server ended the statement: its time is over. */
const CALLED_OFF = '57014'
