/** Copies of an LMDB store: whole or not there, without what was deleted (SPEC §10.4). @module */
/// <reference types="node" />

import { chmodSync, copyFileSync, existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { StoreError } from './errors.ts'
import { DATA_FILE, FILE_MODE, flush, makeDirectory, openFailure } from './lmdb-files.ts'

/**
 * Lets `copy` fill a directory aside, flushes it, and gives it the name `path`, which must not exist yet. A fault or a
 * power cut leaves nothing under that name.
 */
export async function makeCopy(path: string, copy: (directory: string) => Promise<void>): Promise<void> {
  const target = resolve(path)
  const parent = dirname(target)
  let aside: string | undefined
  try {
    makeDirectory(parent)
    if (existsSync(target)) throw new StoreError('ERR_STORE_INPUT', 'the place of the copy exists already')
    aside = mkdtempSync(join(parent, `.${basename(target)}-`))
    await copy(aside)
    const file = join(aside, DATA_FILE)
    chmodSync(file, FILE_MODE)
    flush(file)
    flush(aside)
    // Onto an empty directory that somebody made meanwhile this succeeds, onto anything else it fails.
    renameSync(aside, target)
    flush(parent)
  } catch (error) {
    if (aside !== undefined) rmSync(aside, { recursive: true, force: true })
    throw openFailure(error)
  }
}

/**
 * Puts a copy that `backup` made in the place of a store that does not exist. What happened since the copy is undone by
 * it, revocations and attempts included. Throws `ERR_STORE_INPUT` when `from` holds no copy or `path` exists.
 */
export async function restoreLmdb(from: string, path: string): Promise<void> {
  const source = join(resolve(from), DATA_FILE)
  if (!existsSync(source)) throw new StoreError('ERR_STORE_INPUT', 'there is no copy of a store to restore')
  await makeCopy(path, async (directory) => copyFileSync(source, join(directory, DATA_FILE)))
}
