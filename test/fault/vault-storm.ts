/** What a process does in a race for one subject, and in a storm of verifies whose truth is known. @module */
/// <reference types="node" />

import { GuiseError } from '../../src/base/errors.ts'
import { seeded } from './driver.ts'
import { subjectName } from './vault-people.ts'
import { basis, sampleOf, type World } from './vault-world.ts'

/** Every face at once, each for the same subject. */
export interface Race {
  readonly do: 'race'
  readonly verb: 'enroll' | 'reissue'
  readonly subject: string
  readonly faces: readonly number[]
}

/** How one call of a race ended: a generation that it made, or the code of its error. */
export interface Ran {
  readonly face: number
  readonly generation?: number
  readonly code?: string
}

/** `count` verifies of the people 0 to `people`, each with their own face, and one in `wrongEach` with its opposite. */
export interface Storm {
  readonly do: 'storm'
  readonly people: number
  readonly count: number
  readonly seed: number
  /** This process and how many there are: wrong probes of a person all come from one. */
  readonly member: number
  readonly members: number
}

export interface StormTally {
  readonly matches: number
  readonly nonmatches: number
  /** What the vault answered although it is not true. */
  readonly wrong: readonly string[]
  /** Codes of errors that a caller may try again, with how many there were. */
  readonly transient: Readonly<Record<string, number>>
  readonly errors: readonly string[]
  readonly medianMs: number
  readonly p99Ms: number
}

/** Calls of a process under way at once. */
const LANES = 24
const WRONG_EACH = 10

export async function race({ vault }: World, { verb, subject, faces }: Race): Promise<readonly Ran[]> {
  return await Promise.all(
    faces.map(async (face) => {
      try {
        const { generation } = await vault[verb]({ ...sampleOf(face), subject, basis: basis() })
        return { face, generation }
      } catch (error) {
        return { face, code: error instanceof GuiseError ? error.code : `untyped: ${String(error)}` }
      }
    }),
  )
}

export async function storm(world: World, command: Storm): Promise<StormTally> {
  const { people, count, member, members } = command
  const random = seeded(command.seed + member)
  const told = { matches: 0, nonmatches: 0, wrong: [] as string[], errors: [] as string[] }
  const transient: Record<string, number> = {}
  const tookMs: number[] = []
  const begun = { calls: 0 }
  const ask = async (person: number, wrong: boolean): Promise<void> => {
    begun.calls++
    const begin = performance.now()
    try {
      const decision = await world.vault.verify({ ...sampleOf(person, wrong), subject: subjectName(person) })
      const { outcome } = decision
      if (outcome === 'match') told.matches++
      if (outcome === 'nonmatch') told.nonmatches++
      if (outcome !== (wrong ? 'nonmatch' : 'match')) {
        told.wrong.push(`${person}: ${wrong ? 'another face' : 'own face'} ${JSON.stringify(decision)}`)
      }
    } catch (error) {
      if (error instanceof GuiseError && error.retryable)
        transient[error.code] = (transient[error.code] ?? 0) + 1
      else told.errors.push(`${person}: ${String(error)}`)
    }
    tookMs.push(performance.now() - begin)
  }
  const lane = async (): Promise<void> => {
    while (begun.calls < count) {
      const person = Math.floor(random() * people)
      // A wrong probe is followed by a right one, so that no run of failures ever refuses anybody.
      if (random() * WRONG_EACH < 1 && person % members === member) await ask(person, true)
      await ask(person, false)
    }
  }
  await Promise.all(Array.from({ length: LANES }, lane))
  tookMs.sort((a, b) => a - b)
  const at = (share: number): number => tookMs[Math.floor(share * (tookMs.length - 1))] ?? 0
  return { ...told, transient, medianMs: at(0.5), p99Ms: at(0.99) }
}
