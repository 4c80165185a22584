/** Lines of a text file, one after the other, in bounded memory (RFC 4180, RFC 8259). @module */
/// <reference types="node" />

import { type FileHandle, open } from 'node:fs/promises'
import { basename } from 'node:path'
import { wipe } from '../base/bytes.ts'
import { DatasetError, type DatasetPlace } from './errors.ts'

export interface Line {
  /** The first line is 1. */
  readonly number: number
  /** Without its end; a byte order mark at the start of the file is dropped. */
  readonly text: string
}

/** 4,096 numbers of 25 characters need half of this. */
const MAX_LINE_BYTES = 256 * 1024
const CHUNK_BYTES = 64 * 1024
const NEWLINE = 0x0a

/** Opens a regular file; every way of failing is `ERR_DATASET_FILE` with the cause beneath. */
export async function openFile(path: string): Promise<{ handle: FileHandle; sizeBytes: number }> {
  const place = { file: basename(path) }
  let handle: FileHandle
  try {
    handle = await open(path, 'r')
  } catch (cause) {
    throw new DatasetError('ERR_DATASET_FILE', 'the file cannot be opened', { ...place, cause })
  }
  const stats = await handle.stat()
  if (stats.isFile()) return { handle, sizeBytes: stats.size }
  await handle.close()
  throw new DatasetError('ERR_DATASET_FILE', 'this is not a regular file', place)
}

/**
 * The lines of a file, ended by LF or CRLF; the last end may be missing. Blank and over-long lines and bytes that
 * are not UTF-8 are refused with their line number. The buffers are wiped; the texts, being strings, cannot be.
 */
export async function* readLines(path: string, signal?: AbortSignal): AsyncGenerator<Line> {
  const { handle } = await openFile(path)
  const file = basename(path)
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  const buffer = new Uint8Array(new ArrayBuffer(MAX_LINE_BYTES + CHUNK_BYTES))
  let number = 0
  let held = 0
  try {
    for (;;) {
      signal?.throwIfAborted()
      const { bytesRead } = await handle.read(buffer, held, CHUNK_BYTES, null)
      const filled = held + bytesRead
      let start = 0
      for (let end = buffer.indexOf(NEWLINE, held); end !== -1; end = buffer.indexOf(NEWLINE, start)) {
        number++
        yield { number, text: decode(decoder, buffer.subarray(start, end), { file, line: number }) }
        start = end + 1
      }
      held = filled - start
      buffer.copyWithin(0, start, filled)
      // Behind the end lies what was read before: it would be found again, and it is to be wiped anyway.
      buffer.fill(0, held)
      if (held > MAX_LINE_BYTES) throw lineError('the line is too long', { file, line: number + 1 })
      if (bytesRead === 0) break
    }
    if (held > 0)
      yield {
        number: number + 1,
        text: decode(decoder, buffer.subarray(0, held), { file, line: number + 1 }),
      }
  } finally {
    wipe(buffer)
    await handle.close()
  }
}

function decode(decoder: TextDecoder, bytes: Uint8Array, place: { file: string; line: number }): string {
  if (bytes.length > MAX_LINE_BYTES) throw lineError('the line is too long', place)
  let text: string
  try {
    text = decoder.decode(bytes)
  } catch {
    throw lineError('the line is not UTF-8', place)
  }
  if (place.line === 1 && text.startsWith('\ufeff')) text = text.slice(1)
  if (text.endsWith('\r')) text = text.slice(0, -1)
  if (text.trim() === '') throw lineError('the line is blank', place)
  return text
}

export function lineError(message: string, place: DatasetPlace): DatasetError {
  return new DatasetError('ERR_DATASET_LINE', message, place)
}
