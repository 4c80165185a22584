/** Secrets in printed form: text is searched as it stands, and what its digits and letters may mean (I-01). @module */
/// <reference types="node" />

import type { Pieces } from './memory-scan.ts'

const CHUNK_BYTES = 8 * 1024 * 1024
const OVERLAP_BYTES = 64 * 1024
const HEX = /[0-9a-f]{16,}/gi
/** As a Buffer prints. */
const SPACED_HEX = /(?:[0-9a-f]{2} ){7,}[0-9a-f]{2}/gi
const BASE64 = /[A-Za-z0-9+/_-]{11,}/g
const ONLY_HEX = /^[0-9a-f]+$/i
/** The keys of typed arrays in JSON. */
const JSON_KEYS = /"\d+":/g
const NUMBER = '-?\\d+(?:\\.\\d+)?(?:e[-+]?\\d+)?'
const NUMBERS = new RegExp(`${NUMBER}(?:,\\s*${NUMBER}){3,}`, 'gi')
/** Between two meanings: no piece begins in one and ends in the next. */
const GAP: Uint8Array = new Uint8Array(64)

/**
 * Counts pieces in a text: as they stand; and in what it says in hexadecimal (both halves of a byte), in base64 (from
 * every letter of four) and in lists of numbers (as bytes, integers, floats and doubles). What it says again and again
 * counts once in eight megabytes.
 */
export function countInText(text: Uint8Array, all: readonly Pieces[], found: Map<string, number>): void {
  for (const pieces of all) pieces.countIn(text, found)
  for (let at = 0; at < text.length; at += CHUNK_BYTES) {
    // What is longer than the overlap is cut, and found in parts.
    const chunk = Buffer.from(text.subarray(at, at + CHUNK_BYTES + OVERLAP_BYTES)).toString('latin1')
    const meant = Buffer.concat([...meanings(chunk)].flatMap((meaning) => [meaning, GAP]))
    for (const pieces of all) pieces.countIn(meant, found)
  }
}

function* meanings(text: string): Generator<Uint8Array> {
  for (const digits of runs(text, HEX)) {
    yield Buffer.from(digits, 'hex')
    yield Buffer.from(digits.slice(1), 'hex')
  }
  for (const digits of runs(text, SPACED_HEX)) yield Buffer.from(digits.replaceAll(' ', ''), 'hex')
  for (const letters of runs(text, BASE64)) {
    if (ONLY_HEX.test(letters)) continue
    for (let skipped = 0; skipped < 4; skipped++) yield Buffer.from(letters.slice(skipped), 'base64')
  }
  for (const list of runs(text.replace(JSON_KEYS, ''), NUMBERS)) {
    const numbers = list.split(',').map(Number)
    yield Uint8Array.from(numbers)
    yield bytesOf(Int32Array.from(numbers))
    yield bytesOf(Float32Array.from(numbers))
    yield bytesOf(Float64Array.from(numbers))
  }
}

function runs(text: string, pattern: RegExp): ReadonlySet<string> {
  return new Set(text.match(pattern))
}

function bytesOf(view: Int32Array | Float32Array | Float64Array): Uint8Array {
  return new Uint8Array(view.buffer)
}
