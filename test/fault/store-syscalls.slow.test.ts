/** Every system call of the store on its files, failed with each error and with a kill, one at a time (STORE-1, STORE-5, STORE-8). @module */

import { beforeAll, expect, test } from 'vitest'
import { compile } from './compile.ts'
import { type Point, syscallMatrix } from './syscalls.ts'

// Linux with strace; a machine without it fails here, because a skipped proof looks like a passed one.
const ROUNDS = Number(process.env['GUISE_SYSCALL_ROUNDS'] ?? 8)
let compiled = ''

beforeAll(() => {
  compiled = compile()
}, 120_000)

test('STORE-5 every call that fails, or is the last one, loses nothing that was acknowledged', async () => {
  const result = await syscallMatrix({ compiled, before: 13, rounds: ROUNDS })
  console.info(
    `${result.injected} faults at ${result.points} points, ${result.acknowledged} acknowledged looked for, ` +
      `${result.ended.length} ended by the binding: ${result.ended.join(', ')}; ${JSON.stringify(result.calls)}`,
  )
  expect(result.violations).toEqual([])
  expect(result.injected).toBe(result.points)
  expect(result.points).toBeGreaterThan(600)
})

test('the control that acknowledges before the flush loses some', async () => {
  const select = ({ stage, fault }: Point): boolean => stage === 'work' && fault === 'SIGKILL'
  const { violations, injected } = await syscallMatrix({
    compiled,
    before: 13,
    rounds: 4,
    early: true,
    select,
  })
  const lost = violations.filter((what) => what.includes(': lost '))
  console.info(`control, early: ${lost.length} lost in ${injected} kills`)
  expect(lost.length).toBeGreaterThan(0)
})
