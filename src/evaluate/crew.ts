/** Threads that help with comparisons, where Node has them (SPEC §15.3). @module */

import { builtinModule } from '../base/builtin.ts'
import { cryptoReady } from '../crypto/sodium.ts'
import { RowScorer } from './row-scorer.ts'
import type { Found } from './tally.ts'
import { DONE, type Shared, scoreTurn, takeTurn, turnsOf, UNIT } from './turns.ts'

export interface CrewOptions {
  /** The module that a thread runs: this one, as JavaScript. */
  readonly crewModule?: string | undefined
}

/** By target. */
type Result = readonly Found[]

/** What is used of Node. */
interface Port {
  postMessage(message: unknown, transfer: readonly ArrayBufferLike[]): void
}
interface Thread {
  on(event: 'message', listener: (found: Result) => void): unknown
  on(event: 'error' | 'exit', listener: () => void): unknown
  terminate(): Promise<unknown>
}
interface ThreadModule {
  readonly Worker: new (source: string, options: object) => Thread
}
interface SystemModule {
  availableParallelism(): number
}

/** What a thread runs. Text, as the name of a file would be lost in a bundle; where this module is part of one, no thread helps. */
const SOURCE = `
const { parentPort, workerData } = process.getBuiltinModule('node:worker_threads')
import(workerData.module).then(({ serve }) => serve(parentPort, workerData.shared, workerData.self))
`

export function canThread(): boolean {
  return builtinModule('node:worker_threads') !== undefined
}

/** How many threads compare unless somebody says otherwise: two, where there are two processors. */
export function defaultThreads(): number {
  const system = builtinModule('node:os') as SystemModule | undefined
  return Math.min(2, system?.availableParallelism() ?? 1)
}

/** The threads beside the caller's. */
export class Crew {
  readonly #shared: Shared
  readonly #threads: readonly Thread[]
  readonly #found: readonly Promise<Result | undefined>[]

  private constructor(shared: Shared, threads: readonly Thread[]) {
    this.#shared = shared
    this.#threads = threads
    this.#found = threads.map(
      (thread) =>
        new Promise((resolve) => {
          thread.on('message', resolve)
          thread.on('error', () => resolve(undefined))
          thread.on('exit', () => resolve(undefined))
        }),
    )
  }

  /** `undefined`: there are no threads here. */
  static start(
    shared: Shared,
    count: number,
    { crewModule = import.meta.url }: CrewOptions,
  ): Crew | undefined {
    const node = builtinModule('node:worker_threads') as ThreadModule | undefined
    if (node === undefined) return undefined
    const thread = (_: unknown, i: number): Thread =>
      new node.Worker(SOURCE, { eval: true, workerData: { module: crewModule, shared, self: i + 1 } })
    return new Crew(shared, Array.from({ length: count }, thread))
  }

  /** What all threads found, and the turns of those that ended before their time. `wait` is called now and then. */
  async finish(
    wait: () => Promise<void>,
  ): Promise<{ readonly tallies: readonly Result[]; readonly lost: readonly number[] }> {
    const tallies: Result[] = []
    const lost: number[] = []
    for (const [i, found] of this.#found.entries()) {
      let result: { readonly value: Result | undefined } | undefined
      while (result === undefined) {
        result = await Promise.race([found.then((value) => ({ value })), pause()])
        await wait()
      }
      if (result.value === undefined) lost.push(...turnsOf(this.#shared, i + 1))
      else tallies.push(result.value)
    }
    return { tallies, lost }
  }

  async stop(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.terminate()))
  }
}

/** The work of one thread. Its tallies leave at the end, all or none. */
export async function serve(port: Port, shared: Shared, self: number): Promise<void> {
  await cryptoReady()
  const scorer = new RowScorer(shared.plan, shared.mated)
  for (let turn = takeTurn(shared, self); turn >= 0; turn = takeTurn(shared, self)) {
    Atomics.add(shared.words, DONE, Math.round(scoreTurn(shared, scorer, turn) / UNIT))
  }
  scorer.dispose()
  port.postMessage(
    scorer.tallies.map(({ found }) => found),
    [],
  )
}

function pause(): Promise<undefined> {
  return new Promise((resolve) => {
    setTimeout(() => resolve(undefined), 50)
  })
}
