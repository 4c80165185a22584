/** Opens or verifies a long log in a process of its own, so that its memory can be told. @module */

import { createReadStream } from 'node:fs'
import { verifyLog } from '../../dist/audit.js'
import type { Store } from '../../dist/index.js'
import { lmdbStore } from '../../dist/lmdb.js'
import { LongLog } from './audit-log-build.ts'

/** What the process is told to do. */
export type LogTask =
  | { readonly task: 'open'; readonly path: string; readonly snapshot: boolean; readonly length: number }
  | { readonly task: 'verify'; readonly path: string; readonly length: number }

/** What it took. */
export interface LogTook {
  readonly ms: number
  readonly peakMiB: number
}

/** How the key of a snapshot's head ends: pages and blocks have eight bytes more. */
const SNAPSHOT = 4
const KEY_BYTES = LongLog.realm.length + 2

process.once('message', (message) => {
  work(message as LogTask).then(
    (took) => process.send?.(took, () => process.exit(0)),
    (error: unknown) => {
      console.error(error)
      process.exit(1)
    },
  )
})

async function work(task: LogTask): Promise<LogTook> {
  const ms = task.task === 'open' ? await open(task) : await verify(task)
  return { ms, peakMiB: process.resourceUsage().maxRSS / 1024 }
}

async function open({ path, snapshot }: LogTask & { readonly task: 'open' }): Promise<number> {
  const store = await lmdbStore({ path })
  const begin = performance.now()
  await LongLog.follow(snapshot ? store : withoutSnapshot(store))
  return performance.now() - begin
}

async function verify({ path, length }: LogTask): Promise<number> {
  const logKey = await LongLog.verifierKey()
  const begin = performance.now()
  const { checkpoint } = await verifyLog(createReadStream(path), { logKey })
  if (checkpoint.size < length) throw new Error('the log is too short')
  return performance.now() - begin
}

/** Reads as if there were no snapshot, and writes nothing. */
function withoutSnapshot(store: Store): Store {
  return {
    durable: store.durable,
    get: async (table, key, options) =>
      table === 'log' && key.length === KEY_BYTES && key.at(-1) === SNAPSHOT
        ? undefined
        : await store.get(table, key, options),
    commit: async (steps, options) => {
      const writes = steps.some((step) => step.step !== 'check')
      return writes ? await new Promise<never>(() => undefined) : await store.commit(steps, options)
    },
    scan: (table, from, options) => store.scan(table, from, options),
    close: () => store.close(),
    [Symbol.asyncDispose]: () => store.close(),
  }
}
