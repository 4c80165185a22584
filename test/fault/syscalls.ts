/** Every system call that a store makes, failed or interrupted one at a time (STORE-1, STORE-4, STORE-5); needs Linux with strace. @module */
/// <reference types="node" />

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Verifier } from './verifier.ts'

export const FAULTS = ['EIO', 'ENOSPC', 'SIGKILL'] as const
export type Fault = (typeof FAULTS)[number]

/** One system call to fail: the n-th of its name in its thread. */
export interface Point {
  readonly stage: 'make' | 'work'
  readonly call: string
  readonly nth: number
  readonly fault: Fault
}

export interface MatrixOptions {
  /** From `compile()`. */
  readonly compiled: string
  /** Batches that are there before: their rows are removed by later ones. */
  readonly before: number
  readonly rounds: number
  /** Which of the points are tried. */
  readonly select?: (point: Point) => boolean
  /** Acknowledge before the flush: the control. */
  readonly early?: boolean
}

export interface MatrixResult {
  readonly points: number
  /** Points at which the call was made and the fault happened. */
  readonly injected: number
  readonly acknowledged: number
  readonly calls: Readonly<Record<string, number>>
  /** What must not be: by the name of the point. */
  readonly violations: readonly string[]
  /** Points at which the binding ended the process; what is left was looked at all the same. */
  readonly ended: readonly string[]
}

/** Everything that is done to files; which of it is done at all, the trace of a run without faults tells. */
const WORK_CALLS =
  'openat,access,statx,newfstatat,statfs,fstatfs,fcntl,lseek,ftruncate,mmap,msync,pread64,pwrite64,pwritev,write,writev,fdatasync,fsync,rename,unlink,close'
const MAKE_CALLS = 'mkdir,link,fsync,fdatasync,pwrite64,writev,ftruncate,unlink,rmdir,rename'
/** One thread for all that does not run in the main one, so that the n-th call is the same in every run. */
const ENVIRONMENT = { ...process.env, UV_THREADPOOL_SIZE: '1' }

/** Enumerates the calls of a run without faults, then fails each in a run of its own and looks at what is left. */
export async function syscallMatrix(options: MatrixOptions): Promise<MatrixResult> {
  const base = mkdtempSync(join(tmpdir(), 'guise-syscalls-'))
  const verifier = new Verifier(options.compiled, './store-driver.js')
  const trials = new Trials(base, options, verifier)
  try {
    trials.prepare()
    const points = trials.points().filter(options.select ?? (() => true))
    for (const point of points) await trials.run(point)
    return trials.result(points)
  } finally {
    await verifier.close()
    rmSync(base, { recursive: true, force: true })
  }
}

class Trials {
  readonly #base: string
  readonly #options: MatrixOptions
  readonly #verifier: Verifier
  readonly #child: string
  readonly #violations: string[] = []
  readonly #ended: string[] = []
  readonly #calls: Record<string, number> = {}
  #injected = 0
  #acknowledged = 0

  constructor(base: string, options: MatrixOptions, verifier: Verifier) {
    this.#base = base
    this.#options = options
    this.#verifier = verifier
    this.#child = join(options.compiled, 'test', 'fault', 'syscall-child.js')
  }

  /** The store that every trial of the work begins with. */
  prepare(): void {
    const args = [this.#child, join(this.#base, 'before'), String(this.#options.before)]
    const run = spawnSync(process.execPath, args, { encoding: 'utf8', env: ENVIRONMENT })
    if (!run.stdout.endsWith('done\n')) throw new Error(`no store to begin with: ${run.stderr}`)
  }

  points(): readonly Point[] {
    return (['make', 'work'] as const).flatMap((stage) => {
      const directory = this.#directory(stage)
      const trace = join(this.#base, 'trace')
      const args = [...this.#strace(stage, directory, trace), ...this.#work(directory)]
      const run = spawnSync('strace', args, { encoding: 'utf8', env: ENVIRONMENT })
      if (!run.stdout.endsWith('done\n')) throw new Error(`the run without faults failed: ${run.stderr}`)
      return [...countCalls(readFileSync(trace, 'utf8'))].flatMap(([call, count]) =>
        Array.from({ length: count }, (_, i) => i + 1).flatMap((nth) =>
          FAULTS.map((fault) => ({ stage, call, nth, fault })),
        ),
      )
    })
  }

  async run(point: Point): Promise<void> {
    const { stage, call, nth, fault } = point
    const directory = this.#directory(stage)
    const trace = join(this.#base, 'trace')
    const effect = fault === 'SIGKILL' ? 'signal=SIGKILL' : `error=${fault}`
    const inject = ['-e', `inject=${call}:${effect}:when=${nth}`]
    const args = [...this.#strace(stage, directory, trace), ...inject, ...this.#work(directory)]
    const child = spawn('strace', args, { stdio: ['ignore', 'pipe', 'ignore'], env: ENVIRONMENT })
    let text = ''
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
    })
    const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
    const lines = text.split('\n').slice(0, -1)
    const injected = readFileSync(trace, 'utf8').includes('(INJECTED)') || signal === 'SIGKILL'
    if (injected) {
      this.#injected += 1
      this.#calls[call] = (this.#calls[call] ?? 0) + 1
    }
    const tokens = lines.filter((line) => line.startsWith('ack ')).map((line) => line.slice(4))
    this.#acknowledged += tokens.length
    const faults = faultsOf(lines)
    if (fault !== 'SIGKILL' && (code !== 0 || signal !== null)) {
      if (isOfBinding(signal, lines)) this.#ended.push(nameOf(point))
      else faults.push(`ended with ${signal ?? code} after ${lines.at(-1)}`)
    } else if (fault !== 'SIGKILL' && lines.at(-1) !== 'done') faults.push(`gave up after ${lines.at(-1)}`)
    const verdict = await this.#verifier.verify(directory, tokens)
    faults.push(...verdict.lost.map((token) => `lost ${token}`), ...verdict.torn)
    this.#violations.push(...faults.map((what) => `${nameOf(point)}: ${what}`))
    rmSync(directory, { recursive: true, force: true })
  }

  result(points: readonly Point[]): MatrixResult {
    return {
      points: points.length,
      injected: this.#injected,
      acknowledged: this.#acknowledged,
      calls: this.#calls,
      violations: this.#violations,
      ended: this.#ended,
    }
  }

  /** A fresh one: absent, or a copy without the lock file, which belongs to no data. */
  #directory(stage: Point['stage']): string {
    const directory = join(this.#base, 'store')
    rmSync(directory, { recursive: true, force: true })
    if (stage === 'work') {
      mkdirSync(directory, { mode: 0o700 })
      copyFileSync(join(this.#base, 'before', 'data.mdb'), join(directory, 'data.mdb'))
    }
    return directory
  }

  /** While a store is made its folder has a random name, so calls are told by their kind; afterwards by their path. */
  #strace(stage: Point['stage'], directory: string, trace: string): readonly string[] {
    const common = ['-f', '-qq', '-o', trace]
    if (stage === 'make') return [...common, '-e', `trace=${MAKE_CALLS}`]
    const paths = [directory, join(directory, 'data.mdb'), join(directory, 'lock.mdb')]
    return [...common, '-e', `trace=${WORK_CALLS}`, ...paths.flatMap((path) => ['-P', path])]
  }

  #work(directory: string): readonly string[] {
    const { before, rounds, early } = this.#options
    const control = early === true ? ['early'] : []
    return [process.execPath, this.#child, directory, String(before + rounds), ...control]
  }
}

function nameOf({ stage, call, nth, fault }: Point): string {
  return `${stage} ${call} ${nth} ${fault}`
}

/** The most calls of each kind that one thread made. */
function countCalls(trace: string): ReadonlyMap<string, number> {
  const byThread = new Map<string, number>()
  const most = new Map<string, number>()
  for (const [, thread = '', call = ''] of trace.matchAll(/^(\d+) +(\w+)\(/gm)) {
    const count = (byThread.get(`${thread} ${call}`) ?? 0) + 1
    byThread.set(`${thread} ${call}`, count)
    most.set(call, Math.max(most.get(call) ?? 0, count))
  }
  return most
}

/**
 * lmdb 3.5.6 uses memory that it has freed when it fails to open an environment or a table: the process ends then or later. That is
 * told apart, and only where opening was under way or had failed.
 */
function isOfBinding(signal: string | null, lines: readonly string[]): boolean {
  const crashed = signal !== null && ['SIGSEGV', 'SIGABRT', 'SIGBUS'].includes(signal)
  const opening = lines.length === 0 || /^(?:after|close) /.test(lines.at(-1) ?? '')
  return crashed && (opening || lines.some((line) => line.startsWith('open ')))
}

const TYPED = /^ERR_STORE_[A-Z]+$/
/** After these of a commit nothing may be answered until the store is opened again. */
const FLUSH = /^failed ERR_STORE_(?:INDETERMINATE|FULL)$/

/** What a child must not say. */
function faultsOf(lines: readonly string[]): string[] {
  const faults: string[] = []
  let flushFailed = false
  for (const line of lines) {
    const [what = '', first = '', second = ''] = line.split(' ')
    if (what === 'opened') flushFailed = false
    if (['open', 'failed', 'close'].includes(what) && !TYPED.test(first)) faults.push(`untyped: ${line}`)
    if (FLUSH.test(line)) flushFailed = true
    if (what === 'after' && flushFailed && second !== 'ERR_STORE_FAILED') faults.push(`answered: ${line}`)
    if (what === 'ack' && flushFailed) faults.push(`acknowledged after a failed flush: ${line}`)
    if (what === 'unhandled') faults.push('an unhandled rejection')
  }
  return faults
}
