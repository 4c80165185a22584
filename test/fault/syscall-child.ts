/** Child process: opens a store, commits batches, and after every failure tells what the store answers, opens it again and goes on. @module */
/// <reference types="node" />

import { writeSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { type LmdbStore, lmdbStore } from '../../src/store/lmdb.ts'
import { batchSteps, counterOf } from './store-driver.ts'

const [directory = '', rounds = '0', early = ''] = process.argv.slice(2)
const WORKER = 0
const ATTEMPTS = 8

function say(...words: readonly (string | number)[]): void {
  writeSync(1, `${words.join(' ')}\n`)
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : `untyped:${String(error)}`
}

process.on('unhandledRejection', () => say('unhandled'))

/** True when every batch was acknowledged. */
async function work(store: LmdbStore): Promise<boolean> {
  let { batch, version } = await counterOf(store, WORKER)
  while (batch < Number(rounds)) {
    batch += 1
    const committed = store.commit(await batchSteps(store, WORKER, batch, version))
    if (early === 'early') {
      await setImmediate()
      say('ack', `${WORKER}:${batch}`)
    }
    version = (await committed)[0] ?? null
    if (early !== 'early') say('ack', `${WORKER}:${batch}`)
  }
  return true
}

/** What a store that failed says to each verb: it may answer nothing. */
async function askAgain(store: LmdbStore): Promise<void> {
  const key = Uint8Array.of(9)
  const verbs: Readonly<Record<string, () => Promise<unknown>>> = {
    get: () => store.get('states', key),
    check: () => store.commit([{ step: 'check', table: 'states', key, expected: null }]),
    commit: () =>
      store.commit([{ step: 'put', table: 'states', key, bytes: Uint8Array.of(1), expected: null }]),
    scan: async () => await store.scan('states', key)[Symbol.asyncIterator]().next(),
  }
  for (const [verb, ask] of Object.entries(verbs)) {
    const answer = await ask().then(() => 'answered', codeOf)
    say('after', verb, answer)
  }
}

let done = false
for (let attempt = 0; attempt < ATTEMPTS && !done; attempt++) {
  let store: LmdbStore | undefined
  try {
    store = await lmdbStore({ path: directory })
  } catch (error) {
    say('open', codeOf(error))
    continue
  }
  say('opened')
  try {
    done = await work(store)
  } catch (error) {
    say('failed', codeOf(error))
    await askAgain(store)
  }
  await store.close().catch((error: unknown) => say('close', codeOf(error)))
}
// A rejection that nobody took would show now.
await new Promise((resolve) => setTimeout(resolve, 20))
if (done) say('done')
