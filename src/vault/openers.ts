/** Threads that open the members of a gallery while it is loaded, where Node has them (SPEC §16.4). @module */

import { builtinModule } from '../base/builtin.ts'
import type { PageSetting } from './opening-page.ts'

/** What is used of a thread of Node. */
interface Thread {
  on(event: 'message', listener: (page: ArrayBuffer) => void): unknown
  on(event: 'error' | 'exit', listener: () => void): unknown
  postMessage(page: ArrayBuffer, transfer: readonly ArrayBuffer[]): void
  ref(): void
  unref(): void
  terminate(): Promise<unknown>
}
interface ThreadModule {
  readonly Worker: new (file: URL, options: object) => Thread
}

/** Pages that wait keep a thread at work while the next one is read, and a shard or two opened. */
const MOST_WAITING = 3

/** One thread and the pages that it has. */
class Opener {
  readonly #thread: Thread
  readonly #waiting: ((page: ArrayBuffer | undefined) => void)[] = []
  #dead = false

  constructor(thread: Thread) {
    this.#thread = thread
    thread.on('message', (page) => this.#take(page))
    thread.on('error', () => this.#die())
    thread.on('exit', () => this.#die())
    thread.unref()
  }

  get free(): boolean {
    return !this.#dead && this.#waiting.length < MOST_WAITING
  }

  open(page: ArrayBuffer): Promise<ArrayBuffer | undefined> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
      this.#thread.ref()
      this.#thread.postMessage(page, [page])
    })
  }

  async stop(): Promise<void> {
    this.#die()
    await this.#thread.terminate()
  }

  #take(page: ArrayBuffer): void {
    const resolve = this.#waiting.shift()
    if (this.#waiting.length === 0) this.#thread.unref()
    resolve?.(page)
  }

  #die(): void {
    this.#dead = true
    for (const resolve of this.#waiting.splice(0)) resolve(undefined)
  }
}

/** Started for one loading, ended with it. Where there are no threads, or no file for them as in a bundle, all are busy for ever. */
export class Openers {
  readonly #openers: readonly Opener[]

  constructor(threads: number, setting: PageSetting) {
    this.#openers = start(threads, setting)
  }

  /** Pages that threads have at most. */
  get most(): number {
    return MOST_WAITING * this.#openers.length
  }

  /** True when a page would be taken. */
  get free(): boolean {
    return this.#openers.some(({ free }) => free)
  }

  /**
   * Gives a page to a thread, which opens it and gives it back; the buffer is the thread's meanwhile. `undefined` when all are busy.
   * Resolves with `undefined` when the thread ended before: the page is lost.
   */
  open(page: () => ArrayBuffer): Promise<ArrayBuffer | undefined> | undefined {
    return this.#openers.find(({ free }) => free)?.open(page())
  }

  async close(): Promise<void> {
    await Promise.all(this.#openers.map((opener) => opener.stop()))
  }
}

function start(threads: number, setting: PageSetting): readonly Opener[] {
  try {
    const module = builtinModule('node:worker_threads') as ThreadModule | undefined
    if (module === undefined) return []
    // The sources themselves where an engine runs them.
    const ending = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
    const file = new URL(`./opening-thread.${ending}`, import.meta.url)
    const options = { workerData: setting, name: 'guise-opening', env: {}, execArgv: [], stderr: true }
    return Array.from({ length: threads }, () => new Opener(new module.Worker(file, options)))
  } catch {
    return []
  }
}
