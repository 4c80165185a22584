/** A store of 100,000 rows is there again at once after a kill, with no step of recovery (I-13, STORE-1). @module */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { lmdbStore } from '../../src/store/lmdb.ts'
import type { StoreStep } from '../../src/store/store.ts'
import { childOf, compile } from './compile.ts'

const ROWS = 100_000
const BATCH = 2000
const KILLS = Number(process.env['GUISE_RECOVERY_KILLS'] ?? 50)
const MOST_MS = 2000
let compiled = ''

beforeAll(() => {
  compiled = compile()
}, 120_000)

function keyOf(number: number): Uint8Array {
  const key = new Uint8Array(5).fill(0xee)
  new DataView(key.buffer).setUint32(1, number)
  return key
}

async function fill(path: string): Promise<void> {
  const store = await lmdbStore({ path })
  for (let at = 0; at < ROWS; at += BATCH) {
    const steps = Array.from({ length: BATCH }, (_, i): StoreStep => {
      const bytes = new Uint8Array(300).fill(at + i)
      return { step: 'put', table: 'references', key: keyOf(at + i), bytes, expected: null }
    })
    await store.commit(steps)
  }
  await store.close()
}

/** Kills a process in the middle of its commits. */
async function killAtWork(path: string, seed: number): Promise<void> {
  const args = [childOf(compiled), 'run', './store-driver.js', path, String(seed), '100000']
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'] })
  const closed = once(child, 'close')
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
    if (text.split('\n').length > 20 + (seed % 30)) child.kill('SIGKILL')
  })
  await closed
}

test(`STORE-1 after each of ${KILLS} kills a store of ${ROWS} rows opens, reads and commits within two seconds`, async () => {
  const base = mkdtempSync(join(tmpdir(), 'guise-recovery-'))
  const path = join(base, 'store')
  try {
    await fill(path)
    const times: number[] = []
    for (let kill = 0; kill < KILLS; kill++) {
      await killAtWork(path, kill)
      const begun = performance.now()
      const store = await lmdbStore({ path })
      const number = (kill * 7919) % ROWS
      const row = await store.get('references', keyOf(number))
      const key = Uint8Array.of(0xdd, kill)
      await store.commit([{ step: 'put', table: 'secrets', key, bytes: key, expected: null }])
      times.push(performance.now() - begun)
      expect(row?.bytes).toEqual(new Uint8Array(300).fill(number))
      await store.close()
    }
    times.sort((a, b) => a - b)
    const [median = 0, most = 0] = [times[Math.floor(KILLS / 2)], times.at(-1)]
    console.info(`${KILLS} kills: median ${median.toFixed(1)} ms, most ${most.toFixed(1)} ms`)
    expect(most).toBeLessThan(MOST_MS)
  } finally {
    rmSync(base, { recursive: true, force: true })
  }
})
