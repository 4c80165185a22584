/** One statement on one connection of a pool, with bounds on every wait (SPEC §10.5). @module */

import type { StoreError } from './errors.ts'
import { busy, isCertain, isLost, statementFailure, stateOf, unknownOutcome } from './postgres-failure.ts'

/** What is needed of a client: parameters as texts and bytes, rows as objects. A client of `pg` fits. */
export interface PostgresSession {
  query(text: string, values?: unknown[]): Promise<{ readonly rows: readonly unknown[] }>
}

/** A session of a pool. With `on` the store hears of a connection that dies and of notices, as `pg` tells them. */
export interface PostgresClient extends PostgresSession {
  release(error?: Error | boolean): void
  on?(event: string, listener: (...values: unknown[]) => void): unknown
  removeListener?(event: string, listener: (...values: unknown[]) => void): unknown
}

/** A pool that hands out clients, such as `new Pool()` of `pg`. */
export interface PostgresPool {
  connect(): Promise<PostgresClient>
}

export interface Statement {
  readonly text: string
  readonly values: unknown[]
  /** True when the statement commits something, so that a lost answer leaves the outcome open. */
  readonly writes: boolean
  readonly timeoutMs: number
}

export class Connections {
  readonly #pool: PostgresPool
  readonly #waitMs: number

  /** `waitMs` bounds the wait for a connection. */
  constructor(pool: PostgresPool, waitMs: number) {
    this.#pool = pool
    this.#waitMs = waitMs
  }

  /**
   * Runs a statement as a transaction of its own. An abort counts until the statement is sent.
   *
   * @throws {StoreError} typed by what is known of the outcome.
   */
  async run(statement: Statement, signal?: AbortSignal): Promise<readonly unknown[]> {
    return (await this.runNext(() => statement, signal)) ?? []
  }

  /** Runs what `next` gives once there is a connection; nothing, and the answer is `undefined`, when it gives nothing. */
  async runNext(
    next: () => Statement | undefined,
    signal?: AbortSignal,
  ): Promise<readonly unknown[] | undefined> {
    const client = await this.#acquire(signal)
    const heard = listen(client)
    let statement: Statement | undefined
    let lost = false
    try {
      signal?.throwIfAborted()
      statement = next()
      if (statement === undefined) return undefined
      const { rows } = await within(client.query(statement.text, statement.values), statement.timeoutMs)
      if (statement.writes && heard.unreplicated()) throw unknownOutcome(undefined)
      return rows
    } catch (error) {
      if (statement === undefined) throw error
      const failure = await judge(client, error, statement)
      lost = failure.lost
      throw failure.error
    } finally {
      heard.stop()
      client.release(lost)
    }
  }

  #acquire(signal: AbortSignal | undefined): Promise<PostgresClient> {
    return new Promise((resolve, reject) => {
      let open = true
      const end = (settle: () => void): void => {
        open = false
        clearTimeout(timer)
        signal?.removeEventListener('abort', abort)
        settle()
      }
      const abort = (): void => end(() => reject(asError(signal?.reason)))
      const timer = setTimeout(() => {
        end(() => reject(busy('no connection became free in time', undefined)))
      }, this.#waitMs)
      signal?.addEventListener('abort', abort, { once: true })
      const connecting = Promise.resolve().then(() => this.#pool.connect())
      connecting.then(
        // A connection that comes too late goes back unused.
        (client) => (open ? end(() => resolve(client)) : client.release()),
        (error: unknown) => {
          if (open) end(() => reject(connectFailure(error)))
        },
      )
    })
  }
}

const NOT_REPLICATED = 'SyncRepWaitForLSN'

/** Hears what a connection says beside its answers. Without a listener the error of a dying one ends the process. */
function listen(client: PostgresClient): { readonly unreplicated: () => boolean; readonly stop: () => void } {
  let unreplicated = false
  const failed = (): void => undefined
  // An administrator who cancels the wait for a standby makes the server answer as if it had been reached.
  const noticed = (notice: unknown): void => {
    const told =
      typeof notice === 'object' && notice !== null && 'routine' in notice ? notice.routine : undefined
    if (told === NOT_REPLICATED) unreplicated = true
  }
  client.on?.('error', failed)
  client.on?.('notice', noticed)
  return {
    unreplicated: () => unreplicated,
    stop: () => {
      client.removeListener?.('error', failed)
      client.removeListener?.('notice', noticed)
    },
  }
}

const CONFIRM_MS = 2000

/** What a failed statement means, and whether its connection can be used again. */
async function judge(
  client: PostgresClient,
  error: unknown,
  { writes }: Statement,
): Promise<{ readonly error: StoreError; readonly lost: boolean }> {
  if (isLost(error)) {
    return { error: writes ? unknownOutcome(error) : busy('the connection was lost', error), lost: true }
  }
  // A session that goes on has rolled back what failed; one that the server ends may have failed in its commit.
  if (writes && !isCertain(error) && !(await lives(client)))
    return { error: unknownOutcome(error), lost: true }
  return { error: statementFailure(error), lost: false }
}

async function lives(client: PostgresClient): Promise<boolean> {
  try {
    await within(client.query('SELECT 1'), CONFIRM_MS)
    return true
  } catch {
    return false
  }
}

/** Rejects after a time; what comes later is dropped with the connection. */
async function within<Result>(promise: Promise<Result>, timeoutMs: number): Promise<Result> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(busy('the server did not answer in time', undefined)), timeoutMs)
  })
  try {
    return await Promise.race([promise, silence])
  } finally {
    clearTimeout(timer)
  }
}

function connectFailure(error: unknown): StoreError {
  const state = stateOf(error) ?? ''
  const refused = state.startsWith('28') || state.startsWith('3D') || state.startsWith('42')
  return refused ? statementFailure(error) : busy('no connection to the server', error)
}

function asError(reason: unknown): Error {
  return reason as Error
}
