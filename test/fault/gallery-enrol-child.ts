/** Child process: enrols one face after the other, many at once, until its parent has seen enough (GALLERY-8). @module */
/// <reference types="node" />

import { writeSync } from 'node:fs'
import { basis, openWorld, sampleOf } from './vault-world.ts'

const [directory = '', name = '0', inFlight = '8', limit = '1000'] = process.argv.slice(2)
const PEOPLE = 100_000
const world = await openWorld(directory, { gallery: true, galleryLimit: Number(limit) })
const state = { ended: false, enrolled: 0, conflicts: 0 }
process.stdin.on('end', () => {
  state.ended = true
})
process.stdin.resume()
writeSync(1, '"open"\n')
await Promise.all(Array.from({ length: Number(inFlight) }, enrol))
await world.close()
writeSync(1, `${JSON.stringify(state)}\n`)

async function enrol(): Promise<void> {
  while (!state.ended) {
    const face = PEOPLE * (1 + Number(name)) + state.enrolled++
    try {
      await world.vault.enroll({ subject: `other-${face}`, basis: basis(), ...sampleOf(face) })
    } catch (error) {
      // Others were faster 64 times; the next face gets another place.
      if ((error as { code?: unknown }).code !== 'ERR_STORE_CONFLICT') throw error
      state.conflicts += 1
    }
  }
}
