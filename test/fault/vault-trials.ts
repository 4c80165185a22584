/** Trials with four processes on one vault: exact counters, revocation at one instant, promotion without restart. @module */
/// <reference types="node" />

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Enrolled, VerifyDecision } from '../../src/vault/types.ts'
import { seeded } from './driver.ts'
import type { Seen, Tally } from './vault-child.ts'
import { Fleet, type Variant } from './vault-fleet.ts'
import { subjectName } from './vault-people.ts'
import { basis, openWorld, sampleOf, type World, type WorldOptions } from './vault-world.ts'

const PROCESSES = 4

interface TrialOptions {
  readonly compiled: string
  readonly variant?: Variant
}

/** Four processes with 50 wrong probes each, all at once; one tally a round. */
export async function probeRounds(
  options: TrialOptions & { readonly rounds: number },
): Promise<readonly Tally[]> {
  return await withFleet(options, async (world, fleet) => {
    const rounds: Tally[] = []
    for (let round = 0; round < options.rounds; round++) {
      await enrolled(world, round)
      const subject = subjectName(round)
      const tallies = await fleet.ask<Tally>(() => ({ do: 'probe', subject, face: round, count: 50 }))
      const sum = (pick: (tally: Tally) => number): number =>
        tallies.reduce((total, tally) => total + pick(tally), 0)
      rounds.push({
        match: sum((tally) => tally.match),
        nonmatch: sum((tally) => tally.nonmatch),
        refused: sum((tally) => tally.refused),
        errors: tallies.flatMap((tally) => tally.errors),
      })
    }
    return rounds
  })
}

export interface RevocationResult {
  readonly verifies: number
  readonly matches: number
  readonly revocations: number
  /** Matches whose call began after `revoke` had returned, or after another call had been refused. */
  readonly violations: readonly string[]
}

const WINDOW = 6
/** How many revoked ones stay watched. */
const LAG = 3

/** This process revokes one person after the other while four others verify them and their neighbours without a pause. */
export async function revokeWatched(
  options: TrialOptions & { readonly people: number; readonly pauseMs: number; readonly seed: number },
): Promise<RevocationResult> {
  return await withFleet(options, async (world, fleet) => {
    const random = seeded(options.seed)
    const returned: number[] = []
    for (let face = 0; face < options.people; face++) await enrolled(world, face)
    for (let face = 0; face < options.people; face++) {
      const first = Math.max(0, face - LAG)
      const faces = Array.from({ length: WINDOW }, (_, i) => first + i).filter((one) => one < options.people)
      await fleet.ask(() => ({ do: 'watch', faces }))
      await new Promise((resolve) => setTimeout(resolve, options.pauseMs * (0.5 + random())))
      await world.vault.revoke(subjectName(face), 'withdrawn')
      returned.push(Number(process.hrtime.bigint()))
    }
    await new Promise((resolve) => setTimeout(resolve, 4 * options.pauseMs))
    await fleet.ask(() => ({ do: 'watch', faces: [] }))
    return judge(returned, await fleet.ask<readonly [number, Seen][]>(() => ({ do: 'seen' })))
  })
}

/** For a control: the log catches most of what such a store would let through, and some tries show what it does not. */
export async function revokeUntilViolated(
  options: TrialOptions & { readonly seed: number },
): Promise<Pick<RevocationResult, 'verifies' | 'violations'>> {
  let verifies = 0
  for (let attempt = 0; attempt < MOST_TRIES; attempt++) {
    const seed = options.seed + attempt
    const result = await revokeWatched({ ...options, people: 12, pauseMs: 20, seed })
    verifies += result.verifies
    if (result.violations.length > 0) return { verifies, violations: result.violations }
  }
  return { verifies, violations: [] }
}

const MOST_TRIES = 8

function judge(returned: readonly number[], told: readonly (readonly [number, Seen][])[]): RevocationResult {
  const all = told.flat()
  const violations: string[] = []
  for (const [face, returnedNs] of returned.entries()) {
    const seen = all.filter(([one]) => one === face).map(([, one]) => one)
    const lastMatchNs = Math.max(0, ...seen.map((one) => one.lastMatchNs))
    const refusedNs = Math.min(...seen.map((one) => one.firstRefusedNs ?? Infinity))
    if (lastMatchNs > returnedNs) violations.push(`${face}: matched after revoke had returned`)
    if (lastMatchNs > refusedNs) violations.push(`${face}: matched after a call had been refused`)
  }
  const verifies = all.reduce((sum, [, seen]) => sum + seen.verifies, 0)
  const matches = all.reduce((sum, [, seen]) => sum + seen.matches, 0)
  return { verifies, matches, revocations: returned.length, violations }
}

/** Epochs that four processes used right after each promotion: for a new template, and for one that was rotated. */
export async function promoteAndLook(
  options: TrialOptions & { readonly promotions: number },
): Promise<readonly { readonly primary: number; readonly used: readonly number[] }[]> {
  return await withFleet(options, async (world, fleet) => {
    await enrolled(world, 0)
    const looks: { primary: number; used: readonly number[] }[] = []
    for (let i = 1; i <= options.promotions; i++) {
      const primary = await world.keyring.add()
      await world.keyring.promote(primary)
      const made = await fleet.ask<Enrolled>((member) => {
        const face = PROCESSES * i + member
        return { do: 'enroll', subject: subjectName(face), face }
      })
      for await (const result of world.vault.rotate()) if (!result.ok) throw result.error
      const seen = await fleet.ask<VerifyDecision>(() => ({ do: 'verify', subject: subjectName(0), face: 0 }))
      const epochs = seen.map((decision) => (decision.outcome === 'match' ? decision.epoch : 0))
      looks.push({ primary, used: [...made.map(({ epoch }) => epoch), ...epochs] })
    }
    return looks
  })
}

async function enrolled(world: World, face: number): Promise<void> {
  await world.vault.enroll({ ...sampleOf(face), subject: subjectName(face), basis: basis() })
}

/** Four processes on a vault of their own, which `prepare` fills before they open it. */
export async function withFleet<Result>(
  { compiled, variant, between }: TrialOptions & Pick<WorldOptions, 'between'>,
  task: (world: World, fleet: Fleet) => Promise<Result>,
  prepare: (world: World) => Promise<void> = async () => {},
): Promise<Result> {
  const base = mkdtempSync(join(tmpdir(), 'guise-fleet-'))
  const directory = join(base, 'store')
  mkdirSync(directory, { mode: 0o700 })
  const world = await openWorld(directory, between === undefined ? {} : { between })
  try {
    await prepare(world)
    await using fleet = await Fleet.start(compiled, directory, PROCESSES, variant)
    return await task(world, fleet)
  } finally {
    await world.close()
    rmSync(base, { recursive: true, force: true })
  }
}
