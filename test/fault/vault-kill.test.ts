/** A killed vault has done what it acknowledged and nothing by half (VAULT-5, I-10, I-12, I-31); the full run is slow. @module */

import { beforeAll, expect, test } from 'vitest'
import { compile } from './compile.ts'
import { killLoop } from './kill-loop.ts'
import { VAULT_FOLDERS } from './vault-folders.ts'

const CYCLES = Number(process.env['GUISE_VAULT_KILLS_SMOKE'] ?? 25)
const TIMEOUT_MS = 240_000
let compiled = ''

beforeAll(() => {
  compiled = compile({ folders: VAULT_FOLDERS })
}, 120_000)

test(`the vault survives ${CYCLES} kills: nothing acknowledged is lost, nobody is in between`, {
  timeout: TIMEOUT_MS,
}, async () => {
  const result = await killLoop({ compiled, driver: './vault-driver.js', cycles: CYCLES, seed: 31_001 })
  console.info(`seed 31001: ${result.acknowledged} acknowledged, ${result.early} kills before the first`)
  expect(result.lost).toEqual([])
  expect(result.torn).toEqual([])
  expect(result.acknowledged).toBeGreaterThan(8 * CYCLES)
})

test('STORE-11 codes and wraps in two stores: after a kill nothing is unreadable', {
  timeout: TIMEOUT_MS,
}, async () => {
  const cycles = Math.ceil(CYCLES / 3)
  const result = await killLoop({ compiled, driver: './vault-split-driver.js', cycles, seed: 31_002 })
  console.info(`seed 31002, two stores: ${result.acknowledged} acknowledged in ${result.cycles} cycles`)
  expect(result.lost).toEqual([])
  expect(result.torn).toEqual([])
})

test('the control that acknowledges before it commits is caught', { timeout: TIMEOUT_MS }, async () => {
  const cycles = 100
  const result = await killLoop({
    compiled,
    driver: './vault-early-driver.js',
    cycles,
    seed: 31_003,
    control: 'lost',
  })
  console.info(`seed 31003, control: ${result.lost.length} lost in ${result.cycles} cycles`)
  expect(result.lost.length).toBeGreaterThan(0)
})
