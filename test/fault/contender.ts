/** Child process: adds one to shared rows by compare-and-set, and tells each success (STORE-2). @module */
/// <reference types="node" />

import { writeSync } from 'node:fs'
import { lmdbStore } from '../../src/store/lmdb.ts'

const directory = process.argv[2] ?? ''
const rounds = Number(process.argv[3])
const store = await lmdbStore({ path: directory })
writeSync(1, 'ready\n')
for (let done = 0; done < rounds; ) {
  const key = Uint8Array.of(1 + (done % 3))
  const row = await store.get('states', key)
  const bytes = new Uint8Array(4)
  const view = new DataView(bytes.buffer)
  view.setUint32(
    0,
    row === undefined ? 1 : new DataView(row.bytes.buffer, row.bytes.byteOffset).getUint32(0) + 1,
  )
  try {
    await store.commit([
      { step: 'put', table: 'states', key, bytes, expected: row?.version ?? null },
      { step: 'append', table: 'queue', bytes: Uint8Array.of(...key, ...bytes) },
    ])
    done += 1
    writeSync(1, `won ${key[0]}\n`)
  } catch (error) {
    const conflict = error instanceof Error && 'code' in error && error.code === 'ERR_STORE_CONFLICT'
    if (!conflict) throw error
    // Another process was first.
    await new Promise((resolve) => setTimeout(resolve, 0))
  }
}
await store.close()
