/** Several processes on one directory: one order of commits, and a killed one holds nobody up (STORE-2). @module */

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { lmdbStore } from '../../src/store/lmdb.ts'
import type { StoredRow } from '../../src/store/store.ts'
import { compile } from './compile.ts'

const PROCESSES = Number(process.env['GUISE_STORE_PROCESSES'] ?? 4)
const ROUNDS = Number(process.env['GUISE_STORE_ROUNDS'] ?? 60)
const base = mkdtempSync(join(tmpdir(), 'guise-processes-'))
let compiled = ''

beforeAll(() => {
  compiled = compile()
}, 120_000)

afterAll(() => {
  rmSync(base, { recursive: true, force: true })
})

/** Runs a contender; `killAfter` wins it is killed. Resolves with the rows it won. */
async function contend(
  directory: string,
  killAfter: number,
): Promise<{ readonly won: number[]; readonly code: number | null }> {
  const child = spawn(
    process.execPath,
    [join(compiled, 'test', 'fault', 'contender.js'), directory, String(ROUNDS)],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  let text = ''
  child.stdout.setEncoding('utf8')
  child.stdout.on('data', (chunk: string) => {
    text += chunk
    if (text.split('won ').length > killAfter) child.kill('SIGKILL')
  })
  const [code] = (await once(child, 'close')) as [number | null]
  const won = text
    .split('\n')
    .slice(0, -1)
    .filter((line) => line.startsWith('won '))
    .map((line) => Number(line.slice(4)))
  return { won, code }
}

function counterOf(row: StoredRow | undefined): number {
  return row === undefined ? 0 : new DataView(row.bytes.buffer, row.bytes.byteOffset).getUint32(0)
}

test('STORE-21 a read sees what another process was told of before, in the same turn of the event loop', async () => {
  const directory = join(base, 'turn')
  const store = await lmdbStore({ path: directory })
  const key = Uint8Array.of(1)
  const places = [{ table: 'states', key }] as const
  for (let round = 0; round < 3; round++) {
    expect(counterOf(await store.get('states', key))).toBe(round)
    // Nothing else of this process runs until the other one has ended.
    const { status } = spawnSync(process.execPath, [
      join(compiled, 'test', 'fault', 'contender.js'),
      directory,
      '1',
    ])
    expect(status).toBe(0)
    const row = round === 1 ? (await store.getMany?.(places))?.[0] : await store.get('states', key)
    expect(counterOf(row)).toBe(round + 1)
  }
  await store.close()
})

test(`STORE-2 ${PROCESSES} processes lose no update, though half of them are killed`, {
  timeout: 300_000,
}, async () => {
  const directory = join(base, 'store')
  const contenders = Array.from({ length: PROCESSES }, (_, i) =>
    contend(directory, i % 2 === 0 ? Number.POSITIVE_INFINITY : Math.floor(ROUNDS / 3)),
  )
  const outcomes = await Promise.all(contenders)
  // One that was not killed came to its end: no stale lock held it up.
  for (const [i, { code }] of outcomes.entries()) if (i % 2 === 0) expect(code).toBe(0)
  const killed = outcomes.filter(({ code }) => code !== 0).length
  const store = await lmdbStore({ path: directory })
  const appended = [0, 0, 0, 0]
  for await (const row of store.scan('queue', new Uint8Array(0))) {
    const counter = row.bytes[0] ?? 0
    const value = new DataView(row.bytes.buffer, row.bytes.byteOffset + 1).getUint32(0)
    // The queue tells the order of commits: every counter rises by one.
    appended[counter] = (appended[counter] ?? 0) + 1
    expect(value).toBe(appended[counter])
  }
  let unsaid = 0
  for (const counter of [1, 2, 3]) {
    const value = counterOf(await store.get('states', Uint8Array.of(counter)))
    const won = outcomes.flatMap((outcome) => outcome.won).filter((row) => row === counter).length
    expect(value).toBe(appended[counter])
    expect(value).toBeGreaterThanOrEqual(won)
    unsaid += value - won
  }
  // A killed process may have committed once more than it could say.
  expect(unsaid).toBeLessThanOrEqual(killed)
  await store.close()
})
