/** Searches the memory of another process for pieces of secrets (Linux; I-03). @module */
/// <reference types="node" />

import { closeSync, openSync, readFileSync, readSync } from 'node:fs'

const PAGE_BYTES = 4096
const CHUNK_PAGES = 1024
/** Bytes 4 to 7 of a piece lead to it: the first four of a double that was a 32-bit float are mostly zero. */
const HEAD_AT = 4
const LEAST_BYTES = 8

interface Piece {
  readonly kind: string
  readonly bytes: Uint8Array
}

/** Pieces of secrets by kind. */
export class Pieces {
  readonly #byHead = new Map<number, Piece[]>()
  readonly #filter = new Uint32Array(2 ** 19)
  readonly #kinds = new Set<string>()
  #longest = LEAST_BYTES
  count = 0

  get kinds(): ReadonlySet<string> {
    return this.#kinds
  }

  /** Adds windows of `windowBytes`, `windows` of them spread evenly; by default the secret is cut without gaps. */
  add(
    kind: string,
    secret: Uint8Array,
    windowBytes: number,
    windows = Math.floor(secret.length / windowBytes),
  ): void {
    const stride = Math.floor((secret.length - windowBytes) / Math.max(1, windows - 1)) || windowBytes
    this.#kinds.add(kind)
    this.#longest = Math.max(this.#longest, windowBytes)
    for (let i = 0; i < windows; i++) {
      const bytes = secret.slice(i * stride, i * stride + windowBytes)
      // A piece of one byte value over and over is found in every memory.
      if (new Set(bytes).size < 4) continue
      const head = headAt(bytes, HEAD_AT)
      // Most memory is zero: no piece may make every byte of it worth a look.
      if (head === 0) continue
      const list = this.#byHead.get(head) ?? []
      if (list.some((piece) => piece.kind === kind && Buffer.compare(piece.bytes, bytes) === 0)) continue
      list.push({ kind, bytes })
      this.#byHead.set(head, list)
      const slot = slotOf(head)
      this.#filter[slot >>> 5] = (this.#filter[slot >>> 5] as number) | (1 << (slot & 31))
      this.count++
    }
  }

  /** Any piece of a kind, for a control that plants one. */
  sample(kind: string): Uint8Array {
    for (const list of this.#byHead.values()) {
      const piece = list.find((one) => one.kind === kind)
      if (piece !== undefined) return piece.bytes
    }
    throw new Error(`there is no piece of ${kind}`)
  }

  get overlapBytes(): number {
    return this.#longest - 1
  }

  /** Counts the pieces that occur in `memory`, at any offset. */
  countIn(memory: Uint8Array, found: Map<string, number>): void {
    const filter = this.#filter
    const last = memory.length - LEAST_BYTES
    let head = 0
    for (let i = 0; i < HEAD_AT + 3 && i < memory.length; i++)
      head = (head >>> 8) | ((memory[i] as number) << 24)
    for (let at = 0; at <= last; at++) {
      head = (head >>> 8) | ((memory[at + HEAD_AT + 3] as number) << 24)
      const slot = slotOf(head)
      if ((((filter[slot >>> 5] as number) >>> (slot & 31)) & 1) === 0) continue
      for (const { kind, bytes } of this.#byHead.get(head >>> 0) ?? []) {
        if (startsAt(memory, at, bytes)) found.set(kind, (found.get(kind) ?? 0) + 1)
      }
    }
  }
}

export interface Scan {
  /** Pieces found, by kind. */
  readonly found: ReadonlyMap<string, number>
  readonly scannedBytes: number
}

/** Searches every resident writable page of a process. It had better be stopped meanwhile. */
export function scanProcess(pid: number, pieces: Pieces): Scan {
  const memory = openSync(`/proc/${pid}/mem`, 'r')
  const pagemap = openSync(`/proc/${pid}/pagemap`, 'r')
  const found = new Map<string, number>()
  const buffer = new Uint8Array(pieces.overlapBytes + CHUNK_PAGES * PAGE_BYTES)
  let scannedBytes = 0
  try {
    for (const [from, to] of residentRuns(pid, pagemap)) {
      let carried = 0
      for (let at = from; at < to; ) {
        const wanted = Math.min(buffer.length - carried, to - at)
        const read = readSync(memory, buffer, carried, wanted, at)
        if (read <= 0) break
        pieces.countIn(buffer.subarray(0, carried + read), found)
        at += read
        scannedBytes += read
        const end = carried + read
        carried = Math.min(pieces.overlapBytes, end)
        buffer.copyWithin(0, end - carried, end)
      }
    }
  } finally {
    closeSync(memory)
    closeSync(pagemap)
  }
  return { found, scannedBytes }
}

/** Addresses of pages that are in memory or in swap, of mappings that may be written to. */
function* residentRuns(pid: number, pagemap: number): Generator<readonly [from: number, to: number]> {
  for (const line of readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n')) {
    const range = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line)
    if (range === null) continue
    const from = Number.parseInt(range[1] as string, 16)
    const pages = (Number.parseInt(range[2] as string, 16) - from) / PAGE_BYTES
    const entries = Buffer.alloc(8 * pages)
    readSync(pagemap, entries, 0, entries.length, (from / PAGE_BYTES) * 8)
    let first = -1
    for (let page = 0; page <= pages; page++) {
      // Bit 63: in memory; bit 62: in swap.
      const there = page < pages && ((entries[8 * page + 7] as number) & 0xc0) !== 0
      if (there && first < 0) first = page
      if (!there && first >= 0) {
        yield [from + first * PAGE_BYTES, from + page * PAGE_BYTES]
        first = -1
      }
    }
  }
}

/** A place in the filter: 24 well-mixed bits. */
function slotOf(head: number): number {
  return Math.imul(head, 0x9e37_79b1) >>> 8
}

function headAt(bytes: Uint8Array, at: number): number {
  const [a = 0, b = 0, c = 0, d = 0] = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]
  return (a | (b << 8) | (c << 16) | (d << 24)) >>> 0
}

function startsAt(memory: Uint8Array, at: number, piece: Uint8Array): boolean {
  for (let i = 0; i < piece.length; i++) if (memory[at + i] !== piece[i]) return false
  return true
}
