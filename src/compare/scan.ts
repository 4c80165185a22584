/** The nearest of many codes by Hamming distance: candidates, to be confirmed one by one. @module */

import { fromBase64, wipe } from '../base/bytes.ts'
import type { Bits } from '../policy/operating-point.ts'
import { CompareError } from './errors.ts'
import { KERNEL } from './scan.generated.ts'

export interface Neighbour {
  readonly row: number
  /** Bits that differ. */
  readonly distance: number
}

/** Rows of codes in memory that is allocated once. */
export interface CodeScan {
  readonly capacity: number
  /** Copies a code of m/8 bytes to a row. */
  write(row: number, code: Uint8Array): void
  /**
   * The `most` (1 to 4096) rows nearest to `code`, of the first `count`, nearest first; of equally near ones the earlier
   * first. How long it takes depends on where the near rows lie.
   */
  nearest(code: Uint8Array, count: number, most: number): readonly Neighbour[]
  /** Overwrites all rows. */
  wipe(): void
}

/** Rows for codes of `bits` bits, searched in WebAssembly where there is any. */
export function codeScan(capacity: number, bits: Bits, module: string = KERNEL): CodeScan {
  try {
    return new AssemblyScan(capacity, bits, module)
  } catch (error) {
    if (error instanceof CompareError) throw error
    return new PortableScan(capacity, bits)
  }
}

const MOST_ROWS = 4_194_304
const MOST_NEIGHBOURS = 4096
const PAGE_BYTES = 65_536
/** Of the first page: the list of neighbours, and behind it the code that is looked for; rows begin on the second. */
const QUERY_AT = 8 * MOST_NEIGHBOURS
/** Rows of one call: the engine replaces a loop by its faster version between calls only. */
const CHUNK_ROWS = 12_288

abstract class Rows implements CodeScan {
  readonly capacity: number
  protected readonly lengthBytes: number
  protected abstract readonly rows: Uint8Array

  constructor(capacity: number, bits: Bits) {
    if (!Number.isInteger(capacity) || capacity < 1 || capacity > MOST_ROWS) {
      throw new CompareError('ERR_COMPARE_LENGTH', `a scan has 1 to ${MOST_ROWS} rows`)
    }
    this.capacity = capacity
    this.lengthBytes = bits / 8
  }

  write(row: number, code: Uint8Array): void {
    if (!Number.isInteger(row) || row < 0 || row >= this.capacity || code.length !== this.lengthBytes) {
      throw new CompareError('ERR_COMPARE_LENGTH', 'no such row, or a code of another length')
    }
    this.rows.set(code, row * this.lengthBytes)
  }

  nearest(code: Uint8Array, count: number, most: number): readonly Neighbour[] {
    const fits = (value: number, least: number, largest: number): boolean =>
      Number.isInteger(value) && value >= least && value <= largest
    if (
      code.length !== this.lengthBytes ||
      !fits(count, 0, this.capacity) ||
      !fits(most, 1, MOST_NEIGHBOURS)
    ) {
      throw new CompareError('ERR_COMPARE_LENGTH', 'a code of another length, or too many rows')
    }
    return this.search(code, count, most)
  }

  wipe(): void {
    wipe(this.rows)
  }

  protected abstract search(code: Uint8Array, count: number, most: number): readonly Neighbour[]
}

/** In plain JavaScript, 32 bits at a time. */
export class PortableScan extends Rows {
  protected readonly rows: Uint8Array
  readonly #words: Int32Array

  constructor(capacity: number, bits: Bits) {
    super(capacity, bits)
    const buffer = new ArrayBuffer(capacity * this.lengthBytes)
    this.rows = new Uint8Array(buffer)
    this.#words = new Int32Array(buffer)
  }

  protected search(code: Uint8Array, count: number, most: number): readonly Neighbour[] {
    const words = this.#words
    const length = this.lengthBytes >> 2
    const query = new Int32Array(new ArrayBuffer(this.lengthBytes))
    new Uint8Array(query.buffer).set(code)
    const found: Neighbour[] = []
    let limit = Number.POSITIVE_INFINITY
    for (let row = 0; row < count; row++) {
      const distance = distanceAt(words, row * length, query)
      if (distance >= limit) continue
      const place = found.findLastIndex((other) => other.distance <= distance) + 1
      found.splice(place, 0, { row, distance })
      if (found.length > most) found.pop()
      if (found.length === most) limit = (found[most - 1] as Neighbour).distance
    }
    wipe(query)
    return found
  }
}

/** How many bits of the row that begins at a word differ from the code. */
function distanceAt(words: Int32Array, from: number, query: Int32Array): number {
  let distance = 0
  for (let i = 0; i < query.length; i++) {
    const word = (words[from + i] as number) ^ (query[i] as number)
    let pairs = word - ((word >>> 1) & 0x5555_5555)
    pairs = (pairs & 0x3333_3333) + ((pairs >>> 2) & 0x3333_3333)
    distance += Math.imul((pairs + (pairs >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24
  }
  return distance
}

interface Exports {
  nearest(
    rows: number,
    count: number,
    words: number,
    query: number,
    first: number,
    out: number,
    most: number,
    found: number,
  ): number
}

/** In WebAssembly, 64 bits at a time, in a memory that never grows. */
class AssemblyScan extends Rows {
  protected readonly rows: Uint8Array
  readonly #buffer: ArrayBuffer
  readonly #exports: Exports

  constructor(capacity: number, bits: Bits, module: string) {
    super(capacity, bits)
    const pages = 1 + Math.ceil((capacity * this.lengthBytes) / PAGE_BYTES)
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages })
    const compiled = new WebAssembly.Module(fromBase64(module) as BufferSource)
    this.#exports = new WebAssembly.Instance(compiled, { env: { memory } }).exports as unknown as Exports
    this.#buffer = memory.buffer
    this.rows = new Uint8Array(memory.buffer, PAGE_BYTES, capacity * this.lengthBytes)
  }

  protected search(code: Uint8Array, count: number, most: number): readonly Neighbour[] {
    const query = new Uint8Array(this.#buffer, QUERY_AT, this.lengthBytes)
    const list = new Uint32Array(this.#buffer, 0, 2 * most)
    try {
      query.set(code)
      let found = 0
      for (let row = 0; row < count; row += CHUNK_ROWS) {
        const rows = Math.min(CHUNK_ROWS, count - row)
        const at = PAGE_BYTES + row * this.lengthBytes
        const words = this.lengthBytes >> 3
        found = this.#exports.nearest(at, rows, words, QUERY_AT, row, 0, most, found)
      }
      return Array.from({ length: found }, (_, i) => ({
        row: list[2 * i] as number,
        distance: list[2 * i + 1] as number,
      }))
    } finally {
      wipe(query, list)
    }
  }
}
