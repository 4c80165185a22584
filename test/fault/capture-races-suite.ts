/** Openings of one capture, 64 at once, by two desks over one store: exactly one wins. @module */
import type { Store } from 'guise'
import { type CaptureDesk, captureDesk } from 'guise/capture'
import { expect } from 'vitest'
import {
  ANN,
  captureWorld,
  freshVector,
  LOGIN,
  MODEL,
  outcome,
  REALM,
  sealedCapture,
} from '../support/capture.ts'

const WAYS = 64

/** `second`: the same store through another object, as another process has it. */
export async function raceCaptures(store: Store, second: Store, rounds: number): Promise<void> {
  const world = await captureWorld({ store })
  const { clock, secret, devices } = world
  const other = captureDesk({
    store: second,
    realm: REALM,
    secret,
    clock,
    devices,
    model: MODEL,
    policies: [LOGIN],
    refusalMs: 0,
  })
  const desks = [world.desk, other]
  for (let round = 0; round < rounds; round++) {
    const sealed = await sealedCapture(world)
    expect(await race(desks, () => sealed)).toEqual({ accepted: 1, challenge: WAYS - 1 })
    // Another capture for each opening, of one probe: as many questions, and one answer.
    const vector = freshVector()
    const several = await Promise.all(Array.from({ length: WAYS }, () => sealedCapture(world, { vector })))
    expect(await race(desks, (way) => several[way] as Uint8Array)).toEqual({
      accepted: 1,
      repeated: WAYS - 1,
    })
    const rows = await Promise.all(several.map((capture) => outcome(world.desk, capture)))
    expect(new Set(rows)).toEqual(new Set(['challenge']))
  }
}

async function race(
  desks: readonly CaptureDesk[],
  sealed: (way: number) => Uint8Array,
): Promise<Readonly<Record<string, number>>> {
  const ways = Array.from({ length: WAYS }, (_, way) =>
    outcome(desks[way % desks.length] as CaptureDesk, sealed(way), ANN),
  )
  const counts: Record<string, number> = {}
  for (const reason of await Promise.all(ways)) counts[reason] = (counts[reason] ?? 0) + 1
  return counts
}

/** A store that answers every commit of a spent challenge with success, whoever was first: the seeded bug. */
export function winnersAll(store: Store): Store {
  const commit: Store['commit'] = async (steps, options) => {
    try {
      return await store.commit(steps, options)
    } catch (error) {
      if (steps.some(({ step }) => step === 'delete')) return steps.map(() => '')
      throw error
    }
  }
  return new Proxy(store, {
    get: (target, name) => {
      if (name === 'commit') return commit
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}
