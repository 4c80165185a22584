/** A process that enrols uniquely, then searches or revokes, and says what it saw and when (SPEC §16). @module */
/// <reference types="node" />

import { writeSync } from 'node:fs'
import { basis, openWorld, sampleOf } from './vault-world.ts'

const [directory = '', worker = '0', faces = '0'] = process.argv.slice(2)
const count = Number(faces)

/** One clock for all processes of a machine. */
function nowMs(): number {
  return Number(process.hrtime.bigint() / 1000n) / 1000
}

function say(line: string): void {
  writeSync(1, `${line}\n`)
}

/** Everybody goes on when the parent says so. */
async function signal(word: string): Promise<void> {
  say(word)
  await new Promise((resolve) => process.stdin.once('data', resolve))
}

const world = await openWorld(directory, { gallery: true })
const { vault } = world
await signal('ready')
for (let face = 0; face < count; face++) {
  const subject = `face-${face} by ${worker}`
  try {
    await vault.enroll({ subject, basis: basis(), unique: true, ...sampleOf(face) })
    say(`enrolled ${face} ${worker}`)
  } catch (error) {
    say(`refused ${face} ${String((error as { code?: unknown }).code)}`)
  }
}
await signal('filled')
for (let face = 0; face < count; face++) {
  // Whoever enrolled the face ends it; all others look for it meanwhile.
  const own = (await vault.describe(`face-${face} by ${worker}`)) !== undefined
  for (let i = 0; i < 6; i++) {
    const beganMs = nowMs()
    if (own && i === 2) {
      await vault.revoke(`face-${face} by ${worker}`, 'other')
      say(`revoked ${face} ${nowMs()}`)
      continue
    }
    const decision = await vault.identify({ limit: 4, ...sampleOf(face) })
    say(`asked ${face} ${beganMs} ${decision.outcome}`)
  }
}
await world.close()
process.stdin.destroy()
