/** Entries straight into bytes: what `encodeEntry` gives, for values that are checked already (SPEC §14.2). @module */

import type { Realm } from '../base/brand.ts'
import { ACTION_NUMBERS, type AuditEntry, BASIS_KINDS, OUTCOMES } from './entry.ts'
import { entryStart } from './queue.ts'

const BYTES = 0x40
const TEXT = 0x60
const NULL = 0xf6
const SHORT_ASCII = /^[ -~]{1,23}$/
/** No entry of a vault is longer: its texts have at most 64 bytes each. */
export const MOST_WRITTEN_BYTES = 512

const encoder = new TextEncoder()

/** Writes entries of one realm, one after the other, into rooms that it is given. */
export class EntryWriter {
  readonly #start: Uint8Array
  #to: Uint8Array = new Uint8Array(0)
  #at = 0

  constructor(realm: Realm) {
    this.#start = entryStart(realm)
  }

  /** Writes an entry into `to`, which has room for it behind `at`, and answers where it ends. */
  write(to: Uint8Array, at: number, entry: Omit<AuditEntry, 'realm'>): number {
    this.#to = to
    to.set(this.#start, at)
    this.#at = at + this.#start.length
    this.#bytes(entry.writer)
    this.#uint(entry.sequence)
    this.#bytes(entry.previous)
    this.#uint(entry.timeMs)
    this.#text(entry.actor)
    this.#uint(ACTION_NUMBERS[entry.action])
    this.#bytes(entry.handle)
    this.#bytes(entry.record)
    this.#bytes(entry.generation)
    this.#uint(OUTCOMES.indexOf(entry.outcome))
    if (entry.epoch === null) this.#null()
    else this.#uint(entry.epoch)
    this.#text(entry.policy)
    if (entry.basis === null) this.#null()
    else this.#uint(BASIS_KINDS.indexOf(entry.basis))
    this.#bytes(entry.state)
    this.#bytes(entry.attempts)
    this.#bytes(entry.ring)
    return this.#at
  }

  #null(): void {
    this.#to[this.#at++] = NULL
  }

  /** RFC 8949 §3: the shortest head. */
  #head(major: number, value: number): void {
    const to = this.#to
    if (value < 24) {
      to[this.#at++] = major + value
      return
    }
    const bytes = value < 0x100 ? 1 : value < 0x1_0000 ? 2 : value < 0x1_0000_0000 ? 4 : 8
    to[this.#at++] = major + (bytes === 1 ? 24 : bytes === 2 ? 25 : bytes === 4 ? 26 : 27)
    let rest = value
    for (let i = bytes - 1; i >= 0; i--) {
      to[this.#at + i] = rest % 256
      rest = Math.floor(rest / 256)
    }
    this.#at += bytes
  }

  #uint(value: number): void {
    this.#head(0, value)
  }

  #bytes(value: Uint8Array | null): void {
    if (value === null) {
      this.#null()
      return
    }
    this.#head(BYTES, value.length)
    this.#to.set(value, this.#at)
    this.#at += value.length
  }

  #text(value: string | null): void {
    if (value === null) {
      this.#null()
      return
    }
    if (SHORT_ASCII.test(value)) {
      this.#to[this.#at++] = TEXT + value.length
      for (let i = 0; i < value.length; i++) this.#to[this.#at++] = value.charCodeAt(i)
      return
    }
    const bytes = encoder.encode(value)
    this.#head(TEXT, bytes.length)
    this.#to.set(bytes, this.#at)
    this.#at += bytes.length
  }
}
