/** Child process: verifies and identifies people whom it and others revoke, suspend and issue again, and tells what it saw (I-20). @module */
/// <reference types="node" />

import { writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import type { Vault } from '../../src/vault/vault.ts'
import { seeded } from './driver.ts'
import { FACE_THRESHOLD, faceOf } from './gallery-faces.ts'
import { basis, openWorld, sampleOf } from './vault-world.ts'

/** What a call came to; instants in milliseconds on the clock that all processes of a machine share. */
export interface HistoryTold {
  /** Searches and comparisons that were answered. */
  readonly verifies: number
  readonly identifies: number
  /** Candidates who are nobody that the face belongs to. */
  readonly strangers: number
  /** Calls that others were faster than, 64 times. */
  readonly conflicts: number
  readonly events: readonly HistoryEvent[]
}

/** A match, a revoked one that was met, or a change that was made. Who is `person-n`; each generation has a face of its own. */
export interface HistoryEvent {
  readonly person: number
  readonly generation: number
  readonly what: 'verify' | 'identify' | 'met-revoked' | 'revoke' | 'suspend' | 'resume' | 'reissue'
  readonly start: number
  readonly end: number
}

const [directory = '', name = '0', workers = '1', people = '1', share = '0', changeMs = '50', seed = '0'] =
  process.argv.slice(2)
const TELL_MS = 200
const IN_FLIGHT = 16
const random = seeded(97 * Number(seed) + Number(name) + 1)
const attempts = { consecutive: 100, total: 1000, generation: 100_000 }
const options = { gallery: true, attempts, threshold: FACE_THRESHOLD } as const
const world = await openWorld(directory, options)
const { vault } = world
const generations: number[] = Array.from({ length: Number(people) }, () => 1)
const subjects: string[] = []
for (let person = 0; person < Number(people); person++) {
  subjects.push((await vault.describe(`person-${person}`))?.subject ?? '')
}
let events: HistoryEvent[] = []
const counts = { verifies: 0, identifies: 0, strangers: 0, conflicts: 0 }
const state = { ending: false }
let toldMs = now()

writeSync(1, '"open"\n')
const commands = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
await commands.next()
const listening = listen()
await Promise.all([change(), ...Array.from({ length: IN_FLIGHT }, look)])
tell()
await listening
await world.close()

function now(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

/** Of others' reissues, until the parent has heard enough. */
async function listen(): Promise<void> {
  for (let line = await commands.next(); line.done !== true; line = await commands.next()) {
    const [person = 0, generation = 0] = line.value.split(' ').map(Number)
    generations[person] = Math.max(generations[person] ?? 0, generation)
  }
  state.ending = true
}

function tell(): void {
  writeSync(1, `${JSON.stringify({ ...counts, events } satisfies HistoryTold)}\n`)
  events = []
  toldMs = now()
  for (const key of ['verifies', 'identifies', 'strangers', 'conflicts'] as const) counts[key] = 0
}

/** Asks about somebody: mostly by the face of now, sometimes by the one of before. */
async function look(): Promise<void> {
  while (!state.ending) {
    const person = Math.floor(random() * generations.length)
    const current = generations[person] ?? 1
    const identifies = random() < Number(share)
    const before = current > 1 && random() < (identifies ? 0.3 : 0.05)
    const generation = before ? current - 1 : current
    const sample = sampleOf(faceOf(person, generation))
    const start = now()
    try {
      const seen = identifies ? await identified(sample, person) : await verified(sample, person)
      if (seen !== undefined) events.push({ person, generation, what: seen, start, end: now() })
    } catch (error) {
      count(error)
    }
    if (now() - toldMs > TELL_MS) tell()
    // A comparison alone costs no turn of the event loop: what others tell would never be read.
    if (random() < 0.2) await new Promise((resolve) => setImmediate(resolve))
  }
}

type Sample = ReturnType<typeof sampleOf>

async function identified(sample: Sample, person: number): Promise<'identify' | undefined> {
  const decision = await vault.identify({ limit: 4, ...sample })
  counts.identifies += 1
  if (decision.outcome !== 'candidates') return undefined
  const named = decision.candidates.map(({ subject }) => subject)
  counts.strangers += named.filter((subject) => subject !== subjects[person]).length
  return named.includes(subjects[person] as never) ? 'identify' : undefined
}

async function verified(sample: Sample, person: number): Promise<'verify' | 'met-revoked' | undefined> {
  const decision = await vault.verify({ subject: `person-${person}`, ...sample })
  counts.verifies += 1
  if (decision.outcome === 'match') return 'verify'
  return decision.outcome === 'refused' && decision.reason === 'revoked' ? 'met-revoked' : undefined
}

/** Own people live through generation after generation; half of them are suspended first, and half of those resumed. */
async function change(): Promise<void> {
  for (let turn = 0; !state.ending; turn++) {
    const own = Math.ceil((generations.length - Number(name)) / Number(workers))
    const person = Number(name) + Number(workers) * (turn % own)
    const generation = generations[person] ?? 1
    const subject = `person-${person}`
    const rest = (): Promise<void> => pause(2 * Number(changeMs) * random())
    await rest()
    // A suspended record is not issued again; of others a reissue alone ends the former generation too.
    let revokes = random() < 0.7
    if (random() < 0.5) {
      await timed('suspend', person, generation, (to) => to.suspend(subject))
      await rest()
      if (random() < 0.5) await timed('resume', person, generation, (to) => to.resume(subject))
      else revokes = true
      await rest()
    }
    if (revokes) await timed('revoke', person, generation, (to) => to.revoke(subject, 'withdrawn'))
    await rest()
    await timed('reissue', person, generation + 1, async (to) => {
      const sample = sampleOf(faceOf(person, generation + 1))
      await to.reissue({ subject, basis: basis(), ...sample })
    })
    generations[person] = generation + 1
    writeSync(1, `${JSON.stringify([person, generation + 1])}\n`)
  }
}

async function timed(
  what: 'revoke' | 'suspend' | 'resume' | 'reissue',
  person: number,
  generation: number,
  call: (to: Vault) => Promise<void>,
): Promise<void> {
  for (;;) {
    const start = now()
    try {
      await call(vault)
      events.push({ person, generation, what, start, end: now() })
      return
    } catch (error) {
      count(error)
    }
  }
}

/** Whatever is no conflict ends the process, and the trial. */
function count(error: unknown): void {
  if ((error as { code?: unknown }).code !== 'ERR_STORE_CONFLICT') throw error
  counts.conflicts += 1
}
