/** Fourteen ways in which a face could lie on a disk, and the search of files for them (I-01, I-02). @module */
/// <reference types="node" />

import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Pieces } from './memory-scan.ts'

const WINDOW = 16
const WINDOWS = 8
const DIGITS = 8
const NAME_WINDOW = 12

/** Adds a face in fourteen encodings. */
export function addEncodings(pieces: Pieces, vector: Float32Array, integers: Int32Array): void {
  const floats = Buffer.from(vector.slice().buffer)
  const doubles = Buffer.from(Float64Array.from(vector).buffer)
  const halves = Buffer.from(Uint16Array.from(vector, encodeFloat16).buffer)
  const most = Math.max(...vector.map(Math.abs))
  const add = (kind: string, bytes: Uint8Array): void =>
    pieces.add(kind, Uint8Array.from(bytes), WINDOW, WINDOWS)
  add('float32', floats)
  add('float32, big-endian', Buffer.from(floats).swap32())
  add('float64', doubles)
  add('float64, big-endian', Buffer.from(doubles).swap64())
  add('float16', halves)
  add('float16, big-endian', Buffer.from(halves).swap16())
  add('int8', Buffer.from(Int8Array.from(vector, (x) => Math.round((127 * x) / most)).buffer))
  add(
    'uint8',
    Uint8Array.from(vector, (x) => Math.round(127.5 + (127.5 * x) / most)),
  )
  add('integers', Buffer.from(integers.slice().buffer))
  for (const skipped of [0, 1, 2]) {
    add(`base64 from byte ${skipped}`, Buffer.from(floats.subarray(skipped).toString('base64')))
  }
  add('hexadecimal', Buffer.from(floats.toString('hex')))
  for (let i = 0; i < vector.length; i += vector.length / WINDOWS) {
    const digits = String(Math.abs(vector[i] as number)).slice(0, DIGITS)
    pieces.add('decimal', Uint8Array.from(Buffer.from(digits)), DIGITS)
  }
}

/** Adds a name in eight encodings. */
export function addName(pieces: Pieces, name: string): void {
  const utf8 = Buffer.from(name)
  const forms = {
    'name in utf-8': utf8,
    'name in utf-16': Buffer.from(name, 'utf16le'),
    'hexadecimal name': Buffer.from(utf8.toString('hex')),
    'base64 name': Buffer.from(utf8.toString('base64')),
    'base64 name from byte 1': Buffer.from(utf8.subarray(1).toString('base64')),
    'base64 name from byte 2': Buffer.from(utf8.subarray(2).toString('base64')),
    'base64url name': Buffer.from(utf8.toString('base64url')),
    'name in upper case': Buffer.from(name.toUpperCase()),
  }
  for (const [kind, bytes] of Object.entries(forms)) pieces.add(kind, Uint8Array.from(bytes), NAME_WINDOW)
}

/** Counts pieces in every file below a folder. */
export function scanFiles(folder: string, pieces: Pieces): Readonly<Record<string, number>> {
  const found = new Map<string, number>()
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) pieces.countIn(readFileSync(join(entry.parentPath, entry.name)), found)
  }
  return Object.fromEntries(found)
}

/** Writes one piece of each kind into the middle of a file: the control. */
export function plantInFile(path: string, pieces: Pieces): void {
  const content = readFileSync(path)
  let at = Math.floor(content.length / 2) + 1
  for (const kind of pieces.kinds) {
    const piece = pieces.sample(kind)
    content.set(piece, at)
    at += piece.length + 3
  }
  writeFileSync(path, content)
}

/** The nearest half-precision float, for magnitudes below 65,504. */
function encodeFloat16(value: number): number {
  const sign = value < 0 ? 0x8000 : 0
  const magnitude = Math.abs(value)
  const exponent = Math.max(-14, Math.floor(Math.log2(magnitude)))
  const steps = Math.round(magnitude / 2 ** (exponent - 10))
  return sign | (((exponent + 14) << 10) + steps)
}
