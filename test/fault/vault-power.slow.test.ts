/** Two thousand power cuts under a working vault (I-11); needs Linux and strace. @module */

import { beforeAll, expect, test } from 'vitest'
import { compile } from './compile.ts'
import { powerCut } from './power-cut.ts'
import { VAULT_FOLDERS } from './vault-folders.ts'

// A machine without strace fails here, because a skipped proof looks like a passed one.
const IMAGES = Number(process.env['GUISE_VAULT_IMAGES'] ?? 2000)
let compiled = ''

beforeAll(() => {
  compiled = compile({ folders: VAULT_FOLDERS })
}, 120_000)

test(`loses nothing that the vault acknowledged on ${IMAGES} images of a power cut`, {
  timeout: 7_200_000,
}, async () => {
  const driver = './vault-driver.js'
  const result = await powerCut({ compiled, driver, images: IMAGES, rounds: 40, seed: 34001 })
  console.info(
    `seed 34001: ${result.writes} writes, ${result.flushes} flushes, ${result.acknowledged} acknowledged looked for`,
  )
  expect(result.lost).toEqual([])
  expect(result.torn).toEqual([])
  expect(result.acknowledged).toBeGreaterThan(IMAGES)
})

test('the control that answers before the flush loses some', { timeout: 7_200_000 }, async () => {
  const driver = './vault-early-driver.js'
  const result = await powerCut({ compiled, driver, images: 200, rounds: 40, seed: 34002 })
  console.info(`seed 34002, control: ${result.lost.length} of ${result.images} images lost something`)
  expect(result.lost.length).toBeGreaterThan(0)
})
