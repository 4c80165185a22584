/** Files of the local provider: made whole or not at all, flushed, removed for good (SPEC §4.6). @module */
/// <reference types="node" />

import { type FileHandle, link, mkdir, open, stat, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { concatBytes, readU32be, toHex, u32be } from '../base/bytes.ts'
import { sha256 } from '../crypto/hash.ts'
import { randomBytes } from '../crypto/random.ts'
import { KeysError } from './errors.ts'

const OWNER_DIRECTORY = 0o700
const OWNER_FILE = 0o600
const OTHERS = 0o077
const MAX_FILE_BYTES = 4096
const INSTANT_BYTES = 8
const TWO_32 = 0x1_0000_0000
/** Windows has neither these modes nor a way to flush a directory. */
const POSIX: boolean = process.platform !== 'win32'

/** The name of a context's key file. */
export function contextName(context: Uint8Array): string {
  return toHex(sha256(context))
}

/**
 * Small files in a directory that only its owner may open. Errors of the file system are passed on as they are.
 * A crash may leave a file `new-…` behind: a sealed key that nothing was ever wrapped with.
 */
export class KeyDirectory {
  readonly #path: string

  constructor(path: string) {
    this.#path = path
  }

  /** The whole file; `undefined` when there is none. Throws `ERR_KEYS_LOCAL` for one that others may open. */
  async read(name: string): Promise<Uint8Array | undefined> {
    const file = await openExisting(this.#file(name), 'r')
    if (file === undefined) return undefined
    try {
      const { mode, size } = await file.stat()
      if (POSIX && (mode & OTHERS) !== 0)
        throw new KeysError('ERR_KEYS_LOCAL', 'a key file is open to other users')
      if (size > MAX_FILE_BYTES) throw new KeysError('ERR_KEYS_LOCAL', 'a key file is too long')
      return Uint8Array.from(await file.readFile())
    } finally {
      await file.close()
    }
  }

  /**
   * Makes a file that appears whole and flushed, or not at all. False when there is one already.
   * Throws `ERR_KEYS_DESTROYED` when there was one that has been destroyed.
   */
  async create(name: string, bytes: Uint8Array): Promise<boolean> {
    await this.#prepare()
    if ((await this.read(noteOf(name))) !== undefined) {
      throw new KeysError('ERR_KEYS_DESTROYED', 'the key of this context has been destroyed')
    }
    return await this.#place(name, bytes)
  }

  /**
   * Overwrites and removes a file, and notes when that was done. Gives the same instant when it is called again,
   * and finishes what a crash cut off.
   */
  async destroy(name: string, nowMs: () => number): Promise<number> {
    const file = await openExisting(this.#file(name), 'r+')
    if (file !== undefined) {
      await overwrite(file)
      await removeFile(this.#file(name))
    }
    await flush(this.#path)
    const known = await this.read(noteOf(name))
    if (known !== undefined) return readInstant(known)
    const confirmedMs = nowMs()
    const note = concatBytes(u32be(Math.floor(confirmedMs / TWO_32)), u32be(confirmedMs % TWO_32))
    await this.#place(noteOf(name), note)
    // Another process may have noted its own instant first: both give that one.
    return readInstant(await this.read(noteOf(name)))
  }

  async #prepare(): Promise<void> {
    const made = await mkdir(this.#path, { recursive: true, mode: OWNER_DIRECTORY })
    if (made !== undefined) await flush(dirname(this.#path))
    const { mode } = await stat(this.#path)
    if (POSIX && (mode & OTHERS) !== 0) {
      throw new KeysError(
        'ERR_KEYS_LOCAL',
        'the key directory is open to other users: take their rights (0700)',
      )
    }
  }

  async #place(name: string, bytes: Uint8Array): Promise<boolean> {
    const temporary = this.#file(`new-${toHex(randomBytes(16))}`)
    const file = await open(temporary, 'wx', OWNER_FILE)
    try {
      try {
        await file.writeFile(bytes)
        await file.sync()
      } finally {
        await file.close()
      }
      // A link fails when the name is taken, where a rename would replace what another process made.
      await link(temporary, this.#file(name))
      return true
    } catch (error) {
      if (isCode(error, 'EEXIST')) return false
      throw error
    } finally {
      await removeFile(temporary)
      await flush(this.#path)
    }
  }

  #file(name: string): string {
    return join(this.#path, name)
  }
}

function noteOf(name: string): string {
  return `${name}.destroyed`
}

function readInstant(note: Uint8Array | undefined): number {
  if (note?.length !== INSTANT_BYTES)
    throw new KeysError('ERR_KEYS_LOCAL', 'the note of a destruction is damaged')
  return readU32be(note) * TWO_32 + readU32be(note, 4)
}

async function overwrite(file: FileHandle): Promise<void> {
  try {
    const { size } = await file.stat()
    await file.write(randomBytes(size), 0, size, 0)
    await file.sync()
  } finally {
    await file.close()
  }
}

async function openExisting(path: string, flags: 'r' | 'r+'): Promise<FileHandle | undefined> {
  try {
    return await open(path, flags)
  } catch (error) {
    if (isCode(error, 'ENOENT')) return undefined
    throw error
  }
}

async function removeFile(path: string): Promise<void> {
  try {
    await unlink(path)
  } catch (error) {
    // Another process at the same work was first.
    if (!isCode(error, 'ENOENT')) throw error
  }
}

/** What was made or removed in a directory survives a loss of power only after this. */
async function flush(path: string): Promise<void> {
  if (!POSIX) return
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === code
}
