/** Races for one subject, and verifies while everything is rotated and issued again, in four processes (I-24, I-25). @module */
/// <reference types="node" />

import { GuiseError } from '../../src/base/errors.ts'
import { realmPrefix } from '../../src/base/identifier.ts'
import { seeded } from './driver.ts'
import type { Fleet, Variant } from './vault-fleet.ts'
import { wrapsInHalves } from './vault-liars.ts'
import { subjectName } from './vault-people.ts'
import type { Ran, StormTally } from './vault-storm.ts'
import { withFleet } from './vault-trials.ts'
import { basis, sampleOf, type World } from './vault-world.ts'

const PROCESSES = 4
const WIDTH = 64
const VERBS = ['enroll', 'reissue'] as const
/** A call that issues again waits until it is anchored: 64 of them take two seconds. */
const REISSUED_EACH = 5

export interface RaceResult {
  readonly calls: number
  readonly enrolled: number
  readonly reissued: number
  /** How often each code was the answer. */
  readonly codes: Readonly<Record<string, number>>
  readonly faults: readonly string[]
}

/** 64 calls from four processes enrol one subject, each with another face; `rounds` times, and each fifth time as many issue it again. */
export async function raceTrial(options: {
  readonly compiled: string
  readonly rounds: number
  readonly variant?: Variant
}): Promise<RaceResult> {
  return await withFleet(options, async (world, fleet) => {
    const codes: Record<string, number> = {}
    const faults: string[] = []
    const count = { calls: 0, enroll: 0, reissue: 0 }
    const strict = options.variant === undefined
    for (let round = 0; round < options.rounds; round++) {
      for (const verb of VERBS) {
        if (verb === 'reissue' && round % REISSUED_EACH !== 0) continue
        const ran = await raceOnce(fleet, verb, round)
        count.calls += ran.length
        for (const { code } of ran) if (code !== undefined) codes[code] = (codes[code] ?? 0) + 1
        const won = ran.filter(({ generation }) => generation !== undefined)
        count[verb] += won.length
        faults.push(...judge(verb, round, won))
        if (!strict) continue
        faults.push(...untyped(round, ran))
        faults.push(...(await lookAtWinner(world, round, won)))
      }
      if (!strict && faults.length > 0) break
    }
    if (strict) faults.push(...(await countRows(world, options.rounds)))
    return { calls: count.calls, enrolled: count.enroll, reissued: count.reissue, codes, faults }
  })
}

async function raceOnce(fleet: Fleet, verb: 'enroll' | 'reissue', round: number): Promise<readonly Ran[]> {
  const first = (2 * round + (verb === 'enroll' ? 0 : 1)) * WIDTH
  const subject = subjectName(round)
  const share = WIDTH / PROCESSES
  const ran = await fleet.ask<readonly Ran[]>((member) => {
    const faces = Array.from({ length: share }, (_, i) => first + member * share + i)
    return { do: 'race', verb, subject, faces }
  })
  return ran.flat()
}

const TYPED = new Set(['ERR_VAULT_ENROLLED', 'ERR_STORE_CONFLICT'])

function untyped(round: number, ran: readonly Ran[]): readonly string[] {
  const codes = ran.flatMap(({ code }) => (code === undefined || TYPED.has(code) ? [] : [code]))
  return codes.map((code) => `${round}: ${code}`)
}

/** One winner of an enrolment; generations of a reissue each once, and none left out. */
function judge(verb: string, round: number, won: readonly Ran[]): readonly string[] {
  const generations = won.map(({ generation }) => generation as number).sort((a, b) => a - b)
  const from = verb === 'enroll' ? 1 : 2
  const faults: string[] = []
  if (verb === 'enroll' && won.length !== 1) faults.push(`${won.length} winners`)
  if (won.length === 0) faults.push('nobody won')
  if (generations.some((generation, i) => generation !== from + i))
    faults.push(`made ${generations.join(' ')}`)
  return faults.map((fault) => `${verb} ${round}: ${fault}`)
}

/** The last winner is who the subject is now, and nobody else. */
async function lookAtWinner(world: World, round: number, won: readonly Ran[]): Promise<readonly string[]> {
  const subject = subjectName(round)
  const last = won.reduce((a, b) => ((a.generation ?? 0) > (b.generation ?? 0) ? a : b), { face: -1 } as Ran)
  const other = won.find((one) => one !== last) ?? { face: last.face + WIDTH * 1_000_000 }
  const faults: string[] = []
  const ask = async (face: number, expected: string): Promise<void> => {
    const { outcome } = await world.vault.verify({ ...sampleOf(face), subject })
    if (outcome !== expected) faults.push(`${round}: ${outcome} instead of ${expected}`)
  }
  await ask(other.face, 'nonmatch')
  await ask(last.face, 'match')
  const found = await world.vault.describe(subject)
  if (found?.generation !== last.generation) faults.push(`${round}: generation ${found?.generation}`)
  if (found?.state !== 'active') faults.push(`${round}: ${found?.state}`)
  return faults
}

/** One row of each kind a subject: nothing of a loser is left. */
async function countRows({ ctx }: World, subjects: number): Promise<readonly string[]> {
  const faults: string[] = []
  const prefix = realmPrefix(ctx.realm)
  for (const table of ['references', 'secrets', 'states', 'attempts', 'index'] as const) {
    let rows = 0
    for await (const { key } of ctx.store.scan(table, prefix)) if (key.length > prefix.length + 1) rows++
    // Beside those of subjects, counters of the realm's limit and of fsck may stand in a table.
    if (table === 'attempts' ? rows < subjects : rows !== subjects) faults.push(`${rows} rows in ${table}`)
  }
  return faults
}

export interface StormResult {
  readonly verifies: number
  readonly idle: readonly StormTally[]
  readonly busy: readonly StormTally[]
  readonly rotations: number
  readonly wrapped: number
  readonly reissues: number
  /** Errors of rotation and reissue that may be tried again. */
  readonly transient: number
  readonly enrollMs: number
}

/** Four processes verify `verifies` times while this one rotates everybody again and again, and issues some of them again. */
export async function stormTrial(options: {
  readonly compiled: string
  readonly people: number
  readonly verifies: number
  readonly seed: number
  /** A rotation that deletes a wrap before it writes the next. */
  readonly torn?: boolean
}): Promise<StormResult> {
  const { people, seed } = options
  const begun = performance.now()
  let enrollMs = 0
  const between = options.torn === true ? wrapsInHalves : undefined
  return await withFleet(
    { compiled: options.compiled, ...(between === undefined ? {} : { between }) },
    async (world, fleet) => {
      enrollMs = performance.now() - begun
      const share = (verifies: number): number => Math.ceil(verifies / PROCESSES)
      const ask = (count: number): Promise<readonly StormTally[]> =>
        fleet.ask((member) => ({ do: 'storm', people, count, seed, member, members: PROCESSES }))
      const idle = await ask(share(options.verifies / 20))
      let over = false
      const storms = ask(share(options.verifies)).finally(() => {
        over = true
      })
      const isOver = (): boolean => over
      const [busy, turned, issued] = await Promise.all([
        storms,
        options.torn === true ? rotateOn(world, isOver).catch(() => NOTHING) : rotateOn(world, isOver),
        options.torn === true ? NOTHING : reissueOn(world, people, seeded(seed + 99), isOver),
      ])
      const verifies = busy.reduce((sum, { matches, nonmatches }) => sum + matches + nonmatches, 0)
      const transient = turned.transient + issued.transient
      return { verifies, idle, busy, ...turned, reissues: issued.reissues, transient, enrollMs }
    },
    (world) => enrollAll(world, people),
  )
}

/** What a control is not asked for. */
const NOTHING = { rotations: 0, wrapped: 0, reissues: 0, transient: 0 } as const

async function enrollAll({ vault }: World, people: number): Promise<void> {
  const requests = function* () {
    for (let i = 0; i < people; i++) yield { ...sampleOf(i), subject: subjectName(i), basis: basis() }
  }
  for await (const result of vault.enrollMany(requests())) if (!result.ok) throw result.error
}

async function rotateOn(
  { vault, keyring }: World,
  isOver: () => boolean,
): Promise<{ rotations: number; wrapped: number; transient: number }> {
  const done = { rotations: 0, wrapped: 0, transient: 0 }
  while (!isOver()) {
    try {
      await keyring.promote(await keyring.add())
    } catch (error) {
      done.transient += countTransient(error)
      continue
    }
    for await (const result of vault.rotate()) {
      if (result.ok) done.wrapped++
      else done.transient += countTransient(result.error)
      if (isOver()) return done
    }
    done.rotations++
  }
  return done
}

async function reissueOn(
  { vault }: World,
  people: number,
  random: () => number,
  isOver: () => boolean,
): Promise<{ reissues: number; transient: number }> {
  const done = { reissues: 0, transient: 0 }
  while (!isOver()) {
    const person = Math.floor(random() * people)
    try {
      await vault.reissue({ ...sampleOf(person), subject: subjectName(person), basis: basis() })
      done.reissues++
    } catch (error) {
      done.transient += countTransient(error)
    }
  }
  return done
}

function countTransient(error: unknown): number {
  if (error instanceof GuiseError && error.retryable) return 1
  throw error
}
