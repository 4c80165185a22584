/** Stores seen from outside: every row as text, rows rewritten, calls that fail. @module */
import { GuiseError, type Store, type StoredRow, type StoreStep, type Table } from 'guise'
import { expect } from 'vitest'
import { toHex } from '../../src/base/bytes.ts'
import { TABLES } from '../../src/store/store.ts'

/** Every row of every table but those of the log: `table key` → bytes and version, in order. */
export async function dump(store: Store): Promise<ReadonlyMap<string, string>> {
  const rows = new Map<string, string>()
  for (const table of TABLES) {
    if (table === 'queue' || table === 'log') continue
    for await (const row of store.scan(table, new Uint8Array(0))) {
      rows.set(`${table} ${toHex(row.key)}`, `${toHex(row.bytes)} ${row.version}`)
    }
  }
  return rows
}

/** The rows of one table. */
export async function rowsOf(store: Store, table: Table): Promise<readonly StoredRow[]> {
  const rows: StoredRow[] = []
  for await (const row of store.scan(table, new Uint8Array(0))) rows.push(row)
  return rows
}

/** The only row of a table. */
export async function onlyRow(store: Store, table: Table): Promise<StoredRow> {
  const [row, more] = await rowsOf(store, table)
  if (row === undefined || more !== undefined) throw new Error(`${table} does not hold exactly one row`)
  return row
}

/** Writes bytes under a key whatever is there. */
export async function overwrite(
  store: Store,
  table: Table,
  key: Uint8Array,
  bytes: Uint8Array,
): Promise<void> {
  const row = await store.get(table, key)
  await store.commit([{ step: 'put', table: table as 'states', key, bytes, expected: row?.version ?? null }])
}

/** Removes a row if it is there. */
export async function remove(store: Store, table: Table, key: Uint8Array): Promise<void> {
  const row = await store.get(table, key)
  if (row !== undefined) await store.commit([{ step: 'delete', table, key, expected: row.version }])
}

export interface Call {
  readonly name: 'get' | 'commit' | 'scan'
  readonly table: string
  readonly signal: AbortSignal | undefined
  readonly steps: readonly StoreStep[]
}

/** What is done about a call: before it, or after it with its effect in place. */
export interface Fault {
  before?(call: Call, number: number): Promise<void> | void
  after?(call: Call, number: number): Promise<void> | void
}

/** A store whose every call passes a hook; `calls` counts them from 1. */
export function hookedStore(inner: Store): Store & { fault: Fault; calls: number } {
  const pass = async <Result>(call: Call, run: () => Promise<Result>): Promise<Result> => {
    const number = ++hooked.calls
    const { fault } = hooked
    await fault.before?.(call, number)
    const result = await run()
    await fault.after?.(call, number)
    return result
  }
  const hooked: Store & { fault: Fault; calls: number } = {
    fault: {},
    calls: 0,
    durable: inner.durable,
    get: (table, key, options) =>
      pass({ name: 'get', table, signal: options?.signal, steps: [] }, () => inner.get(table, key, options)),
    commit: (steps, options) =>
      pass({ name: 'commit', table: '', signal: options?.signal, steps }, () => inner.commit(steps, options)),
    scan: (table, from, options) => scanned(inner, pass, { table, from, options }),
    close: () => inner.close(),
    [Symbol.asyncDispose]: () => inner.close(),
  }
  return hooked
}

async function* scanned(
  inner: Store,
  pass: <Result>(call: Call, run: () => Promise<Result>) => Promise<Result>,
  { table, from, options }: { table: Table; from: Uint8Array; options: { signal?: AbortSignal } | undefined },
): AsyncGenerator<StoredRow> {
  await pass({ name: 'scan', table, signal: options?.signal, steps: [] }, async () => undefined)
  yield* inner.scan(table, from, options)
}

/** Everything that calls threw, for a look at all of it afterwards. */
export const thrown: unknown[] = []

/** The code of the typed error that a call rejects with; fails for anything else that is thrown. */
export async function typedCode(promise: Promise<unknown>): Promise<string> {
  let value: unknown
  try {
    value = await promise
  } catch (error) {
    thrown.push(error)
    if (!(error instanceof GuiseError)) throw error
    expect(error.code).toMatch(/^ERR_[A-Z]+(_[A-Z0-9]+)+$/)
    return error.code
  }
  return `resolved ${JSON.stringify(value)}`
}

/** The shortest time of twenty runs in milliseconds: a busy machine only ever adds. */
export function fastest(run: () => void): number {
  let best = Number.POSITIVE_INFINITY
  for (let i = 0; i < 20; i++) {
    const begun = performance.now()
    run()
    best = Math.min(best, performance.now() - begun)
  }
  return best
}
