/** How far an import came, kept in a file; it saves time, and is never ahead of what is durable. @module */
/// <reference types="node" />

import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { toHex } from '../base/bytes.ts'
import { encodeCbor } from '../base/cbor.ts'
import { sha256 } from '../crypto/hash.ts'
import { IntakeError } from '../intake/errors.ts'

const EVERY_ROWS = 1000

/**
 * The row to begin with. The file says which import it belongs to by a digest of `identity`: name, store, realm, data and how rows
 * are read. Another one is refused, because rows that it has not seen would be passed over.
 */
export class Checkpoint {
  readonly from: number
  readonly #path: string
  readonly #digest: string
  #row: number
  #written: number

  constructor(path: string, identity: readonly (string | number | boolean)[]) {
    this.#path = path
    this.#digest = toHex(sha256(encodeCbor(identity)))
    this.from = existsSync(path) ? this.#read() : 0
    this.#row = this.from
    this.#written = this.from
  }

  /** Every row below `row` is done and durable. Writes every thousand rows. */
  reach(row: number): void {
    this.#row = row
    if (row - this.#written >= EVERY_ROWS) this.write()
  }

  /** The new file is whole before it takes the old one's name: a power cut leaves one of the two. */
  write(): void {
    const temporary = `${this.#path}.tmp`
    const file = openSync(temporary, 'w', 0o600)
    try {
      writeSync(file, `${JSON.stringify({ import: this.#digest, row: this.#row })}\n`)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    renameSync(temporary, this.#path)
    this.#written = this.#row
  }

  #read(): number {
    const { import: digest, row } = parse(readFileSync(this.#path, 'utf8'))
    if (digest !== this.#digest) throw refuse('the checkpoint is of another import')
    if (typeof row !== 'number' || !Number.isSafeInteger(row) || row < 0)
      throw refuse('the checkpoint holds no row')
    return row
  }
}

function parse(text: string): { readonly import?: unknown; readonly row?: unknown } {
  try {
    return Object(JSON.parse(text)) as object
  } catch {
    throw refuse('the checkpoint is not readable')
  }
}

function refuse(why: string): IntakeError {
  return new IntakeError('ERR_INTAKE_CHECKPOINT', `${why}; without it the import begins with the first row`)
}
