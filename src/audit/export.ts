/** The exported form of a log: its checkpoint, then every entry, in one stream (SPEC §14.4). @module */

import { concatBytes, equalBytes, labelBytes, readU32be, u32be } from '../base/bytes.ts'
import { checkBytes, checkInteger, checkObject } from '../base/check.ts'
import { type Checkpoint, readCheckpoint } from './checkpoint.ts'
import { MAX_ENTRY_BYTES } from './entry.ts'
import { AuditError, malformed, rejectInput } from './errors.ts'
import { bytesOf } from './note.ts'

export type Bytes = Iterable<Uint8Array> | AsyncIterable<Uint8Array>

const LABEL = 'guise/v1/log'
const MOST_NOTE_BYTES = 262_144
const CHUNK_BYTES = 65_536
const LENGTH_BYTES = 4

/**
 * The stream that `verifyLog` reads: as many entries as the checkpoint counts, in order, in pieces of about 64 KiB. Entries behind them are
 * left out. Throws `ERR_AUDIT_INPUT` when there are too few.
 */
export async function* exportLog(entries: Bytes, checkpoint: Checkpoint): AsyncGenerator<Uint8Array, void> {
  checkObject(checkpoint, 'checkpoint', rejectInput)
  const { size } = readCheckpoint(checkpoint.note)
  checkInteger(checkpoint.size, 'size', [size, size], rejectInput)
  const note = bytesOf(checkpoint.note)
  let parts: Uint8Array[] = [labelBytes(LABEL), u32be(note.length), note]
  let waiting = 0
  let written = 0
  if (size > 0) {
    for await (const entry of entries) {
      checkBytes(entry, 'entry', [1, MAX_ENTRY_BYTES], rejectInput)
      parts.push(u32be(entry.length), Uint8Array.from(entry))
      waiting += LENGTH_BYTES + entry.length
      written += 1
      if (waiting >= CHUNK_BYTES) {
        yield concatBytes(...parts)
        parts = []
        waiting = 0
      }
      if (written === size) break
    }
  }
  if (written < size) throw rejectInput('there are fewer entries than the checkpoint counts')
  if (parts.length > 0) yield concatBytes(...parts)
}

/** Reads an exported log from its bytes, one entry at a time, holding no more than a piece of the stream and one entry. */
export class ExportReader {
  readonly #source: AsyncIterator<Uint8Array> | Iterator<Uint8Array>
  #bytes: Uint8Array = new Uint8Array(0)
  #at = 0
  #ended = false

  constructor(source: Bytes) {
    this.#source = iteratorOf(source)
  }

  /** The note at the beginning. Throws `ERR_AUDIT_FORMAT`. */
  async header(): Promise<string> {
    const label = labelBytes(LABEL)
    const start = await this.#take(label.length + LENGTH_BYTES)
    if (start === undefined || !equalBytes(start.subarray(0, label.length), label)) {
      throw malformed('not an exported log')
    }
    const length = readU32be(start, label.length)
    const note = length > MOST_NOTE_BYTES ? undefined : await this.#take(length)
    if (note === undefined) throw malformed('the exported log has no checkpoint')
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(note)
    } catch (error) {
      throw new AuditError('ERR_AUDIT_FORMAT', 'the checkpoint is not UTF-8', { cause: error })
    }
  }

  /** True when nothing follows. */
  async atEnd(): Promise<boolean> {
    return this.#available() > 0 ? false : !(await this.#fill(1))
  }

  /**
   * The next entry's bytes, valid until the next call; `'cut'` when the stream ends within it, `'length'` when no entry has its length.
   */
  async entry(): Promise<Uint8Array | 'cut' | 'length'> {
    const head = await this.#take(LENGTH_BYTES)
    if (head === undefined) return 'cut'
    const length = readU32be(head)
    if (length === 0 || length > MAX_ENTRY_BYTES) return 'length'
    return (await this.#take(length)) ?? 'cut'
  }

  /** Lets the source go. */
  async close(): Promise<void> {
    await this.#source.return?.()
  }

  #available(): number {
    return this.#bytes.length - this.#at
  }

  async #take(length: number): Promise<Uint8Array | undefined> {
    if (this.#available() < length && !(await this.#fill(length))) return undefined
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }

  /** Reads on until `length` bytes are there; false when the stream ends before. */
  async #fill(length: number): Promise<boolean> {
    const parts = [this.#bytes.subarray(this.#at)]
    let available = this.#available()
    while (available < length && !this.#ended) {
      const next: IteratorResult<Uint8Array, unknown> = await this.#source.next()
      if (next.done === true) {
        this.#ended = true
        break
      }
      const piece = checkBytes(next.value, 'a piece of the stream', [0, Number.MAX_SAFE_INTEGER], rejectInput)
      // The source may use its buffer again.
      parts.push(Uint8Array.from(piece))
      available += piece.length
    }
    this.#bytes = concatBytes(...parts)
    this.#at = 0
    return available >= length
  }
}

function iteratorOf(source: Bytes): AsyncIterator<Uint8Array> | Iterator<Uint8Array> {
  const { [Symbol.asyncIterator]: asynchronous } = Object(source) as Partial<AsyncIterable<Uint8Array>>
  if (typeof asynchronous === 'function') return asynchronous.call(source)
  const { [Symbol.iterator]: synchronous } = Object(source) as Partial<Iterable<Uint8Array>>
  if (typeof synchronous === 'function') return synchronous.call(source)
  throw rejectInput('the source must be iterable')
}
