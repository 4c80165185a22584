/** Rounds of processes that open a store, write and are killed, some while they are stopped; after each the store is looked at (I-27). @module */
/// <reference types="node" />

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { lmdbStore } from '../../src/store/lmdb.ts'
import type { StoredRow } from '../../src/store/store.ts'
import { seeded } from './driver.ts'

export interface LockResult {
  readonly rounds: number
  readonly killed: number
  readonly stopped: number
  /** Killed before the store was open. */
  readonly unopened: number
  readonly wins: number
  /** How often each typed code was the answer. */
  readonly codes: Readonly<Record<string, number>>
  readonly faults: readonly string[]
  /** The longest time from the last kill until a commit was on the disk. */
  readonly longestMs: number
}

const SHARED = 1
const FIRST_OWN = 10
const MOST_MS = 500
const MOST_WINS = 12
const STOPPED_EACH = 5
const STOP_MS = 600
const LOCK_MS = 200
const RECOVERED_MS = 5000

export async function lockTrial(options: {
  readonly compiled: string
  readonly processes: number
  readonly rounds: number
  readonly seed: number
  /** Ends at the first fault. */
  readonly control?: boolean
}): Promise<LockResult> {
  const directory = mkdtempSync(join(tmpdir(), 'guise-lock-'))
  const random = seeded(options.seed)
  const result = { rounds: 0, killed: 0, stopped: 0, unopened: 0, wins: 0, longestMs: 0 }
  const codes: Record<string, number> = {}
  const faults: string[] = []
  try {
    for (let round = 0; round < options.rounds; round++) {
      const lives = Array.from({ length: options.processes }, (_, i) =>
        live(
          options.compiled,
          directory,
          FIRST_OWN + i,
          round % STOPPED_EACH === i ? 'stopped' : 'killed',
          random,
        ),
      )
      const said = await Promise.all(lives)
      result.rounds++
      result.killed += said.filter(({ killed }) => killed).length
      result.stopped += said.filter(({ stopped }) => stopped).length
      result.unopened += said.filter(({ lines }) => !lines.includes('open')).length
      for (const line of said.flatMap(({ lines }) => lines)) {
        const [word, code = ''] = line.split(' ')
        if (word === 'refused') codes[code] = (codes[code] ?? 0) + 1
        if (word === 'untyped') faults.push(`${round}: ${line}`)
      }
      const wins = said.flatMap(({ lines }) => lines.filter((line) => line.startsWith('won ')))
      result.wins += wins.length
      const found = await lookAt(directory, wins)
      faults.push(...found.faults.map((fault) => `${round}: ${fault}`))
      result.longestMs = Math.max(result.longestMs, found.tookMs)
      if (options.control === true && faults.length > 0) break
    }
    return { ...result, codes, faults }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

interface Said {
  readonly lines: readonly string[]
  readonly killed: boolean
  readonly stopped: boolean
}

/** A process from its start until it is killed: at some time, or after some commits, or stopped for a while before. */
async function live(
  compiled: string,
  directory: string,
  own: number,
  how: 'killed' | 'stopped',
  random: () => number,
): Promise<Said> {
  const script = join(compiled, 'test', 'fault', 'store-lock-child.js')
  const child = spawn(process.execPath, [script, directory, String(own), String(LOCK_MS)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const closed = once(child, 'close')
  const lines: string[] = []
  const wins = random() < 0.5 || how === 'stopped' ? 1 + Math.floor(random() * MOST_WINS) : Infinity
  const afterMs = wins === Infinity ? random() * MOST_MS : 10 * MOST_MS
  let stopped = false
  const done = new Promise<void>((resolve) => {
    let won = 0
    createInterface({ input: child.stdout }).on('line', (line) => {
      lines.push(line)
      if (line.startsWith('won ') && ++won >= wins) resolve()
    })
    closed.then(() => resolve(), resolve)
  })
  await Promise.race([done, pause(afterMs)])
  if (how === 'stopped' && isAlive(child)) {
    // Perhaps while it holds the lock; then it dies with it.
    stopped = child.kill('SIGSTOP')
    await pause(STOP_MS)
  }
  const killed = isAlive(child) && child.kill('SIGKILL')
  await closed
  return { lines, killed, stopped }
}

function isAlive({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode === null && signalCode === null
}

/** Opens and writes as if nothing had happened, and holds every row against what was acknowledged. */
async function lookAt(
  directory: string,
  wins: readonly string[],
): Promise<{ readonly faults: readonly string[]; readonly tookMs: number }> {
  const faults: string[] = []
  const begun = performance.now()
  const store = await lmdbStore({ path: directory })
  const key = Uint8Array.of(2)
  const mark = await store.get('states', key)
  await store.commit([
    { step: 'put', table: 'states', key, bytes: new Uint8Array(4), expected: mark?.version ?? null },
  ])
  const tookMs = performance.now() - begun
  if (tookMs > RECOVERED_MS) faults.push(`${Math.round(tookMs)} ms until a commit`)
  const written = new Map<string, number>()
  const newest = new Map<number, number>()
  const rows: StoredRow[] = []
  for await (const row of store.scan('queue', new Uint8Array(0))) rows.push(row)
  for (const { bytes } of rows) {
    const counter = bytes[0] ?? 0
    const value = new DataView(bytes.buffer, bytes.byteOffset + 1).getUint32(0)
    written.set(`won ${counter} ${value}`, (written.get(`won ${counter} ${value}`) ?? 0) + 1)
    const before = newest.get(counter)
    if (before !== undefined && value !== before + 1) faults.push(`row ${counter}: ${value} after ${before}`)
    newest.set(counter, value)
  }
  for (const [what, times] of written) if (times > 1) faults.push(`${what} is there ${times} times`)
  for (const win of wins) if (!written.has(win)) faults.push(`lost: ${win}`)
  const twice = wins.filter((win, i) => wins.indexOf(win) < i)
  if (twice.length > 0) faults.push(`acknowledged to two processes: ${twice.join(', ')}`)
  for (const [counter, value] of newest) {
    const row = await store.get('states', Uint8Array.of(counter))
    const held = row === undefined ? 0 : new DataView(row.bytes.buffer, row.bytes.byteOffset).getUint32(0)
    if (held !== value) faults.push(`row ${counter} holds ${held} instead of ${value}`)
  }
  if (wins.length > 0 && !newest.has(SHARED)) faults.push('the shared row was never written')
  await store.commit(
    rows.map(({ key: place, version }) => ({
      step: 'delete',
      table: 'queue',
      key: place,
      expected: version,
    })),
  )
  await store.close()
  return { faults, tookMs }
}
