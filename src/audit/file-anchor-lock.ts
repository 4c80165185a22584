/** A lock between processes of one machine: a file that only one can make (SPEC §14.5). @module */
/// <reference types="node" />

import { linkSync, readFileSync, readlinkSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import { toHex } from '../base/bytes.ts'
import { systemClock } from '../base/clock.ts'
import { randomBytes } from '../crypto/random.ts'
import { anchorFault } from './anchor.ts'

const WAIT_MS = 10_000
const PAUSE_MS = 5

/**
 * Runs `task`, which waits for the disk only, while nobody else does. Waits at most ten seconds for others. The lock of a
 * process that is gone is removed, by one process at a time, which holds a second lock while it looks again: so nobody
 * removes a lock that was taken since.
 */
export async function withFileLock(
  path: string,
  signal: AbortSignal | undefined,
  task: () => void | Promise<void>,
): Promise<void> {
  const startedMs = systemClock.steady().ms
  while (!take(path)) {
    signal?.throwIfAborted()
    if (isAbandoned(path) && removeAbandoned(path)) continue
    if (systemClock.steady().ms - startedMs > WAIT_MS) {
      throw anchorFault(`the anchor is locked: remove ${path} and ${path}.remove if no process holds it`, {
        retryable: true,
      })
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
  }
  try {
    signal?.throwIfAborted()
    await task()
  } finally {
    rmSync(path, { force: true })
  }
}

/**
 * False when the file is there already. It is written under a name of its own and then linked: a process that dies on the way
 * leaves no lock without a name, which nobody could remove.
 */
function take(path: string): boolean {
  const own = `${path}.${toHex(randomBytes(8))}`
  try {
    try {
      writeFileSync(own, ownName(), { flag: 'wx', mode: 0o600 })
      linkSync(own, path)
      return true
    } finally {
      // A full volume makes the file, and then has no room for its bytes.
      rmSync(own, { force: true })
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw anchorFault('the anchor cannot be locked', { cause: error })
  }
}

/** False when another process is at it, or when the lock is somebody's again. */
function removeAbandoned(path: string): boolean {
  const second = `${path}.remove`
  // Held for a moment only; one that stays, because its process died within it, keeps the first from being removed.
  if (!take(second)) return false
  try {
    const still = isAbandoned(path)
    if (still) unlinkSync(path)
    return still
  } finally {
    unlinkSync(second)
  }
}

/** True when the process that made the lock is certainly gone: the machine has started again, or has no such process. */
function isAbandoned(path: string): boolean {
  const [pid, started, space, boot] = readText(path).split(' ')
  // Gone meanwhile, or not made by this program.
  if (boot === undefined) return false
  const [, , ownSpace, ownBoot] = ownName().split(' ')
  if (boot !== ownBoot) return true
  // A process of another container has a number that means nothing here.
  if (space !== ownSpace) return false
  return !isAlive(Number(pid)) || startOf(Number(pid)) !== started
}

/** Number, start, number space and boot of this process. */
function ownName(): string {
  const boot = readText('/proc/sys/kernel/random/boot_id').trim() || 'boot'
  return `${process.pid} ${startOf(process.pid)} ${numberSpace()} ${boot}`
}

function numberSpace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid')
  } catch {
    return 'pid'
  }
}

/** When a process began, by the kernel's count: numbers of processes are used again. */
function startOf(pid: number): string {
  const text = readText(`/proc/${pid}/stat`)
  // The name of the program, in brackets, may hold anything; the twentieth field behind it is the start.
  return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? 'start'
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}

/** Empty where there is nothing to read. */
function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
