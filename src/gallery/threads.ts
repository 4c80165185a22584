/** Threads that help a scan, where Node has them (SPEC §16.5). @module */

import { builtinModule } from '../base/builtin.ts'
import { ownAt, type ScanModule } from './assembly.ts'
import { MOST_THREADS } from './declaration.ts'
import { CONTROL_AT, JOB_AT } from './layout.ts'

/** Shards that a thread takes at a time: about a millisecond. */
export const SHARDS_A_TURN = 256
/** So many may die before none is started any more. */
const MOST_DEATHS = 4

/** Places in the words that threads count with. */
const NEXT = 0
const END = 1
const STOP = 2

/** What is used of a thread of Node. */
interface Thread {
  on(event: 'message' | 'error' | 'exit', listener: () => void): unknown
  postMessage(message: number, transfer: readonly []): void
  ref(): void
  unref(): void
  terminate(): Promise<unknown>
}
interface ThreadModule {
  readonly Worker: new (source: string, options: object) => Thread
}
interface SystemModule {
  availableParallelism(): number
}

/**
 * What a thread runs: it takes shards until there are none. Text, as a file of its own would be lost in a bundle; it holds no data.
 */
const SOURCE = `
const load = process.getBuiltinModule
const { parentPort, workerData } = load('node:worker_threads')
const { module, memory, control, job, own, turn } = workerData
const { exports } = new WebAssembly.Instance(module, { env: { memory } })
const words = new Int32Array(memory.buffer, control, 3)
parentPort.on('message', () => {
  exports.begin(own)
  for (;;) {
    const first = Atomics.add(words, ${NEXT}, turn)
    if (first >= words[${END}] || Atomics.load(words, ${STOP}) !== 0) break
    exports.scan(job, own, first, Math.min(turn, words[${END}] - first))
  }
  parentPort.postMessage(0)
})
`

/** How many threads search unless somebody says otherwise: two, where there are two processors. */
export function defaultThreads(): number {
  const system = builtinModule('node:os') as SystemModule | undefined
  return Math.min(2, system?.availableParallelism() ?? 1)
}

/** A thread and the call that waits for it. */
class Helper {
  readonly number: number
  readonly #thread: Thread
  #settle: ((lived: boolean) => void) | undefined
  #dead = false

  constructor(thread: Thread, number: number) {
    this.#thread = thread
    this.number = number
    thread.on('message', () => this.#end(true))
    thread.on('error', () => this.#die())
    thread.on('exit', () => this.#die())
    thread.unref()
  }

  get dead(): boolean {
    return this.#dead
  }

  /** Sends it to work; resolves with false when it ends before its work does. */
  work(): Promise<boolean> {
    if (this.#dead) return Promise.resolve(false)
    return new Promise((resolve) => {
      this.#settle = resolve
      this.#thread.ref()
      this.#thread.postMessage(0, [])
    })
  }

  async stop(): Promise<void> {
    this.#dead = true
    await this.#thread.terminate()
  }

  #die(): void {
    this.#dead = true
    this.#end(false)
  }

  #end(lived: boolean): void {
    this.#thread.unref()
    this.#settle?.(lived)
    this.#settle = undefined
  }
}

/** The threads beside the caller's; started with the first search, ended with the index. They keep no process alive. */
export class Helpers {
  readonly #scan: ScanModule
  readonly #most: number
  readonly #words: Int32Array
  #helpers: Helper[] = []
  #deaths = 0

  /** @param threads that search in all, the caller's included */
  constructor(scan: ScanModule, threads: number) {
    this.#scan = scan
    this.#most = Math.min(threads, MOST_THREADS) - 1
    this.#words = new Int32Array(scan.memory.buffer, CONTROL_AT, 3)
  }

  /** Starts those that are missing; says how many there are. */
  ready(): number {
    const alive = this.#helpers.filter(({ dead }) => !dead)
    this.#deaths += this.#helpers.length - alive.length
    this.#helpers = alive
    for (let number = 1; number <= this.#most && this.#deaths < MOST_DEATHS; number++) {
      if (this.#helpers.some((helper) => helper.number === number)) continue
      const helper = this.#start(number)
      if (helper !== undefined) this.#helpers.push(helper)
    }
    return this.#helpers.length
  }

  /** Numbers of the threads that are there; the caller's is 0. */
  get numbers(): readonly number[] {
    return this.#helpers.map(({ number }) => number)
  }

  /** Lets them take shards 0 to `end`; resolves when none is at work, with false when one ended before its time. */
  async work(end: number): Promise<boolean> {
    this.#words[END] = end
    Atomics.store(this.#words, STOP, 0)
    Atomics.store(this.#words, NEXT, 0)
    const lived = await Promise.all(this.#helpers.map((helper) => helper.work()))
    return lived.every(Boolean)
  }

  /** The first of the next shards that nobody has taken. */
  take(): number {
    return Atomics.add(this.#words, NEXT, SHARDS_A_TURN)
  }

  /** Nobody takes any more. */
  halt(): void {
    Atomics.store(this.#words, STOP, 1)
  }

  async close(): Promise<void> {
    this.#deaths = MOST_DEATHS
    const helpers = this.#helpers
    this.#helpers = []
    await Promise.all(helpers.map((helper) => helper.stop()))
  }

  #start(number: number): Helper | undefined {
    const { module, memory } = this.#scan
    const places = { control: CONTROL_AT, job: JOB_AT, own: ownAt(number), turn: SHARDS_A_TURN }
    const options = { eval: true, workerData: { module, memory, ...places }, name: 'guise-gallery', env: {} }
    try {
      const threads = builtinModule('node:worker_threads') as ThreadModule | undefined
      return threads && new Helper(new threads.Worker(SOURCE, { ...options, execArgv: [] }), number)
    } catch {
      this.#deaths = MOST_DEATHS
      return undefined
    }
  }
}
