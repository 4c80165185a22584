/** A store in memory, for tests and examples; it forgets everything with the process (SPEC §10). @module */

import type { CallOptions } from '../base/errors.ts'
import { StoreError } from './errors.ts'
import {
  conflict,
  keyText,
  type OwnedStep,
  ownKey,
  ownPlaces,
  ownSteps,
  ownTable,
  placeKey,
  sequenceKey,
} from './steps.ts'
import {
  type LinkedPlace,
  type RowPlace,
  type Store,
  type StoredRow,
  type StoreStep,
  TABLES,
  type Table,
} from './store.ts'

/** An empty store that is not durable. */
export function memoryStore(): Store {
  return new MemoryStore()
}

const PAGE_ROWS = 256

class MemoryStore implements Store {
  readonly durable = false
  readonly #tables: ReadonlyMap<Table, MemoryTable> = new Map(
    TABLES.map((table) => [table, new MemoryTable()]),
  )
  #sequence = 0
  #closed = false

  async get(table: Table, key: Uint8Array, options: CallOptions = {}): Promise<StoredRow | undefined> {
    const name = ownTable(table)
    const owned = ownKey(key)
    this.#enter(options)
    const row = this.#table(name).rows.get(keyText(owned))
    return row === undefined ? undefined : copyRow(row)
  }

  async getMany(
    places: readonly (RowPlace | LinkedPlace)[],
    options: CallOptions = {},
  ): Promise<readonly (StoredRow | undefined)[]> {
    const owned = ownPlaces(places)
    this.#enter(options)
    const rows: (StoredRow | undefined)[] = []
    for (const place of owned) {
      const row = this.#table(place.table).rows.get(keyText(placeKey(place, rows)))
      rows.push(row && copyRow(row))
    }
    return rows
  }

  async commit(steps: readonly StoreStep[], options: CallOptions = {}): Promise<readonly string[]> {
    const owned = ownSteps(steps)
    this.#enter(options)
    for (const [i, step] of owned.entries()) this.#expect(step, i)
    return owned.map((step) => this.#apply(step))
  }

  scan(table: Table, from: Uint8Array, options: CallOptions = {}): AsyncIterable<StoredRow> {
    const name = ownTable(table)
    const start = keyText(ownKey(from, 'from', 0))
    this.#enter(options)
    return this.#pages(this.#table(name), start, options)
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const table of this.#tables.values()) table.clear()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async *#pages(table: MemoryTable, from: string, options: CallOptions): AsyncGenerator<StoredRow, void> {
    let after: string | undefined
    while (true) {
      this.#enter(options)
      const page = table.page(after ?? from, after !== undefined)
      for (const row of page) {
        options.signal?.throwIfAborted()
        yield row
      }
      const last = page.at(-1)
      if (last === undefined || page.length < PAGE_ROWS) return
      after = keyText(last.key)
    }
  }

  #enter(options: CallOptions): void {
    options.signal?.throwIfAborted()
    if (this.#closed) throw new StoreError('ERR_STORE_CLOSED', 'the store is closed')
  }

  #table(name: Table): MemoryTable {
    const table = this.#tables.get(name)
    if (table === undefined) throw new StoreError('ERR_STORE_INPUT', 'the table is unknown')
    return table
  }

  #expect(step: OwnedStep, index: number): void {
    if (step.step === 'append') return
    const row = this.#table(step.table).rows.get(keyText(step.key))
    if ((row?.version ?? null) !== step.expected) throw conflict(step, index)
  }

  #apply(step: OwnedStep): string {
    if (step.step === 'check') return ''
    const table = this.#table(step.table)
    if (step.step === 'delete') {
      table.rows.delete(keyText(step.key))
      return ''
    }
    this.#sequence += 1
    const key = step.step === 'append' ? sequenceKey(this.#sequence) : step.key
    const version = String(this.#sequence)
    table.put({ key, bytes: step.bytes, version })
    return version
  }
}

/** Rows by key text, and their keys in order: sorted lazily, because most tables are never scanned. */
class MemoryTable {
  readonly rows: Map<string, StoredRow> = new Map()
  #sorted: string[] = []
  #added: string[] = []

  put(row: StoredRow): void {
    const text = keyText(row.key)
    if (!this.rows.has(text)) this.#added.push(text)
    this.rows.set(text, row)
  }

  clear(): void {
    this.rows.clear()
    this.#sorted = []
    this.#added = []
  }

  page(from: string, exclusive: boolean): readonly StoredRow[] {
    const keys = this.#keys()
    const page: StoredRow[] = []
    for (let i = lowerBound(keys, from); i < keys.length && page.length < PAGE_ROWS; i++) {
      const key = keys[i]
      const row = key === undefined ? undefined : this.rows.get(key)
      if (row !== undefined && !(exclusive && key === from)) page.push(copyRow(row))
    }
    return page
  }

  #keys(): readonly string[] {
    if (this.#added.length > 0) {
      const live = new Set([...this.#sorted, ...this.#added].filter((key) => this.rows.has(key)))
      // The default order of texts is by UTF-16 unit, here by byte.
      this.#sorted = [...live].sort()
      this.#added = []
    }
    return this.#sorted
  }
}

function lowerBound(keys: readonly string[], from: string): number {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((keys[middle] ?? '') < from) low = middle + 1
    else high = middle
  }
  return low
}

function copyRow(row: StoredRow): StoredRow {
  return { key: new Uint8Array(row.key), bytes: new Uint8Array(row.bytes), version: row.version }
}
