/** The tests of fsck on altered files, for the small counts and the great ones. @module */
/// <reference types="node" />

import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { compile } from './compile.ts'
import type * as Trial from './fsck-trial.ts'

const timeout = 3_600_000
/** Leaves out what is read of the row of attempts. */
const BUG = {
  file: 'src/vault/fsck-rows.ts',
  from: "return [this.#fault(kindOf(error), 'attempts', key)]",
  to: 'return []',
}

export function fsckSuite(alterations: number, clean: number): void {
  test(`VAULT-18 ${alterations} alterations in the file are found, ${clean} sound stores raise no alarm`, {
    timeout,
  }, async () => {
    const { fsckTrial } = await load()
    const { altered, missed, alarms, wrote } = await fsckTrial({ alterations, clean, seed: 48_001 })
    console.info(JSON.stringify(altered))
    expect(Object.values(altered).reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(alterations)
    expect({ missed, alarms, wrote }).toEqual({ missed: [], alarms: [], wrote: 0 })
  })

  test('the control that does not read the counters misses some', { timeout }, async () => {
    const { fsckTrial } = await load(BUG)
    const { altered, missed, alarms } = await fsckTrial({ alterations: 50, seed: 48_002 })
    console.info(
      `control: ${missed.length} of ${Object.values(altered).reduce((sum, n) => sum + n, 0)} missed`,
    )
    expect(missed.length).toBeGreaterThan(0)
    for (const what of missed) expect(what).toContain('attempts')
    expect(alarms).toEqual([])
  })
}

async function load(mutation?: typeof BUG): Promise<typeof Trial> {
  const compiled = compile({ folders: ['src'], ...(mutation === undefined ? {} : { mutation }) })
  return (await import(pathToFileURL(join(compiled, 'test', 'fault', 'fsck-trial.js')).href)) as typeof Trial
}
