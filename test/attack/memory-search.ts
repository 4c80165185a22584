/** Lets a process carry out every verb and searches its memory, after each of them or at the end (Linux; I-03). @module */
/// <reference types="node" />

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { subjectName } from '../fault/vault-people.ts'
import { openWorld } from '../fault/vault-world.ts'
import { dealWorldQuorum, openWorldQuorum, worldShares } from '../fault/world-quorum.ts'
import { plantInFile, scanFiles } from './memory-canaries.ts'
import { Pieces, type Scan, scanProcess } from './memory-scan.ts'
import { addHeldKeys, addMomentaryKeys, addSigningKeys, Secrets } from './memory-secrets.ts'

export interface SearchOptions {
  /** From `compile()`. */
  readonly compiled: string
  readonly custody: 'operator' | 'holder' | 'quorum'
  /** Operations of each verb. */
  readonly count: number
  /** Phases to search after; every one by default. The last, `close`, is always searched. */
  readonly phases?: readonly string[]
}

export interface SearchResult {
  /** Phases that were searched, with what was found of what must not be there. */
  readonly phases: readonly { readonly name: string; readonly found: Readonly<Record<string, number>> }[]
  /** Found while the vault was open of keys that it holds then, by kind: they are looked for in the right form. */
  readonly open: Readonly<Record<string, number>>
  /** Found of the expanded key that signs receipts, at the end. */
  readonly signing: Readonly<Record<string, number>>
  /** Found of elements that the quorum's answers make, by phase: the curve library computes in numbers that nobody can wipe. */
  readonly elements: Readonly<Record<string, number>>
  /** Found of pieces that were planted, by kind: the control. */
  readonly planted: Readonly<Record<string, number>>
  readonly disk: {
    /** Found in the files of store and keys, by kind. */
    readonly found: Readonly<Record<string, number>>
    /** Found once a piece of each kind had been written into the store's file. */
    readonly planted: Readonly<Record<string, number>>
    readonly kinds: number
  }
  readonly kinds: number
  readonly pieces: number
  readonly scannedBytes: number
}

/** When the young generation is full the collector moves what a caller holds, and leaves a copy that no library can reach. */
const ROOMY = '--min-semi-space-size=64'

export async function searchMemory(options: SearchOptions): Promise<SearchResult> {
  const base = mkdtempSync(join(tmpdir(), 'guise-memory-'))
  const directory = join(base, 'store')
  const journal = join(base, 'journal')
  mkdirSync(directory, { mode: 0o700 })
  writeFileSync(journal, '')
  if (options.custody === 'quorum') dealWorldQuorum(base)
  const script = join(options.compiled, 'test', 'fault', 'vault-memory-child.js')
  const child = spawn(
    process.execPath,
    [ROOMY, script, directory, options.custody, String(options.count), journal],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  )
  const closed = once(child, 'close')
  try {
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    const next = async (): Promise<string> => {
      const { value, done } = await lines.next()
      if (done === true) throw new Error('the searched process ended')
      return value
    }
    const pid = child.pid as number
    const say = (line: string): void => void child.stdin.write(`${line}\n`)
    return await search(options, { directory, journal, pid, next, say })
  } finally {
    child.kill('SIGKILL')
    await closed
    rmSync(base, { recursive: true, force: true })
  }
}

interface Searched {
  readonly directory: string
  readonly journal: string
  readonly pid: number
  next(): Promise<string>
  say(line: string): void
}

async function search(options: SearchOptions, child: Searched): Promise<SearchResult> {
  const { directory, journal, pid } = child
  const opened = await child.next()
  if (opened !== 'open') throw new Error(`the process began with ${opened}`)
  const under = options.custody === 'quorum' ? dirname(journal) : undefined
  const quorum = under === undefined ? undefined : await openWorldQuorum(under)
  const world = await openWorld(directory, {
    custody: options.custody,
    ...(quorum === undefined ? {} : { quorum }),
  })
  try {
    const pieces = new Pieces()
    const held = new Pieces()
    const signing = new Pieces()
    const canaries = new Pieces()
    const elements = new Pieces()
    const leftOf: Record<string, number> = {}
    const secrets = new Secrets(pieces, canaries, world, {
      custody: options.custody,
      shares: under === undefined ? [] : worldShares(under),
      elements,
    })
    for (let i = 0; i < 10; i++) canaries.add('external identifier', Buffer.from(subjectName(i)), 8)
    const disk: Record<string, number> = {}
    const scanDisk = (): void => {
      for (const all of [pieces, canaries, held]) Object.assign(disk, scanFiles(dirname(directory), all))
    }
    const phases: { name: string; found: Readonly<Record<string, number>> }[] = []
    addHeldKeys(held, world)
    const open: Record<string, number> = {}
    for (let name = opened; name !== 'close'; ) {
      if (name === 'renewReceipt') {
        addHeldKeys(held, world)
        Object.assign(open, asRecord(scanStopped(pid, held)))
      }
      child.say('go')
      name = await child.next()
      await secrets.follow(journal)
      if (name !== 'close' && options.phases?.includes(name) === false) continue
      await addMomentaryKeys(pieces, world, directory)
      scanDisk()
      phases.push({ name, found: asRecord(scanStopped(pid, pieces)) })
      if (under !== undefined) leftOf[name] = count(scanStopped(pid, elements))
    }
    addSigningKeys(signing, world)
    const last = scanStopped(pid, held)
    phases.push({ name: 'close, keys that were held', found: asRecord(last) })
    const remains = asRecord(scanStopped(pid, signing))
    child.say('go')
    const planted = await plant(child, pieces, held, elements)
    return {
      phases,
      signing: remains,
      elements: leftOf,
      open,
      planted,
      disk: { found: { ...disk }, ...plantOnDisk(directory, pieces, canaries, held) },
      kinds: pieces.kinds.size + held.kinds.size,
      pieces: pieces.count + held.count,
      scannedBytes: last.scannedBytes,
    }
  } finally {
    await world.close()
  }
}

function plantOnDisk(
  directory: string,
  ...all: readonly Pieces[]
): Pick<SearchResult['disk'], 'planted' | 'kinds'> {
  const copy = join(directory, 'planted')
  const planted: Record<string, number> = {}
  for (const pieces of all) {
    copyFileSync(join(directory, 'data.mdb'), copy)
    plantInFile(copy, pieces)
    Object.assign(planted, scanFiles(directory, pieces))
  }
  return { planted, kinds: new Set(all.flatMap((pieces) => [...pieces.kinds])).size }
}

/** Has one piece of each kind kept by the process: each must be found, or finding nothing means nothing. */
async function plant(child: Searched, ...all: readonly Pieces[]): Promise<Readonly<Record<string, number>>> {
  const planted: Record<string, number> = {}
  for (const pieces of all) {
    for (const kind of pieces.kinds) {
      child.say(Buffer.from(pieces.sample(kind)).toString('hex'))
      await child.next()
    }
    const { found } = scanStopped(child.pid, pieces)
    for (const kind of pieces.kinds) planted[kind] = found.get(kind) ?? 0
  }
  return planted
}

function scanStopped(pid: number, pieces: Pieces): Scan {
  process.kill(pid, 'SIGSTOP')
  try {
    return scanProcess(pid, pieces)
  } finally {
    process.kill(pid, 'SIGCONT')
  }
}

function count({ found }: Scan): number {
  return [...found.values()].reduce((sum, pieces) => sum + pieces, 0)
}

function asRecord({ found }: Scan): Readonly<Record<string, number>> {
  return Object.fromEntries(found)
}
