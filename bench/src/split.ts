/** Data sets cut in two by people, who are drawn by a seed. @module */

import { cryptoReady } from '../../dist/crypto/sodium.js'
import { SeededRandom } from '../../dist/evaluate/random.js'
import type { Dataset } from '../../dist/node.js'

/** Half of the subjects of a data set. */
export async function drawHalf(dataset: Dataset, seed: string): Promise<ReadonlySet<string>> {
  await cryptoReady()
  const subjects = new Set<string>()
  for await (const { subject } of dataset.read()) subjects.add(subject)
  const order = [...subjects]
  const random = new SeededRandom(seed, 'halves')
  for (let i = order.length - 1; i > 0; i--) {
    const j = random.below(i + 1)
    const held = order[i] as string
    order[i] = order[j] as string
    order[j] = held
  }
  return new Set(order.slice(0, Math.floor(order.length / 2)))
}

/** The samples of those who are, or are not, in a half. */
export function within(dataset: Dataset, half: ReadonlySet<string>, inside: boolean): Dataset {
  const read: Dataset['read'] = async function* (options) {
    for await (const labelled of dataset.read(options))
      if (half.has(labelled.subject) === inside) yield labelled
  }
  return { ...dataset, rows: undefined, read }
}
