/** What the LMDB store does to the process it lives in. @module */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
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
    const end = performance.now() + 1000
    while (performance.now() < end) {
      await store.commit([{ step: 'check', table: 'states', key: Uint8Array.of(1), expected: null }])
    }
    clearInterval(timer)
    // One every 5 ms would be 200; without a pause there is none.
    expect(ticks).toBeGreaterThan(10)
  } finally {
    await store.close()
    await rm(path, { recursive: true })
  }
})

test.each<[string, (data: Buffer) => Uint8Array]>([
  ['of other bytes', (data) => data.map((byte) => byte ^ 0xff)],
  ['of another version', (data) => data.fill(9, 28, 32)],
  ['without a page size', (data) => data.fill(0, 48, 52)],
  ['whose second page is not one', (data) => data.fill(0, 4096, 8192)],
  ['that ends within its first page', (data) => data.subarray(0, 100)],
])('a data file %s is refused, and the process lives', async (_, damage) => {
  const path = await mkdtemp(join(tmpdir(), 'guise-lmdb-'))
  try {
    await (await lmdbStore({ path })).close()
    const file = join(path, 'data.mdb')
    const good = await readFile(file)
    await writeFile(file, damage(Buffer.from(good)))
    await expect(lmdbStore({ path })).rejects.toMatchObject({ code: 'ERR_STORE_UNSUPPORTED' })
    await writeFile(file, good)
    await (await lmdbStore({ path })).close()
  } finally {
    await rm(path, { recursive: true })
  }
})
