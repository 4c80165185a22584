/** Processes verify while another revokes and issues again, and some are stopped or killed: the history that comes of it (I-20). @module */
/// <reference types="node" />

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { type LmdbStore, lmdbStore } from '../../src/store/lmdb.ts'
import {
  checkRevocationHistory,
  type RevocationEvent,
  type RevocationReport,
} from '../../src/store/revocation-history.ts'
import { seeded } from './driver.ts'

export interface TrialOptions {
  /** From `compile()`. */
  readonly compiled: string
  readonly revocations: number
  readonly seed: number
  /** `cached`: reads of up to 50 ms ago, the control. */
  readonly variant?: 'cached'
}

export interface TrialResult extends RevocationReport {
  /** All that were made; the report's events are those that can show something. */
  readonly made: number
  readonly revocations: number
  readonly killed: number
  readonly stopped: number
}

const PROCESSES = 4
const SUBJECTS = 8

export async function historyTrial(options: TrialOptions): Promise<TrialResult> {
  const base = mkdtempSync(join(tmpdir(), 'guise-history-'))
  const store = await lmdbStore({ path: base })
  const trial = new Trial(base, options)
  try {
    return await trial.run(store)
  } finally {
    await trial.end()
    await store.close()
    rmSync(base, { recursive: true, force: true })
  }
}

class Trial {
  readonly #directory: string
  readonly #options: TrialOptions
  readonly #random: () => number
  readonly #history: RevocationEvent[] = []
  readonly #members: ChildProcess[] = []
  #started = 0
  #made = 0
  #killed = 0
  #stopped = 0

  constructor(directory: string, options: TrialOptions) {
    this.#directory = directory
    this.#options = options
    this.#random = seeded(options.seed)
  }

  async run(store: LmdbStore): Promise<TrialResult> {
    const { revocations } = this.#options
    const rows: { generation: number; version: string }[] = []
    for (let subject = 0; subject < SUBJECTS; subject++) {
      rows.push({ generation: 1, version: await write(store, subject, [1, 0], null) })
    }
    for (let i = 0; i < PROCESSES; i++) await this.#start(i)
    for (let i = 0; i < revocations; i++) {
      const subject = Math.floor(this.#random() * SUBJECTS)
      const row = rows[subject] as (typeof rows)[0]
      row.version = await this.#timed('revoke', subject, row.generation, () =>
        write(store, subject, [row.generation, 1], row.version),
      )
      await pause(this.#random() * 4)
      row.generation += 1
      row.version = await this.#timed('reissue', subject, row.generation, () =>
        write(store, subject, [row.generation, 0], row.version),
      )
      await pause(this.#random() * 4)
      if (i % 50 === 49) await this.#disturb(i)
    }
    await this.end()
    const report = checkRevocationHistory(this.#history)
    return {
      ...report,
      made: this.#made,
      revocations,
      killed: this.#killed,
      stopped: this.#stopped,
    }
  }

  async end(): Promise<void> {
    const closing = this.#members.splice(0).map(async (member) => {
      const closed = once(member, 'close')
      member.stdin?.end()
      await closed
    })
    await Promise.all(closing)
  }

  async #timed(
    operation: 'revoke' | 'reissue',
    subject: number,
    generation: number,
    call: () => Promise<string>,
  ): Promise<string> {
    const start = now()
    const version = await call()
    const common = { process: 'writer', subject: String(subject), operation, generation }
    this.#history.push({ ...common, start, end: now(), outcome: 'done' })
    return version
  }

  /** One is stopped for a while, or killed in whatever it does and started again. */
  async #disturb(round: number): Promise<void> {
    const place = Math.floor(this.#random() * PROCESSES)
    const member = this.#members[place]
    if (member === undefined) return
    if (round % 100 === 49) {
      this.#stopped += 1
      member.kill('SIGSTOP')
      await pause(20 + this.#random() * 80)
      member.kill('SIGCONT')
      return
    }
    this.#killed += 1
    const closed = once(member, 'close')
    member.kill('SIGKILL')
    await closed
    await this.#start(place)
  }

  async #start(place: number): Promise<void> {
    const { compiled, variant = 'plain' } = this.#options
    const script = join(compiled, 'test', 'fault', 'history-child.js')
    const args = [script, this.#directory, `p${this.#started}`, String(SUBJECTS), variant]
    this.#started += 1
    const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    child.stdin.on('error', () => undefined)
    const ready = new Promise<void>((resolve, reject) => {
      createInterface({ input: child.stdout }).on('line', (line) => {
        resolve()
        this.#take(line)
      })
      child.on('close', () => reject(new Error('a process ended before it was ready')))
    })
    this.#members[place] = child
    await ready
  }

  #take(line: string): void {
    const told = parsed(line)
    if (told === undefined) return
    this.#made += told.verifies
    this.#history.push(...told.events)
  }
}

/** The last line of a process that was killed may be half of one. */
function parsed(line: string): { verifies: number; events: RevocationEvent[] } | undefined {
  try {
    return JSON.parse(line) as { verifies: number; events: RevocationEvent[] }
  } catch {
    return undefined
  }
}

async function write(
  store: LmdbStore,
  subject: number,
  [generation, revoked]: readonly [number, 0 | 1],
  expected: string | null,
): Promise<string> {
  const bytes = new Uint8Array(5)
  new DataView(bytes.buffer).setUint32(0, generation)
  bytes[4] = revoked
  const key = Uint8Array.of(subject)
  const [version] = await store.commit([{ step: 'put', table: 'states', key, bytes, expected }])
  return version ?? ''
}

function now(): number {
  return Number(process.hrtime.bigint()) / 1e6
}
