/** One system call fails, or is the last one: what the store then answers and leaves (STORE-1, STORE-5); all of them are in the slow run. @module */

import { beforeAll, expect, test } from 'vitest'
import { compile } from './compile.ts'
import { type Point, syscallMatrix } from './syscalls.ts'

const FLUSHED = ['pwrite64', 'writev', 'fdatasync']
let compiled = ''
let answering = ''

beforeAll(() => {
  compiled = compile()
  answering = compile({
    mutation: {
      file: 'src/store/lmdb-group.ts',
      from: "this.#failed = new StoreError('ERR_STORE_FAILED'",
      to: "const failed = new StoreError('ERR_STORE_FAILED'",
    },
  })
}, 120_000)

/** Of the data path of the first commit, each kind of call with each kind of fault. */
const few = ({ stage, call, nth }: Point): boolean => stage === 'work' && FLUSHED.includes(call) && nth <= 2

test('STORE-5 a call that fails, or a kill at it, loses nothing that was acknowledged', {
  timeout: 60_000,
}, async () => {
  const result = await syscallMatrix({ compiled, before: 13, rounds: 2, select: few })
  console.info(`${result.injected} faults, ${result.acknowledged} acknowledged looked for`)
  expect(result.violations).toEqual([])
  expect(result.ended).toEqual([])
  expect([result.points, result.injected]).toEqual([18, 18])
})

test('the control that acknowledges before the flush loses some', { timeout: 60_000 }, async () => {
  const select = (point: Point): boolean => few(point) && point.fault === 'SIGKILL'
  const { violations } = await syscallMatrix({ compiled, before: 1, rounds: 2, early: true, select })
  console.info(`control, early: ${violations.length} violations`)
  expect(violations.join('\n')).toContain('lost 0:2')
})

test('the control that goes on after a failed flush answers', { timeout: 60_000 }, async () => {
  const select = (point: Point): boolean => few(point) && point.call === 'fdatasync' && point.fault === 'EIO'
  const { violations } = await syscallMatrix({ compiled: answering, before: 1, rounds: 2, select })
  console.info(`control, answering: ${violations.length} violations`)
  expect(violations.join('\n')).toContain('answered: after get')
})
