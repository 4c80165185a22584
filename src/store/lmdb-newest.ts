/** Whether LMDB begins from the newest state, and what to do when it does not (SPEC §10.1, STORE-23). @module */
/// <reference types="node" />

import { closeSync, openSync, readSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { StoreError } from './errors.ts'
import { DATA_FILE, LOCK_FILE, MAGIC, META_PAGE_SIZE, META_TRANSACTION } from './lmdb-files.ts'

/** Of the lock file: magic number, format, the number of the newest transaction. */
const LOCK_TRANSACTION = 8

/**
 * LMDB keeps the number of the newest transaction in the lock file, from where every transaction begins. A process that opens the
 * environment reads the meta pages, and a moment later sets that number to what it read: whatever others committed in between is
 * forgotten, and the next writer writes over it (lmdb 3.5.6). So a writer, who has the write lock, compares the number that it
 * begins from with the meta pages of the data file, where nobody else writes then, and puts the number right before it writes.
 */
export class NewestTransaction {
  readonly #directory: string
  readonly #data: number
  readonly #pageBytes: number
  readonly #bytes: Uint8Array = new Uint8Array(8)
  readonly #view: DataView = new DataView(this.#bytes.buffer)

  /** The environment must be open. */
  constructor(directory: string) {
    this.#directory = directory
    this.#data = openSync(join(directory, DATA_FILE), 'r')
    this.#pageBytes = this.#word(this.#data, META_PAGE_SIZE)
  }

  /** The number of the newest transaction that reached the data file. */
  read(): number {
    return Math.max(
      this.#number(this.#data, META_TRANSACTION),
      this.#number(this.#data, this.#pageBytes + META_TRANSACTION),
    )
  }

  /**
   * Within a transaction that may write, and that will write transaction `number`: true when it follows the newest. When it does not,
   * the number in the lock file is put right, for whoever comes next; this transaction must write nothing.
   *
   * @throws {StoreError} `ERR_STORE_FAILED` when the lock file does not look as expected.
   */
  isFollowedBy(number: number): boolean {
    const newest = this.read()
    if (number === newest + 1) return true
    const lock = lockFile(join(this.#directory, LOCK_FILE))
    const known = this.#word(lock, 0) === MAGIC && this.#number(lock, LOCK_TRANSACTION) <= newest
    if (!known || number > newest + 1) {
      throw new StoreError('ERR_STORE_FAILED', 'the lock file of the store is not as it should be')
    }
    this.#setNumber(newest)
    writeSync(lock, this.#bytes, 0, 8, LOCK_TRANSACTION)
    return false
  }

  close(): void {
    try {
      closeSync(this.#data)
    } catch {
      // It was only read, and the system has let go of it.
    }
  }

  #word(file: number, at: number): number {
    readSync(file, this.#bytes, 0, 4, at)
    return this.#view.getUint32(0, LITTLE_ENDIAN)
  }

  /** LMDB writes numbers in the order of the machine. */
  #number(file: number, at: number): number {
    readSync(file, this.#bytes, 0, 8, at)
    const [low, high] = LITTLE_ENDIAN ? [0, 4] : [4, 0]
    return this.#view.getUint32(high, LITTLE_ENDIAN) * 2 ** 32 + this.#view.getUint32(low, LITTLE_ENDIAN)
  }

  #setNumber(value: number): void {
    const [low, high] = LITTLE_ENDIAN ? [0, 4] : [4, 0]
    this.#view.setUint32(high, Math.floor(value / 2 ** 32), LITTLE_ENDIAN)
    this.#view.setUint32(low, value % 2 ** 32, LITTLE_ENDIAN)
  }
}

/**
 * Opened when it is needed, which is seldom, and kept: closing it would let go of the locks that the process has on it, those of an
 * environment in another thread too.
 */
function lockFile(path: string): number {
  const { dev, ino } = statSync(path, { bigint: true })
  const name = `${dev}:${ino}`
  const known = LOCK_FILES.get(name)
  if (known !== undefined) return known
  const file = openSync(path, 'r+')
  LOCK_FILES.set(name, file)
  return file
}

const LOCK_FILES: Map<string, number> = new Map()
const LITTLE_ENDIAN: boolean = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1
