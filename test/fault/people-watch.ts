/** Kills processes that change people and processes that watch their number, and looks for crossings that nobody told of (SPEC §12.5). @module */
/// <reference types="node" />

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crossingsOf, logOf } from '../support/people.ts'
import type { TestServer } from '../support/postgres.ts'
import { compile, type Mutation } from './compile.ts'
import { withPeopleStore } from './people-postgres.ts'
import { VAULT_FOLDERS } from './vault-folders.ts'
import { openWorld, openWorldStore, REALM } from './vault-world.ts'

const ENTRY = join('test', 'fault', 'people-child.js')
const FOLDERS = [...VAULT_FOLDERS, 'src/cli']

export interface WatchKillOptions {
  readonly rounds: number
  /** Processes that change people, and as many verbs until one is killed; or, with `fill`, that enrol so many each and are not. */
  readonly workers: number
  readonly fill?: number
  readonly verbs: number
  /** Processes that watch, and as many readings until one is killed. */
  readonly watchers: number
  readonly readings: number
  readonly thresholds: readonly number[]
  readonly mutation?: Mutation
  /** Without one the store lies on LMDB. */
  readonly server?: TestServer
}

export interface WatchKillResult {
  readonly killed: number
  readonly crossings: number
  readonly events: number
  /** Crossings that no event follows. */
  readonly missed: number
}

/** At the end one process watches once, as whoever comes after a crash does; then the log is counted by other means. */
export function killWatchers(options: WatchKillOptions): Promise<WatchKillResult> {
  return withPeopleStore(options.server, () => killWatchersOn(options))
}

async function killWatchersOn(options: WatchKillOptions): Promise<WatchKillResult> {
  const { rounds, workers, verbs, watchers, readings, thresholds, fill, mutation } = options
  const entry = join(compile({ folders: FOLDERS, ...(mutation === undefined ? {} : { mutation }) }), ENTRY)
  const base = mkdtempSync(join(tmpdir(), 'guise-watch-'))
  const start = (...words: readonly string[]): ChildProcess =>
    spawn(process.execPath, [entry, ...words], { stdio: ['ignore', 'pipe', 'inherit'] })
  let killed = 0
  const killAfter = async (child: ChildProcess, bytes: number): Promise<void> => {
    let read = 0
    child.stdout?.on('data', (chunk: Buffer) => {
      read += chunk.length
      if (read >= bytes) child.kill('SIGKILL')
    })
    const [, signal] = (await once(child, 'close')) as [number | null, string | null]
    if (signal === 'SIGKILL') killed += 1
  }
  try {
    mkdirSync(join(base, 'store'), { mode: 0o700 })
    writeFileSync(join(base, 'thresholds'), thresholds.join(','))
    await (await openWorld(join(base, 'store'))).close()
    for (let round = 0; round < rounds; round++) {
      const work = Array.from({ length: workers }, (_, i) => {
        const seed = String(1 + round * workers + i)
        return fill === undefined
          ? killAfter(start('work', base, seed), verbs)
          : killAfter(start('fill', base, seed, String(fill)), Number.POSITIVE_INFINITY)
      })
      const watch = Array.from({ length: watchers }, () => killAfter(start('watch', base), readings))
      await Promise.all([...work, ...watch])
    }
    const last = start('watch', base, 'once')
    last.stdout?.resume()
    await once(last, 'close')
    return { killed, ...(await judge(join(base, 'store'), thresholds)) }
  } finally {
    rmSync(base, { recursive: true, force: true })
  }
}

async function judge(
  directory: string,
  thresholds: readonly number[],
): Promise<Omit<WatchKillResult, 'killed'>> {
  // Integrates what waits.
  await (await openWorld(directory)).close()
  const store = await openWorldStore(directory)
  const entries = await logOf(store, REALM)
  await store.close()
  const counted = thresholds.map((threshold) => crossingsOf(entries, threshold))
  const sum = (of: (one: (typeof counted)[number]) => number): number =>
    counted.reduce((all, one) => all + of(one), 0)
  return {
    crossings: sum(({ crossings }) => crossings),
    events: sum(({ events }) => events),
    missed: sum(({ missed }) => missed),
  }
}
