/** Looks for pieces of vectors in files: what must not be on disk is looked for, not argued away. @module */
/// <reference types="node" />

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

const WINDOW = 16
const HEAD = 4

/**
 * Pieces of 16 bytes to look for. Four of their bytes lead to them, so that a scan costs one look-up a byte. It is the second four:
 * the first four of a double that was a 32-bit float are nearly always zero.
 */
export class Needles {
  readonly #byHead = new Map<number, Uint8Array[]>()

  /** Adds every window of 16 bytes that begins at a multiple of 16. */
  add(bytes: Uint8Array): void {
    for (let offset = 0; offset + WINDOW <= bytes.length; offset += WINDOW) {
      const piece = bytes.slice(offset, offset + WINDOW)
      const head = headAt(piece, HEAD)
      const list = this.#byHead.get(head)
      if (list === undefined) this.#byHead.set(head, [piece])
      else list.push(piece)
    }
  }

  /** Adds a vector as 32-bit and 64-bit floats, little-endian. */
  addVector(vector: ArrayLike<number>): void {
    this.add(new Uint8Array(Float32Array.from(vector).buffer))
    this.add(new Uint8Array(Float64Array.from(vector).buffer))
  }

  /** How many pieces occur in `bytes`, at any offset. */
  count(bytes: Uint8Array): number {
    let hits = 0
    for (let offset = 0; offset + WINDOW <= bytes.length; offset++) {
      const pieces = this.#byHead.get(headAt(bytes, offset + HEAD))
      if (pieces === undefined) continue
      for (const piece of pieces) if (startsAt(bytes, offset, piece)) hits++
    }
    return hits
  }
}

/** Scans every file below a folder. */
export async function scanFolder(
  path: string,
  needles: Needles,
): Promise<{ readonly files: number; readonly bytes: number; readonly hits: number }> {
  let files = 0
  let bytes = 0
  let hits = 0
  for (const entry of await readdir(path, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const contents = await readFile(join(entry.parentPath, entry.name))
    files++
    bytes += contents.length
    hits += needles.count(contents)
  }
  return { files, bytes, hits }
}

function headAt(bytes: Uint8Array, offset: number): number {
  return (
    ((bytes[offset] as number) |
      ((bytes[offset + 1] as number) << 8) |
      ((bytes[offset + 2] as number) << 16) |
      ((bytes[offset + 3] as number) << 24)) >>>
    0
  )
}

function startsAt(bytes: Uint8Array, offset: number, piece: Uint8Array): boolean {
  for (let i = 0; i < piece.length; i++) if (bytes[offset + i] !== piece[i]) return false
  return true
}
