/** Child process: opens a store and does what each line of its input says (STORE-23). @module */
/// <reference types="node" />

import { writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { lmdbStore } from '../../src/store/lmdb.ts'

const store = await lmdbStore({ path: process.argv[2] ?? '' })
writeSync(1, 'open\n')
for await (const line of createInterface({ input: process.stdin })) {
  const number = Number(line)
  const key = Uint8Array.of(number)
  const numbers: number[] = []
  if (line === 'queue') {
    for await (const row of store.scan('queue', new Uint8Array(0))) numbers.push(row.bytes[0] ?? 0)
  } else if (line.startsWith('has ')) {
    const asked = Uint8Array.of(Number(line.slice(4)))
    const row = await store.get('states', asked)
    // A commit of checks only: whether the row is there, as of now.
    const there = await store
      .commit([{ step: 'check', table: 'states', key: asked, expected: row?.version ?? null }])
      .then(
        () => 1,
        () => 0,
      )
    numbers.push(row === undefined ? 0 : there)
  } else {
    await store.commit([
      { step: 'put', table: 'states', key, bytes: key, expected: null },
      { step: 'append', table: 'queue', bytes: key },
    ])
  }
  writeSync(1, `${line}: ${numbers.join()}\n`)
}
await store.close()
