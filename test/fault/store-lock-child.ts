/** Child process: opens the store, counts by compare-and-set in a row of its own and in one of all, until it is killed (STORE-2). @module */
/// <reference types="node" />

import { writeSync } from 'node:fs'
import { StoreError } from '../../src/store/errors.ts'
import { lmdbStore } from '../../src/store/lmdb.ts'
import type { Store } from '../../src/store/store.ts'

const [directory = '', own = '0', lockTimeoutMs = '10000'] = process.argv.slice(2)
const SHARED = 1

function say(line: string): void {
  writeSync(1, `${line}\n`)
}

/** One more in a row, and a note of it in the queue, which tells the order. */
async function count(store: Store, row: number): Promise<number> {
  const key = Uint8Array.of(row)
  const before = await store.get('states', key)
  const value =
    1 + (before === undefined ? 0 : new DataView(before.bytes.buffer, before.bytes.byteOffset).getUint32(0))
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, value)
  await store.commit([
    { step: 'put', table: 'states', key, bytes, expected: before?.version ?? null },
    { step: 'append', table: 'queue', bytes: Uint8Array.of(row, ...bytes) },
  ])
  return value
}

async function told<Result>(task: () => Promise<Result>): Promise<Result | undefined> {
  try {
    return await task()
  } catch (error) {
    say(error instanceof StoreError ? `refused ${error.code}` : `untyped ${String(error)}`)
    // What was read may be a turn of the event loop old.
    await new Promise((resolve) => setTimeout(resolve, 0))
    return undefined
  }
}

say('begun')
const store = await told(() => lmdbStore({ path: directory, lockTimeoutMs: Number(lockTimeoutMs) }))
if (store !== undefined) {
  say('open')
  for (let turn = 0; ; turn++) {
    const row = turn % 2 === 0 ? SHARED : Number(own)
    const value = await told(() => count(store, row))
    if (value !== undefined) say(`won ${row} ${value}`)
  }
}
