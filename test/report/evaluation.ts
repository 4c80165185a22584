/** An evaluation of synthetic people: every figure in it is measured. @module */
import type { Evaluation } from 'guise/evaluate'
import { expect } from 'vitest'
import { evaluateCommand } from '../../src/cli/evaluate.ts'
import { ran, writePeople } from '../unit/cli-support.ts'

export interface Made {
  readonly evaluation: Evaluation
  readonly json: string
  readonly folder: string
}

/** Runs `guise evaluate` on people of its own. */
export async function makeEvaluation(
  at: (name: string) => string,
  words: readonly string[] = [],
): Promise<Made> {
  const data = await writePeople(at('people'), { subjects: 80, samples: 3, groups: true })
  const folder = at('report')
  const options = ['--bits', '64,128', '--people', '12', '--force', '--json', ...words]
  const { code, out, err } = await ran(evaluateCommand, ['--data', data, '--out', folder, ...options])
  expect(err).toBe('')
  expect(code).toBe(0)
  return { evaluation: JSON.parse(out) as Evaluation, json: out, folder }
}
