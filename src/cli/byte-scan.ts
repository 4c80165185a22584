/** Looks for pieces of vectors in files: what must not be on disk is looked for, not argued away. @module */
/// <reference types="node" />

import { readdir, readFile } from 'node:fs/promises'
import { join, relative } from 'node:path'

const WINDOW = 16
/** A number for each of the odd words, so that doubles whose low halves are zero do not fall together. */
const FACTORS = [0x9e3779b1, 0x85ebca77] as const

/** Pieces of 16 bytes to look for, in one table: a scan costs one look-up a byte. */
export class Needles {
  #pieces = new Uint8Array(WINDOW * 1024)
  #count = 0
  /** For each hash the last piece that has it, from 1; `#next` leads to the others. */
  #heads = new Int32Array(0)
  #next = new Int32Array(0)

  /** Adds every window of 16 bytes that begins at a multiple of 16, and returns how many there were. */
  add(bytes: Uint8Array): number {
    const added = Math.floor(bytes.length / WINDOW)
    const used = this.#count * WINDOW
    if (used + added * WINDOW > this.#pieces.length) {
      const larger = new Uint8Array(2 * (used + added * WINDOW))
      larger.set(this.#pieces.subarray(0, used))
      this.#pieces = larger
    }
    this.#pieces.set(bytes.subarray(0, added * WINDOW), used)
    this.#count += added
    this.#heads = new Int32Array(0)
    return added
  }

  /** How many pieces occur in `bytes`, at any offset. */
  count(bytes: Uint8Array): number {
    if (this.#heads.length === 0) this.#index()
    const mask = this.#heads.length - 1
    let hits = 0
    for (let offset = 0; offset + WINDOW <= bytes.length; offset++) {
      let piece = this.#heads[hashAt(bytes, offset) & mask] as number
      for (; piece !== 0; piece = this.#next[piece] as number) {
        if (this.#isAt(piece - 1, bytes, offset)) hits++
      }
    }
    return hits
  }

  #index(): void {
    const size = 2 ** Math.ceil(Math.log2(2 * this.#count + 2))
    this.#heads = new Int32Array(size)
    this.#next = new Int32Array(this.#count + 1)
    for (let piece = 1; piece <= this.#count; piece++) {
      const slot = hashAt(this.#pieces, (piece - 1) * WINDOW) & (size - 1)
      this.#next[piece] = this.#heads[slot] as number
      this.#heads[slot] = piece
    }
  }

  #isAt(piece: number, bytes: Uint8Array, offset: number): boolean {
    const start = piece * WINDOW
    for (let i = 0; i < WINDOW; i++) if (bytes[offset + i] !== this.#pieces[start + i]) return false
    return true
  }
}

/** What a scan saw. */
export interface ScanResult {
  readonly files: number
  readonly bytes: number
  readonly hits: number
  /** Files with hits, below the folder. */
  readonly found: readonly string[]
}

/** Scans every file below a folder. */
export async function scanFolder(path: string, needles: Needles): Promise<ScanResult> {
  const found: string[] = []
  let files = 0
  let bytes = 0
  let hits = 0
  for (const entry of await readdir(path, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const file = join(entry.parentPath, entry.name)
    const contents = await readFile(file)
    const here = needles.count(contents)
    files++
    bytes += contents.length
    hits += here
    if (here > 0) found.push(relative(path, file))
  }
  return { files, bytes, hits, found }
}

/** Second and fourth word of a window. */
function hashAt(bytes: Uint8Array, offset: number): number {
  const mixed =
    Math.imul(wordAt(bytes, offset + 4), FACTORS[0]) ^ Math.imul(wordAt(bytes, offset + 12), FACTORS[1])
  return mixed ^ (mixed >>> 15)
}

function wordAt(bytes: Uint8Array, offset: number): number {
  return (
    (bytes[offset] as number) |
    ((bytes[offset + 1] as number) << 8) |
    ((bytes[offset + 2] as number) << 16) |
    ((bytes[offset + 3] as number) << 24)
  )
}
