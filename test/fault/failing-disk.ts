/** Child process: works on a store whose disk begins to fail, and tells what it met (STORE-4, STORE-5, STORE-8). @module */
/// <reference types="node" />

import { writeSync } from 'node:fs'
import { lmdbStore } from '../../src/store/lmdb.ts'
import type { Store } from '../../src/store/store.ts'

const directory = process.argv[2] ?? ''
const rowBytes = Number(process.argv[3])
const outcome: Record<string, unknown> = { unhandled: 0 }
process.on('unhandledRejection', () => {
  outcome['unhandled'] = Number(outcome['unhandled']) + 1
})

const store = await lmdbStore({ path: directory })
let acknowledged = 0
outcome['first'] = await workUntilFailure(store)
outcome['acknowledged'] = acknowledged
outcome['commit'] = await codeOf(() => commitRow(store, 999_999))
outcome['check'] = await codeOf(() =>
  store.commit([{ step: 'check', table: 'states', key: keyOf(999_999), expected: null }]),
)
outcome['get'] = await codeOf(() => store.get('states', keyOf(0)))
outcome['scan'] = await codeOf(async () => {
  for await (const _ of store.scan('states', keyOf(0))) return
})
await store.close()
outcome['reopened'] = await codeOf(async () => {
  const again = await lmdbStore({ path: directory })
  try {
    for (let i = 0; i < acknowledged; i++) {
      if ((await again.get('states', keyOf(i))) === undefined) throw new Error('an acknowledged row is gone')
    }
    outcome['half'] = (await again.get('states', keyOf(acknowledged))) === undefined
    outcome['halfOther'] = (await again.get('secrets', keyOf(acknowledged))) === undefined
    if (process.argv[4] === 'write-again') await commitRow(again, 999_999)
  } finally {
    await again.close()
  }
})
await new Promise((resolve) => setTimeout(resolve, 20))
writeSync(1, `${JSON.stringify(outcome)}\n`)

async function workUntilFailure(target: Store): Promise<unknown> {
  for (; acknowledged < 100_000; acknowledged++) {
    const failed = await codeOf(() => commitRow(target, acknowledged))
    if (failed !== 'none') return failed
  }
  return 'none'
}

async function commitRow(target: Store, number: number): Promise<void> {
  const bytes = new Uint8Array(rowBytes).fill(number)
  await target.commit([
    { step: 'put', table: 'states', key: keyOf(number), bytes, expected: null },
    { step: 'put', table: 'secrets', key: keyOf(number), bytes, expected: null },
  ])
}

function keyOf(number: number): Uint8Array {
  const key = new Uint8Array(4)
  new DataView(key.buffer).setUint32(0, number)
  return key
}

async function codeOf(call: () => Promise<unknown>): Promise<unknown> {
  try {
    await call()
    return 'none'
  } catch (error) {
    return error instanceof Error && 'code' in error ? error.code : String(error)
  }
}
