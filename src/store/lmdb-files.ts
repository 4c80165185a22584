/** Files of an LMDB store: where they may lie, who may read them, and that they survive (STORE-1, STORE-7). @module */
/// <reference types="node" />

import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readSync,
  realpathSync,
  rmSync,
  statfsSync,
} from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { StoreError } from './errors.ts'

/** Readable and writable by the owner only, as the directory is. */
export const FILE_MODE = 0o600
const DIRECTORY_MODE = 0o700
/** The one file of a store, beside LMDB's lock file. */
export const DATA_FILE = 'data.mdb'

/**
 * `f_type` of statfs(2) on Linux for file systems shared between machines or served by another process: their
 * locks, shared maps or flushes do not hold what LMDB needs. FUSE is also what virtiofs reports.
 */
const REFUSED: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB2'],
  [0x65735546, 'FUSE'],
  [0x01021997, '9P'],
  [0x5346414f, 'AFS'],
  [0x6b414653, 'AFS'],
  [0x00c36400, 'Ceph'],
  [0x73757245, 'Coda'],
  [0x564c, 'NCP'],
  [0x01161970, 'GFS2'],
  [0x7461636f, 'OCFS2'],
  [0x0bd00bd0, 'Lustre'],
  [0x47504653, 'GPFS'],
  [0x19830326, 'BeeGFS'],
  [0x20030528, 'OrangeFS'],
  [0x786f4256, 'VirtualBox shared folders'],
  [0xbacbacbc, 'VMware shared folders'],
])
const VOLATILE: ReadonlySet<number> = new Set([0x01021994 /* tmpfs */, 0x858458f6 /* ramfs */])

/**
 * Names the reason why a file system of this statfs type is refused, `undefined` when it is not. Only Linux gives
 * these numbers; elsewhere nothing is refused.
 */
export function refusedFileSystem(type: number, platform: string): string | undefined {
  return platform === 'linux' ? REFUSED.get(type >>> 0) : undefined
}

/** True for file systems that live in memory: what is flushed there is lost with the power. */
export function isVolatileFileSystem(type: number, platform: string): boolean {
  return platform === 'linux' && VOLATILE.has(type >>> 0)
}

/**
 * Makes the directory, checks its file system and, when there is no data file yet, lets `create` build one aside
 * and links it in whole: a power cut leaves either no store or an openable one.
 *
 * @throws {StoreError} `ERR_STORE_UNSUPPORTED`, `ERR_STORE_READONLY`, `ERR_STORE_FULL`.
 */
export async function prepareDirectory(
  path: string,
  create: (directory: string) => Promise<void>,
): Promise<{ readonly directory: string; readonly durable: boolean }> {
  try {
    const wanted = resolve(path)
    refuseSharedFileSystem(existingAncestor(wanted))
    makeDirectory(wanted)
    const directory = realpathSync(wanted)
    const type = refuseSharedFileSystem(directory)
    if (!existsSync(join(directory, DATA_FILE))) await createDataFile(directory, create)
    return { directory, durable: !isVolatileFileSystem(type, process.platform) }
  } catch (error) {
    throw openFailure(error)
  }
}

/**
 * Refuses what LMDB would fail to open: when it does, lmdb 3.5.6 uses memory that it has freed, which mostly ends the process. So what
 * can be known before is looked at before: that the files may be written, that as many can be opened as LMDB opens, and that the data
 * file begins like one. The lock file is not opened here, for closing it would let go of the locks of another thread.
 *
 * @throws {StoreError} `ERR_STORE_UNSUPPORTED`, `ERR_STORE_READONLY`, `ERR_STORE_FAILED`.
 */
export function checkFiles(directory: string): void {
  const opened: number[] = []
  try {
    const lock = join(directory, LOCK_FILE)
    if (existsSync(lock)) accessSync(lock, constants.R_OK | constants.W_OK)
    else accessSync(directory, constants.W_OK)
    const data = join(directory, DATA_FILE)
    if (!existsSync(data)) return
    for (let i = 0; i < FILES_OPENED; i++) opened.push(openSync(data, 'r+'))
    const [file] = opened
    if (file !== undefined && fstatSync(file).size > 0) checkPages(file)
  } finally {
    for (const file of opened) closeSync(file)
  }
}

/** Both meta pages of `MDB_DATA_VERSION` 2: magic number and version behind the page's header, the page size behind them. */
function checkPages(file: number): void {
  const pageBytes = readMeta(file, 0)
  if (pageBytes < 512 || pageBytes > 65_536) throw foreignFile()
  readMeta(file, pageBytes)
}

/** Checks one meta page and gives the page size that it names. Numbers are in the order of the machine. */
function readMeta(file: number, at: number): number {
  const words = new Uint32Array(META.words)
  const length = readSync(file, words, 0, words.byteLength, at)
  const known = words[META.magic] === MAGIC && words[META.version] === DATA_VERSION
  if (length < words.byteLength || !known) throw foreignFile()
  return words[META.pageSize] ?? 0
}

function foreignFile(options: { readonly cause?: unknown } = {}): StoreError {
  const why = 'the files are not those of a store of this version'
  return new StoreError('ERR_STORE_UNSUPPORTED', why, options)
}

export const LOCK_FILE = 'lock.mdb'
/** The lock file twice, the data file thrice, once more to look at it, and some that the process needs meanwhile. */
const FILES_OPENED = 8
export const MAGIC = 0xbeefc0de
const DATA_VERSION = 2
/** Places in words of four bytes. */
const META = { magic: 6, version: 7, pageSize: 12, words: 42 } as const
/** Places in bytes of a meta page: its page size, and the number of the transaction that wrote it. */
export const META_PAGE_SIZE: number = 4 * META.pageSize
export const META_TRANSACTION = 152

/** Bytes that an unprivileged process may still write on the volume of `directory`. */
export function freeBytes(directory: string): number {
  const volume = statfsSync(directory)
  return volume.bavail * volume.bsize
}

/** What an error of the operating system or of LMDB at opening means to the caller. */
export function openFailure(error: unknown): StoreError {
  if (error instanceof StoreError) return error
  const code = errorCode(error)
  const options = { cause: error }
  if (READONLY.has(code)) {
    return new StoreError('ERR_STORE_READONLY', 'the directory of the store cannot be written', options)
  }
  if (isFull(code)) return new StoreError('ERR_STORE_FULL', 'no room on the volume of the store', options)
  if (UNREADABLE.has(code)) return foreignFile(options)
  return new StoreError('ERR_STORE_FAILED', 'the store cannot be opened', options)
}

/** The `code` of an error, or of its cause: a name from Node, a number from LMDB (errno, or below −30,000). */
export function errorCode(error: unknown): string | number {
  if (!(error instanceof Error)) return ''
  const code: unknown = 'code' in error ? error.code : undefined
  if (typeof code === 'string' || typeof code === 'number') return code
  return errorCode(error.cause)
}

/** ENOSPC, EDQUOT, EFBIG, MDB_MAP_FULL, MDB_TXN_FULL. */
export function isFull(code: string | number): boolean {
  return FULL.has(code)
}

const FULL: ReadonlySet<string | number> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG', 28, 122, 27, -30792, -30788])
const READONLY: ReadonlySet<string | number> = new Set(['EROFS', 'EACCES', 'EPERM', 30, 13, 1])
/** MDB_INVALID, MDB_VERSION_MISMATCH, MDB_INCOMPATIBLE, MDB_CORRUPTED. */
const UNREADABLE: ReadonlySet<string | number> = new Set([-30793, -30794, -30784, -30796])

function refuseSharedFileSystem(directory: string): number {
  const { type } = statfsSync(directory)
  const name = refusedFileSystem(type, process.platform)
  if (name !== undefined) {
    throw new StoreError(
      'ERR_STORE_UNSUPPORTED',
      `locks and flushes do not hold on ${name}; use a local file system`,
    )
  }
  return type
}

function existingAncestor(path: string): string {
  let current = path
  while (!existsSync(current) && dirname(current) !== current) current = dirname(current)
  return current
}

/** Makes every missing directory and flushes the entry of each, so that none is lost with the power. */
export function makeDirectory(path: string): void {
  const missing: string[] = []
  for (let current = path; !existsSync(current); current = dirname(current)) missing.push(current)
  mkdirSync(path, { recursive: true, mode: DIRECTORY_MODE })
  for (const directory of missing) flush(dirname(directory))
}

/** More than a new store needs until it is linked into place. */
const NEW_STORE_BYTES = 1_048_576

async function createDataFile(
  directory: string,
  create: (directory: string) => Promise<void>,
): Promise<void> {
  // A table that LMDB cannot write would end like a store that it cannot open: see `checkFiles`.
  if (freeBytes(directory) < NEW_STORE_BYTES) {
    throw new StoreError('ERR_STORE_FULL', 'no room on the volume of the store')
  }
  const aside = mkdtempSync(join(directory, 'new-'))
  try {
    await create(aside)
    flush(join(aside, DATA_FILE))
    linkInto(join(aside, DATA_FILE), join(directory, DATA_FILE))
    flush(directory)
  } finally {
    rmSync(aside, { recursive: true, force: true })
  }
}

/** Another process that creates the same store may win: then its file is the store. */
function linkInto(from: string, to: string): void {
  try {
    linkSync(from, to)
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error
  }
}

/** Waits until a file, or the entries of a directory, are on the disk. */
export function flush(path: string): void {
  const file = openSync(path, 'r')
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

/** Turns what LMDB throws at a read into an error of the store. */
export function guarded<Result>(read: () => Result): Result {
  try {
    return read()
  } catch (error) {
    if (error instanceof StoreError) throw error
    if (errorCode(error) === READERS_FULL) {
      throw new StoreError('ERR_STORE_BUSY', 'every reader slot of the store is taken', { cause: error })
    }
    throw new StoreError('ERR_STORE_FAILED', 'the store cannot be read', { cause: error })
  }
}

const READERS_FULL = -30790
