/** One capture, 64 ways into a vault: it enters exactly one verb (SPEC §20.8). @module */
import type { Store } from 'guise'
import type { AttestedCapture, CaptureDesk } from 'guise/capture'
import { openCaptureDesk } from 'guise/node'
import { expect } from 'vitest'
import { basis, codeOf, MODEL, sample, testVault } from '../support/vault.ts'
import { captureVault, LIVE, shoot } from '../support/vault-capture.ts'

const WAYS = 64
const SCOPE = { subject: 'ann', purpose: 'login' } as const

/** What became of the ways, by how they ended. */
type Ends = Readonly<Record<string, number>>

/** Races of a sealed capture through two desks, and of an accepted one through every verb, on a store. */
export async function raceVerbs(store: Store, rounds: number): Promise<void> {
  // A store that keeps anything runs on the machine's own clock.
  const world = await captureVault({ open: () => testVault({ store }) })
  const { vault } = world
  await vault.enroll({ subject: 'ann', basis: basis(), ...sample(1) })
  const second = await openCaptureDesk(vault, { model: MODEL, policies: [LIVE], refusalMs: 0 })
  for (let round = 0; round < rounds; round++) {
    const sealed = await shoot(world, {
      person: 1,
      subject: 'ann',
      index: 2 * round + 1,
      capturedAtMs: Date.now(),
    })
    expect(await raceSealed([world.desk, second.desk], sealed, enter)).toEqual({
      resolved: 1,
      ERR_CAPTURE_REFUSED: WAYS - 1,
    })
    const next = await shoot(world, {
      person: 1,
      subject: 'ann',
      index: 2 * round + 2,
      capturedAtMs: Date.now(),
    })
    const capture = await world.desk.openCapture(next, SCOPE)
    expect(await race((way) => enter(capture, way))).toEqual({ resolved: 1, ERR_CAPTURE_USED: WAYS - 1 })
  }
  await vault.close()

  function enter(capture: AttestedCapture, way: number): Promise<unknown> {
    return way % 2 === 0
      ? vault.verify({ subject: 'ann', capture })
      : vault.reissue({ subject: 'ann', basis: basis(), capture })
  }
}

async function raceSealed(
  desks: readonly CaptureDesk[],
  sealed: Uint8Array,
  enter: (capture: AttestedCapture, way: number) => Promise<unknown>,
): Promise<Ends> {
  return await race(async (way) => {
    const desk = desks[way % desks.length] as CaptureDesk
    await enter(await desk.openCapture(sealed, SCOPE), way)
  })
}

async function race(task: (way: number) => Promise<unknown>): Promise<Ends> {
  const ends: Record<string, number> = {}
  const codes = await Promise.all(Array.from({ length: WAYS }, (_, way) => codeOf(task(way))))
  for (const code of codes) ends[code] = (ends[code] ?? 0) + 1
  return ends
}
