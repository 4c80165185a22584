/** What the LMDB store does to the process it lives in. @module */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { lmdbStore } from '../../src/store/lmdb.ts'

test('a loop of checks lets the timers of the process run', async () => {
  const path = await mkdtemp(join(tmpdir(), 'guise-lmdb-'))
  const store = await lmdbStore({ path })
  try {
    let ticks = 0
    const timer = setInterval(() => {
      ticks += 1
    }, 1)
    const end = performance.now() + 300
    while (performance.now() < end) {
      await store.commit([{ step: 'check', table: 'states', key: Uint8Array.of(1), expected: null }])
    }
    clearInterval(timer)
    // One every 5 ms would be 60; without a pause there is none.
    expect(ticks).toBeGreaterThan(10)
  } finally {
    await store.close()
    await rm(path, { recursive: true })
  }
})
