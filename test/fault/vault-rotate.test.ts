/** A rotation may be killed anywhere and goes on (VAULT-13, I-17); the full run is slow. @module */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { compile } from './compile.ts'
import { killLoop } from './kill-loop.ts'
import { VAULT_FOLDERS } from './vault-folders.ts'

const KILLS = Number(process.env['GUISE_ROTATE_KILLS_SMOKE'] ?? 10)
const RECORDS = 300
const base = mkdtempSync(join(tmpdir(), 'guise-rotate-'))
let compiled = ''

beforeAll(() => {
  compiled = compile({ folders: VAULT_FOLDERS })
  process.env['GUISE_ROTATE_RECORDS'] = String(RECORDS)
  process.env['GUISE_ROTATE_PROGRESS'] = join(base, 'progress.json')
}, 120_000)

afterAll(() => {
  rmSync(base, { recursive: true, force: true })
})

test(`VAULT-13 ${RECORDS} records: all readable after each of ${KILLS} kills, progress never lost`, {
  timeout: 240_000,
}, async () => {
  const driver = './vault-rotate-driver.js'
  const result = await killLoop({ compiled, driver, cycles: KILLS, seed: 35001 })
  const { finished, primary } = JSON.parse(readFileSync(join(base, 'progress.json'), 'utf8')) as {
    finished: number
    primary: number
  }
  console.info(`seed 35001: ${finished} rotations finished, epoch ${primary} reached, ${KILLS} kills`)
  expect(result.lost).toEqual([])
  expect(result.torn).toEqual([])
  expect(finished).toBeGreaterThan(0)
})

test('the control that deletes a wrap before it writes the next is caught', {
  timeout: 240_000,
}, async () => {
  const driver = './vault-rotate-halves-driver.js'
  const result = await killLoop({ compiled, driver, cycles: 40, seed: 35002, control: 'torn' })
  console.info(`seed 35002, control: ${result.torn.length} torn after ${result.cycles} kills`)
  expect(result.torn.length).toBeGreaterThan(0)
})
