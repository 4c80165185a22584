/** A process that imports a counted data set into an LMDB vault and says what is done, for the kill test. @module */
/// <reference types="node" />

import { mkdirSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { Checkpoint } from '../../src/cli/checkpoint.ts'
import type { Dataset, LabelledVector } from '../../src/dataset/dataset.ts'
import { importEmbeddings } from '../../src/intake/import.ts'
import { basis, DIMENSIONS, MODEL, openWorld, vectorOf } from './vault-world.ts'

const [base = '', subjects = '0'] = process.argv.slice(2)
const count = Number(subjects)

/** Two rows a person, side by side. */
const people: Dataset = {
  name: 'people',
  dimensions: DIMENSIONS,
  rows: 2 * count,
  synthetic: true,
  async *read({ from = 0 } = {}): AsyncGenerator<LabelledVector> {
    for (let row = from; row < 2 * count; row++) {
      yield { row, subject: `person-${row >> 1}`, vector: vectorOf(row >> 1) }
    }
  },
}

const directory = join(base, 'store')
mkdirSync(directory, { recursive: true, mode: 0o700 })
const world = await openWorld(directory)
const checkpoint = new Checkpoint(join(base, 'checkpoint'), ['kill', count])
const options = { name: 'kill', model: MODEL, basis: () => basis(), from: checkpoint.from }
writeSync(1, `from ${checkpoint.from}\n`)
for await (const { row, outcome, error, doneTo } of importEmbeddings(world.vault, people, options)) {
  checkpoint.reach(doneTo)
  writeSync(1, `${outcome} ${row} ${doneTo} ${error?.code ?? ''}\n`)
}
checkpoint.write()
await world.close()
