/** Small files that appear whole, flushed, for their owner only (SPEC §13.8). @module */
/// <reference types="node" />

import {
  closeSync,
  fstatSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { wipe } from '../base/bytes.ts'
import { malformed } from './errors.ts'

const OWNER_FILE = 0o600

/** Takes the name in one step, whatever had it before. */
export function writeWhole(path: string, bytes: Uint8Array): void {
  const temporary = `${path}.tmp`
  const file = openSync(temporary, 'w', OWNER_FILE)
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(temporary, path)
  flushFolder(path)
}

/** The bytes of a file, which the caller wipes if they are secret; `undefined` when there is none. */
export function readWhole(path: string, maxBytes: number): Uint8Array | undefined {
  let file: number
  try {
    file = openSync(path, 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  try {
    if (fstatSync(file).size > maxBytes) throw malformed('a file is too long')
    const read = readFileSync(file)
    const bytes = Uint8Array.from(read)
    wipe(read)
    return bytes
  } finally {
    closeSync(file)
  }
}

/** Removes a file, if there is one. */
export function removeWhole(path: string): void {
  try {
    unlinkSync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  flushFolder(path)
}

function flushFolder(path: string): void {
  const folder = openSync(dirname(path), 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}
