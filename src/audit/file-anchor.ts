/** An anchor in a file: written whole, synced, and only ever forward, by any number of processes (SPEC §14.5). @module */
/// <reference types="node" />

import { closeSync, fsync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { checkText } from '../base/check.ts'
import type { CallOptions } from '../base/errors.ts'
import { type Anchor, anchorFault, checkAdvance } from './anchor.ts'
import { type Checkpoint, checkCheckpoint, readCheckpoint } from './checkpoint.ts'
import { AuditError, rejectInput } from './errors.ts'
import { withFileLock } from './file-anchor-lock.ts'

const MOST_BYTES = 262_144

/**
 * An anchor whose file holds the newest signed note. The file belongs on a local file system, other than the store's if it is
 * to survive what the store does not, and into no backup that is put back together with the store: an anchor that goes back
 * with its log notices nothing, nor does one that was removed. It keeps order, but cannot tell a fork from growth: give
 * `verifyLog` the anchor, or use a witness.
 */
export function fileAnchor(path: string): Anchor {
  checkText(path, 'path', { maxBytes: 4096 }, rejectInput)
  return {
    read: async (options) => {
      options?.signal?.throwIfAborted()
      return readKept(path)
    },
    advance: async (next, options) => advance(path, checkCheckpoint(next), options),
  }
}

async function advance(path: string, next: Checkpoint, options: CallOptions = {}): Promise<void> {
  await withFileLock(`${path}.lock`, options.signal, async () => {
    const kept = readKept(path)
    checkAdvance(kept, next)
    if (kept?.note === next.note) return
    try {
      await replace(path, next.note)
    } catch (error) {
      throw anchorFault('the anchor cannot be written', { cause: error, retryable: true })
    }
  })
}

/** What the file keeps. Throws `ERR_AUDIT_ANCHOR` when there is no such file. */
export function keptInFile(path: string): Checkpoint {
  const kept = readKept(path)
  if (kept === undefined) throw anchorFault('there is no such anchor')
  return kept
}

/**
 * Puts another checkpoint in the place of the one that is kept, whichever is newer. What was kept goes into a file beside the anchor, together
 * with the statement that accounts for it; resolves with its path.
 */
export async function replaceFileAnchor(
  path: string,
  next: Checkpoint,
  statement: string,
  options: CallOptions = {},
): Promise<string> {
  const checked = checkCheckpoint(next)
  const aside = `${path}.accepted-${checked.size}`
  await withFileLock(`${path}.lock`, options.signal, async () => {
    const kept = keptInFile(path)
    try {
      await replace(aside, `${kept.note}\n${statement}`)
      await replace(path, checked.note)
    } catch (error) {
      throw anchorFault('the anchor cannot be written', { cause: error, retryable: true })
    }
  })
  return aside
}

function readKept(path: string): Checkpoint | undefined {
  let bytes: Uint8Array
  try {
    bytes = readFileSync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw anchorFault('the anchor cannot be read', { cause: error })
  }
  try {
    if (bytes.length > MOST_BYTES) throw anchorFault('the anchor is too long')
    return readCheckpoint(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))
  } catch (error) {
    throw error instanceof AuditError && error.code === 'ERR_AUDIT_ANCHOR'
      ? error
      : anchorFault('the anchor does not hold a checkpoint', { cause: error })
  }
}

const flushed = promisify(fsync)

/**
 * A power cut leaves the old file or the new one: the new one is synced before it takes the name, and the name after. Whoever waits for the
 * disk keeps no one else of the process waiting; what does not wait for it is done at once, as a turn of the event loop costs more.
 */
async function replace(path: string, note: string): Promise<void> {
  const temporary = `${path}.tmp`
  try {
    await withFile(temporary, 'w', (file) => writeFileSync(file, note))
  } catch (error) {
    rmSync(temporary, { force: true })
    throw error
  }
  renameSync(temporary, path)
  await withFile(dirname(path), 'r', () => undefined)
}

/** Opens, does what does not wait, flushes and closes. */
async function withFile(path: string, flags: 'w' | 'r', use: (file: number) => void): Promise<void> {
  const file = openSync(path, flags, 0o600)
  try {
    use(file)
    await flushed(file)
  } finally {
    closeSync(file)
  }
}
