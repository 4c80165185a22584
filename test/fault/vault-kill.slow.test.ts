/** A thousand kills of a working vault, and three hundred between two stores (I-10, I-12, I-31). @module */

import { beforeAll, expect, test } from 'vitest'
import { compile } from './compile.ts'
import { killLoop } from './kill-loop.ts'
import { VAULT_FOLDERS } from './vault-folders.ts'

const CYCLES = Number(process.env['GUISE_VAULT_KILLS'] ?? 1000)
let compiled = ''

beforeAll(() => {
  compiled = compile({ folders: VAULT_FOLDERS })
}, 120_000)

test(`the vault survives ${CYCLES} kills`, { timeout: 7_200_000 }, async () => {
  const result = await killLoop({ compiled, driver: './vault-driver.js', cycles: CYCLES, seed: 32_001 })
  console.info(`seed 32001: ${result.acknowledged} acknowledged, ${result.early} kills before the first`)
  expect(result.lost).toEqual([])
  expect(result.torn).toEqual([])
  expect(result.acknowledged).toBeGreaterThan(8 * CYCLES)
})

test('STORE-11 codes and wraps in two stores', { timeout: 7_200_000 }, async () => {
  const cycles = Math.ceil(0.3 * CYCLES)
  const result = await killLoop({ compiled, driver: './vault-split-driver.js', cycles, seed: 32_002 })
  console.info(`seed 32002: ${result.acknowledged} acknowledged in ${result.cycles} cycles`)
  expect(result.lost).toEqual([])
  expect(result.torn).toEqual([])
})

test('the control whose commits fall in halves is caught', { timeout: 7_200_000 }, async () => {
  const cycles = Math.max(10, Math.ceil(0.04 * CYCLES))
  const result = await killLoop({
    compiled,
    driver: './vault-halves-driver.js',
    cycles,
    seed: 32_003,
    control: 'either',
  })
  console.info(
    `seed 32003, control: ${result.lost.length} lost, ${result.torn.length} torn in ${result.cycles} cycles`,
  )
  expect(result.lost.length + result.torn.length).toBeGreaterThan(0)
})
