/** What guise is measured against: plain arithmetic, and packages that only this folder installs. @module */

import { createRequire } from 'node:module'
import { turboshake128 } from '../../dist/crypto/xof.js'

const require = createRequire(import.meta.url)

/** The part of better-sqlite3 that is used. */
export interface SqliteStatement {
  run(...values: readonly unknown[]): unknown
  get(...values: readonly unknown[]): unknown
}
export interface SqliteDatabase {
  pragma(text: string): unknown
  exec(text: string): unknown
  prepare(text: string): SqliteStatement
  transaction<Input>(task: (input: Input) => void): (input: Input) => void
  close(): void
}

/** The part of sodium-native that is used. */
export interface SodiumNative {
  crypto_aead_xchacha20poly1305_ietf_encrypt(
    ciphertext: Uint8Array,
    message: Uint8Array,
    additional: Uint8Array,
    unused: null,
    nonce: Uint8Array,
    key: Uint8Array,
  ): number
  crypto_aead_xchacha20poly1305_ietf_decrypt(
    message: Uint8Array,
    unused: null,
    ciphertext: Uint8Array,
    additional: Uint8Array,
    nonce: Uint8Array,
    key: Uint8Array,
  ): number
}

/** The part of lmdb that is used. */
export interface PlainLmdb {
  put(key: Uint8Array, value: Uint8Array): Promise<boolean>
  getBinaryFast(key: Uint8Array): Uint8Array | undefined
  getBinary(key: Uint8Array): Uint8Array | undefined
  close(): Promise<void>
}

/** As durable as it can be: write-ahead log, and a sync with every commit. */
export function openSqlite(file: string): SqliteDatabase {
  const Database = load('better-sqlite3') as new (file: string) => SqliteDatabase
  const database = new Database(file)
  database.pragma('journal_mode = WAL')
  database.pragma('synchronous = FULL')
  database.exec('CREATE TABLE vectors (id BLOB PRIMARY KEY, vector BLOB NOT NULL) WITHOUT ROWID')
  return database
}

export function sodiumNative(): SodiumNative {
  return load('sodium-native') as SodiumNative
}

/** Opened as the store of guise opens it, so that a put is on the disk when it resolves. */
export function openPlainLmdb(path: string): PlainLmdb {
  const { open } = load('lmdb') as { open(options: unknown): PlainLmdb }
  return open({ path, encoding: 'binary', keyEncoding: 'binary', noSubdir: false, overlappingSync: false })
}

/** The cosine of two vectors, as a plain loop over doubles. */
export function cosine(a: Float32Array, b: Float32Array): number {
  let dot = 0
  let aa = 0
  let bb = 0
  for (let i = 0; i < a.length; i++) {
    const x = a[i] as number
    const y = b[i] as number
    dot += x * y
    aa += x * x
    bb += y * y
  }
  return dot / Math.sqrt(aa * bb)
}

/** `matrix · vector`, row after row. */
export function multiply(matrix: Float32Array, vector: Float32Array, out: Float32Array): Float32Array {
  const n = vector.length
  for (let row = 0; row < n; row++) {
    let sum = 0
    for (let i = 0, at = row * n; i < n; i++, at++) sum += (matrix[at] as number) * (vector[i] as number)
    out[row] = sum
  }
  return out
}

/** An orthonormal matrix from a key as BioHashing makes one: Gaussian numbers, then Gram–Schmidt over the rows. */
export function orthonormal(key: Uint8Array, n: number): Float32Array {
  const matrix = gaussian(key, n * n)
  for (let row = 0; row < n; row++) {
    const own = matrix.subarray(row * n, (row + 1) * n)
    for (let before = 0; before < row; before++) {
      const other = matrix.subarray(before * n, (before + 1) * n)
      let dot = 0
      for (let i = 0; i < n; i++) dot += (own[i] as number) * (other[i] as number)
      for (let i = 0; i < n; i++) own[i] = (own[i] as number) - dot * (other[i] as number)
    }
    let squares = 0
    for (let i = 0; i < n; i++) squares += (own[i] as number) * (own[i] as number)
    const norm = Math.sqrt(squares)
    for (let i = 0; i < n; i++) own[i] = (own[i] as number) / norm
  }
  return Float32Array.from(matrix)
}

/** Box–Muller over a key stream. */
function gaussian(key: Uint8Array, count: number): Float64Array {
  const words = new Uint32Array(turboshake128(key, 4 * count).buffer)
  const values = new Float64Array(count)
  for (let i = 0; i < count; i += 2) {
    const radius = Math.sqrt(-2 * Math.log(((words[i] as number) + 1) / 2 ** 32))
    const angle = (2 * Math.PI * (words[i + 1] as number)) / 2 ** 32
    values[i] = radius * Math.cos(angle)
    values[i + 1] = radius * Math.sin(angle)
  }
  return values
}

/** Types would need the packages: their parts are declared here instead. */
function load(name: string): unknown {
  return require(name) as unknown
}
