/** The stores that ship pass the conformance suite, and the suite catches stores that do not (SPEC §10). @module */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { storeConformance } from '../../src/store/conformance.ts'
import { lmdbStore } from '../../src/store/lmdb.ts'
import { memoryStore } from '../../src/store/memory.ts'
import type { Store } from '../../src/store/store.ts'
import { brokenStores, soundStore } from './store-broken.ts'

const base = mkdtempSync(join(tmpdir(), 'guise-conformance-'))
let count = 0
const paths = new WeakMap<Store, string>()

afterAll(() => {
  rmSync(base, { recursive: true, force: true })
})

async function openAt(path: string): Promise<Store> {
  const store = await lmdbStore({ path })
  paths.set(store, path)
  return store
}

async function reopen(store: Store): Promise<Store> {
  await store.close()
  return openAt(paths.get(store) ?? '')
}

describe('the memory store', () => {
  for (const { name, run } of storeConformance(async () => memoryStore(), {})) test(name, run)
})

describe('the LMDB store', () => {
  const checks = storeConformance(() => openAt(join(base, `store-${count++}`)), { reopen })
  for (const { name, run } of checks) test(name, run)
})

describe('the suite catches', () => {
  test.each(brokenStores)('%s', async (_fault, check, makeStore) => {
    const failed: string[] = []
    for (const { name, run } of storeConformance(makeStore, {})) {
      await run().catch(() => failed.push(name))
    }
    expect(failed).toContain(check)
  })

  test('nothing in a wrapper without a fault', async () => {
    for (const { run } of storeConformance(soundStore, {})) await run()
  })
})
