/** Readings of rows; those that wait together share a statement and its snapshot (SPEC §10.5, STORE-24). @module */

import { readArguments } from './postgres-commit.ts'
import type { Connections } from './postgres-connection.ts'
import { Gathering, type Take } from './postgres-gathering.ts'
import { rowsSql } from './postgres-schema.ts'
import type { OwnedPlace } from './steps.ts'
import { MAX_READ_ROWS } from './store.ts'

/** A row as the server gives it. */
export interface PlacedRow {
  readonly place: number
  readonly bytes: unknown
  readonly version: string
}

/** Rows by the number of their place. */
export type PlacedRows = ReadonlyMap<number, PlacedRow>

export class Readings {
  readonly #connections: Connections
  readonly #text: string
  readonly #timeoutMs: number
  readonly #gathering: Gathering<readonly OwnedPlace[], PlacedRows>

  constructor(connections: Connections, schema: string, timeoutMs: number) {
    this.#connections = connections
    this.#text = rowsSql(schema)
    this.#timeoutMs = timeoutMs
    this.#gathering = new Gathering(LANES, (take) => this.#serve(take))
  }

  read(places: readonly OwnedPlace[], signal: AbortSignal | undefined): Promise<PlacedRows> {
    return this.#gathering.add(places, signal)
  }

  async #serve(take: Take<readonly OwnedPlace[], PlacedRows>): Promise<void> {
    let taken: ReturnType<typeof take> = []
    try {
      const answer = await this.#connections.runNext(() => {
        let room = MAX_READ_ROWS
        taken = take((places) => {
          room -= places.length
          return room >= 0
        })
        if (taken.length === 0) return undefined
        const values = readArguments(taken.flatMap(({ input }, i) => moved(input, before(taken, i))))
        return { text: this.#text, values, writes: false, timeoutMs: this.#timeoutMs }
      })
      const rows = (answer ?? []) as readonly PlacedRow[]
      for (const [i, call] of taken.entries()) call.resolve(partOf(rows, before(taken, i), call.input.length))
    } catch (error) {
      if (taken.length === 0) throw error
      for (const call of taken) call.reject(error)
    }
  }
}

/** Readings are short: more at once would only be smaller. */
const LANES = 2

/** How many places stand before those of call `i`. */
function before(calls: readonly { readonly input: readonly OwnedPlace[] }[], i: number): number {
  return calls.slice(0, i).reduce((sum, { input }) => sum + input.length, 0)
}

/** The same places when `count` others stand before them. */
function moved(places: readonly OwnedPlace[], count: number): readonly OwnedPlace[] {
  if (count === 0) return places
  return places.map(({ table, parts }) => ({
    table,
    parts: parts.map((part) => (part instanceof Uint8Array ? part : { ...part, row: part.row + count })),
  }))
}

function partOf(rows: readonly PlacedRow[], from: number, count: number): PlacedRows {
  const own = rows.filter(({ place }) => place >= from && place < from + count)
  return new Map(own.map((row) => [row.place - from, row]))
}
