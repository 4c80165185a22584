/** Child process of the test with eight writers of one log: so many matches, each under a name of its own. @module */
/// <reference types="node" />

import { openWorld, sampleOf } from './vault-world.ts'

const [directory = '', name = '', count = '0', people = '1'] = process.argv.slice(2)
const world = await openWorld(directory)
let next = 0
const lanes = Array.from({ length: Number(people) }, async (_, face) => {
  while (next < Number(count)) {
    const actor = `${name}-${next++}`
    const { outcome } = await world.vault.verify({ ...sampleOf(face), subject: `person-${face}` }, { actor })
    if (outcome !== 'match') throw new Error(`${actor}: ${outcome}`)
  }
})
await Promise.all(lanes)
await world.close()
