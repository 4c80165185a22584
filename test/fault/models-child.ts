/** Child process that moves the people of a realm to its next model, until it is done or killed. @module */
/// <reference types="node" />

import { writeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Faces, NEXT, nameOf, openModelsWorld, type Thresholds } from './models-world.ts'

/** So many at once. */
const WIDTH = 8

const [directory = '', thresholds = ''] = process.argv.slice(2)
const faces = Faces.read(join(dirname(directory), 'faces.f32'))
const world = await openModelsWorld(directory, {
  dual: true,
  thresholds: JSON.parse(thresholds) as Thresholds,
})
writeSync(1, 'ready\n')
let next = 0

async function work(): Promise<void> {
  for (let person = next++; person < faces.people; person = next++) {
    if ((await world.vault.describe(nameOf(person)))?.model === NEXT.id) continue
    writeSync(1, `${person} ${await move(person)}\n`)
  }
}

async function move(person: number): Promise<string> {
  try {
    const decision = await world.vault.adapt(faces.move(person))
    if (decision.outcome !== 'match') return decision.outcome
    return decision.adapted === undefined ? `kept ${decision.kept}` : 'moved'
  } catch (error) {
    return String((error as { code?: unknown }).code ?? error)
  }
}

await Promise.all(Array.from({ length: WIDTH }, work))
writeSync(1, 'end\n')
await world.close()
