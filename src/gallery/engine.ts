/** Searches over the memory of an index, one at a time, in one thread or several (SPEC §16.5). @module */

import { Turns } from '../base/turns.ts'
import { ownAt, type RawHit, readHits, type ScanJob, type ScanModule, wipeJob, writeJob } from './assembly.ts'
import { GALLERY_SUITE } from './declaration.ts'
import { JOB_AT, type Layout } from './layout.ts'
import { Helpers, SHARDS_A_TURN } from './threads.ts'

/** A smaller gallery is searched before another thread has begun. */
const FEWEST_SHARDS = 8 * SHARDS_A_TURN
const WARM_TURNS = 2

/** What is searched, and how far. */
export interface EngineJob extends ScanJob {
  /** Shards from the first on. */
  readonly shards: number
  readonly signal?: AbortSignal | undefined
}

/** The kernel of one index. */
export class ScanEngine {
  readonly #scan: ScanModule
  readonly #layout: Layout
  readonly #helpers: Helpers
  readonly #turns: Turns = new Turns()

  constructor(scan: ScanModule, layout: Layout, threads: number) {
    this.#scan = scan
    this.#layout = layout
    this.#helpers = new Helpers(scan, threads)
  }

  /** The best hits, at most 64 of each thread, the highest rank first. */
  search(job: EngineJob): Promise<readonly RawHit[]> {
    return this.#turns.run(async () => {
      job.signal?.throwIfAborted()
      try {
        writeJob(this.#scan.memory, this.#layout, job)
        const helped = job.shards >= FEWEST_SHARDS && this.#helpers.ready() > 0
        return (helped ? await this.#together(job) : undefined) ?? (await this.#alone(job))
      } finally {
        wipeJob(this.#scan.memory)
      }
    })
  }

  /** Starts the threads and lets engines translate the kernel well, which they do behind its first calls. */
  async warm(dimensions: number, shards: number): Promise<void> {
    const integers = new Int32Array(dimensions)
    const job = {
      integers,
      threshold: 10_000,
      suite: GALLERY_SUITE,
      shards: Math.min(shards, FEWEST_SHARDS),
    } as const
    for (let turns = 0; turns < WARM_TURNS; turns++) await this.search(job)
  }

  async close(): Promise<void> {
    await this.#helpers.close()
  }

  async #alone({ shards, signal }: EngineJob): Promise<readonly RawHit[]> {
    const { exports, memory } = this.#scan
    exports.begin(ownAt(0))
    for (let first = 0; first < shards; first += SHARDS_A_TURN) {
      if (first > 0) await turn(signal)
      exports.scan(JOB_AT, ownAt(0), first, Math.min(SHARDS_A_TURN, shards - first))
    }
    return readHits(memory, 0)
  }

  /** `undefined` when a thread died: what it had found is lost with it, and nothing of the search is used. */
  async #together({ shards, signal }: EngineJob): Promise<readonly RawHit[] | undefined> {
    const { exports, memory } = this.#scan
    const others = this.#helpers.work(shards)
    try {
      exports.begin(ownAt(0))
      for (let first = this.#helpers.take(); first < shards; first = this.#helpers.take()) {
        exports.scan(JOB_AT, ownAt(0), first, Math.min(SHARDS_A_TURN, shards - first))
        await turn(signal)
      }
    } catch (error) {
      this.#helpers.halt()
      await others
      throw error
    }
    if (!(await others)) return undefined
    const hits = [0, ...this.#helpers.numbers].flatMap((thread) => readHits(memory, thread))
    return hits.sort((a, b) => b.rank - a.rank || a.shard - b.shard || a.slot - b.slot)
  }
}

type Immediate = (task: () => void) => unknown

/** Lets the event loop turn; ends with the signal. */
export async function turn(signal: AbortSignal | undefined): Promise<void> {
  const { setImmediate } = globalThis as { readonly setImmediate?: Immediate }
  await new Promise<void>((resolve) => (setImmediate ?? soon)(() => resolve()))
  signal?.throwIfAborted()
}

/** A browser has timers only, which wait for milliseconds, and messages, which do not. */
function soon(task: () => void): void {
  const { port1, port2 } = new MessageChannel()
  const listener = (): void => {
    port1.close()
    task()
  }
  port1.addEventListener('message', listener, { once: true })
  port1.start()
  port2.postMessage(0, [])
}
