/** Child process of the tests with several processes on one vault: carries out commands, one JSON line each. @module */
/// <reference types="node" />

import { writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { VerifyDecision } from '../../src/vault/types.ts'
import { blindPuts, cacheReads, ignoreVersions } from './vault-liars.ts'
import { type Race, race, type Storm, storm } from './vault-storm.ts'
import { basis, openWorld, sampleOf } from './vault-world.ts'

/** What a parent may ask. Faces are numbered as in vault-world. */
export type Command =
  | { readonly do: 'enroll'; readonly subject: string; readonly face: number }
  | { readonly do: 'verify'; readonly subject: string; readonly face: number }
  /** `count` wrong probes at once. */
  | { readonly do: 'probe'; readonly subject: string; readonly face: number; readonly count: number }
  /** From now on verifies these, `person-n` with face n, again and again, until none is left. */
  | { readonly do: 'watch'; readonly faces: readonly number[] }
  | { readonly do: 'seen' }
  | Race
  | Storm

/** What a process saw of one subject; instants on the clock that all processes of a machine share. */
export interface Seen {
  verifies: number
  matches: number
  /** The latest start of a call that was answered match. */
  lastMatchNs: number
  /** The earliest end of a call that was refused as revoked; null until there was one. */
  firstRefusedNs: number | null
}

export interface Tally {
  readonly match: number
  readonly nonmatch: number
  readonly refused: number
  readonly errors: readonly string[]
}

const [directory = '', variant = ''] = process.argv.slice(2)
const between = { lost: ignoreVersions, cached: cacheReads, blind: blindPuts }[variant]
const world = await openWorld(directory, between === undefined ? {} : { between })
const seen = new Map<number, Seen>()
let watched: readonly number[] = []
let loops: Promise<void>[] = []
const LOOPS = 3
const YIELD_EACH = 4
writeSync(1, '"ready"\n')
for await (const line of createInterface({ input: process.stdin })) {
  const answer = await obey(JSON.parse(line) as Command)
  writeSync(1, `${JSON.stringify(answer)}\n`)
}
await stop()
await world.close()

/** A parent that has gone ends the work too. */
async function stop(): Promise<void> {
  watched = []
  await Promise.all(loops)
  loops = []
}

async function obey(command: Command): Promise<unknown> {
  if (command.do === 'probe') return await probe(command.subject, command.face, command.count)
  if (command.do === 'seen') return [...seen]
  if (command.do === 'race') return await race(world, command)
  if (command.do === 'storm') return await storm(world, command)
  if (command.do === 'watch') {
    if (command.faces.length === 0) await stop()
    watched = command.faces
    if (loops.length === 0 && watched.length > 0) {
      loops = Array.from({ length: LOOPS }, (_, turn) => watch(turn))
    }
    return 'watching'
  }
  const sample = { ...sampleOf(command.face), subject: command.subject }
  return command.do === 'verify'
    ? await world.vault.verify(sample)
    : await world.vault.enroll({ ...sample, basis: basis() })
}

async function probe(subject: string, face: number, count: number): Promise<Tally> {
  const tally = { match: 0, nonmatch: 0, refused: 0, 'second-factor': 0, errors: [] as string[] }
  await Promise.all(
    Array.from({ length: count }, async () => {
      try {
        const { outcome } = await world.vault.verify({ ...sampleOf(face, true), subject })
        tally[outcome]++
      } catch (error) {
        tally.errors.push(String(error))
      }
    }),
  )
  return tally
}

async function watch(turn: number): Promise<void> {
  for (let at = turn; watched.length > 0; at++) {
    // A match costs no turn of the event loop: commands would never be read.
    if (at % YIELD_EACH === 0) await new Promise((resolve) => setImmediate(resolve))
    const face = watched[at % watched.length] as number
    const one = seen.get(face) ?? { verifies: 0, matches: 0, lastMatchNs: 0, firstRefusedNs: null }
    seen.set(face, one)
    const startNs = Number(process.hrtime.bigint())
    const decision = await look(face)
    const endNs = Number(process.hrtime.bigint())
    one.verifies++
    if (decision?.outcome === 'match') {
      one.matches++
      one.lastMatchNs = Math.max(one.lastMatchNs, startNs)
    } else if (decision?.outcome === 'refused' && decision.reason === 'revoked') {
      one.firstRefusedNs = Math.min(one.firstRefusedNs ?? Infinity, endNs)
    }
  }
}

/** A control whose rows do not fit together may fail; the real one may not. */
async function look(face: number): Promise<VerifyDecision | undefined> {
  try {
    return await world.vault.verify({ ...sampleOf(face), subject: `person-${face}` })
  } catch (error) {
    if (between === undefined) throw error
    return undefined
  }
}
