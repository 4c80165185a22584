/** A killed process loses nothing it acknowledged and leaves no half commit (STORE-1); the full run is slow. @module */

import { beforeAll, expect, test } from 'vitest'
import { compile } from './compile.ts'
import { killLoop } from './kill-loop.ts'

const CYCLES = Number(process.env['GUISE_KILL_CYCLES_SMOKE'] ?? 40)
let compiled = ''

beforeAll(() => {
  compiled = compile()
}, 120_000)

test(`STORE-1 survives ${CYCLES} kills with nothing lost and nothing torn`, {
  timeout: 120_000,
}, async () => {
  const result = await killLoop({ compiled, driver: './store-driver.js', cycles: CYCLES, seed: 20_261 })
  console.info(
    `${result.acknowledged} acknowledged, ${result.early} of ${result.cycles} kills before the first`,
  )
  expect(result.lost).toEqual([])
  expect(result.torn).toEqual([])
  expect(result.acknowledged).toBeGreaterThan(10 * CYCLES)
  expect(result.early).toBeLessThan(CYCLES / 2)
})
