/** Eight processes open one store, write and are killed, some while they are stopped (I-27); at length. @module */

import { beforeAll, expect, test } from 'vitest'
import { compile } from './compile.ts'
import { lockTrial } from './store-lock-trial.ts'

const ROUNDS = Number(process.env['GUISE_LOCK_ROUNDS'] ?? 500)
const PROCESSES = 8
const timeout = 3_600_000
let compiled = ''

beforeAll(() => {
  compiled = compile()
}, 120_000)

test(`STORE-2 ${PROCESSES} processes open, write and are killed, ${ROUNDS} times: nothing lost, no lock left`, {
  timeout,
}, async () => {
  const result = await lockTrial({ compiled, processes: PROCESSES, rounds: ROUNDS, seed: 27101 })
  console.info(`seed 27101: ${JSON.stringify({ ...result, faults: result.faults.length })}`)
  expect(result.faults).toEqual([])
  expect(result.wins).toBeGreaterThan(ROUNDS)
  const typed = ['ERR_STORE_CONFLICT', 'ERR_STORE_BUSY']
  expect(Object.keys(result.codes).filter((code) => !typed.includes(code))).toEqual([])
  expect(result.stopped).toBeGreaterThan(0)
})

test('the control that takes every row for the one that was read is caught', { timeout }, async () => {
  const control = compile({
    mutation: {
      file: 'src/store/lmdb-open.ts',
      from: 'if (expected === null) return this.#database.getBinaryFast(key) === undefined',
      to: 'if (expected !== undefined) return true',
    },
  })
  const options = { compiled: control, processes: PROCESSES, rounds: 20, seed: 27102, control: true }
  const { faults } = await lockTrial(options)
  console.info(`seed 27102, control: ${faults.length} faults, ${faults[0]}`)
  expect(faults.length).toBeGreaterThan(0)
})
