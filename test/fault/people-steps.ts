/** Random verbs one after the other, and after each the number of live persons by the log, by the rows, and by a model (SPEC §12.5). @module */
/// <reference types="node" />

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { countPeople } from '../../src/vault/count-people.ts'
import { watchPeople } from '../../src/vault/watch-people.ts'
import type { TestServer } from '../support/postgres.ts'
import { seeded } from './driver.ts'
import { withPeopleStore } from './people-postgres.ts'
import { basis, openWorld, sampleOf, type World } from './vault-world.ts'

export interface StepsOptions {
  /** Verbs that the state of their person allows. */
  readonly steps: number
  readonly seed: number
  /** Counts as if every so many-th change had not been. */
  readonly forget?: number
  /** Without one the store lies on LMDB. */
  readonly server?: TestServer
}

export interface StepsResult {
  readonly asked: number
  /** Verbs that the state of their person allowed; after each the log was read on. */
  readonly done: number
  /** Times that it was read from its beginning. */
  readonly whole: number
  /** The largest number of live persons. */
  readonly most: number
  /** Readings that differ from rows or model. */
  readonly wrong: number
}

const PEOPLE = 60
const WHOLE = 500

export function countSteps(options: StepsOptions): Promise<StepsResult> {
  return withPeopleStore(options.server, () => countStepsOn(options))
}

async function countStepsOn({ steps, seed, forget }: StepsOptions): Promise<StepsResult> {
  const base = mkdtempSync(join(tmpdir(), 'guise-steps-'))
  mkdirSync(join(base, 'store'), { mode: 0o700 })
  const world = await openWorld(join(base, 'store'))
  const { keyring } = world
  const watch = watchPeople({ keyring, store: world.ctx.ring.store, thresholds: [1_000_000], everyMs: 10 })
  const random = seeded(seed)
  const model = new Set<number>()
  const held = new Set<number>()
  let [asked, done, whole, most, wrong, changes] = [0, 0, 0, 0, 0, 0]
  try {
    while (done < steps) {
      const person = Math.floor(PEOPLE * random())
      const change = await oneStep(world, person, random)
      asked += 1
      if (change === undefined) continue
      done += 1
      if (change === 'hold') held.add(person)
      if (change === 'release') held.delete(person)
      // Of who is under a legal hold nothing is deleted: a withdrawal waits, a breach marks.
      const ends = change === 'end' && !held.has(person)
      changes += Number(ends || change === 'begin')
      if (forget !== undefined && changes % forget === 0) continue
      if (change === 'begin') model.add(person)
      if (ends) model.delete(person)
      let rows = 0
      for await (const _ of world.ctx.store.scan('references', Uint8Array.of(0))) rows += 1
      const counts = [(await watch.next()).value?.people, rows]
      if (done % WHOLE === 0 || done === steps) {
        counts.push(await countPeople(keyring))
        whole += 1
      }
      most = Math.max(most, model.size)
      wrong += counts.filter((count) => count !== model.size).length
    }
    return { asked, done, whole, most, wrong }
  } finally {
    await watch.return(undefined as never)
    await world.close()
    rmSync(base, { recursive: true, force: true })
  }
}

type Change = 'begin' | 'end' | 'hold' | 'release' | 'other'

/** What was done; `undefined` when the state of the person does not allow it. */
async function oneStep({ vault }: World, person: number, random: () => number): Promise<Change | undefined> {
  const subject = `person-${person}`
  const sample = { subject, basis: basis(), ...sampleOf(person) }
  const verbs: readonly (readonly [Change, () => Promise<unknown>])[] = [
    ['begin', () => vault.enroll(sample)],
    ['begin', () => vault.enroll(sample)],
    ['begin', () => vault.reissue(sample)],
    ['end', () => vault.revoke(subject, random() < 0.5 ? 'breach' : 'other')],
    ['end', () => vault.erase(subject)],
    ['end', () => vault.withdraw(subject)],
    ['hold', () => vault.hold(subject)],
    ['release', () => vault.release(subject)],
    ['other', () => vault.suspend(subject)],
    ['other', () => vault.resume(subject)],
  ]
  const [change, verb] = verbs[Math.floor(verbs.length * random())] as (typeof verbs)[number]
  try {
    await verb()
    return change
  } catch (error) {
    const code = String((error as { code?: unknown }).code)
    if (!/^ERR_(?:VAULT_(?:UNKNOWN_SUBJECT|ENROLLED|TRANSITION)|POLICY_)/.test(code)) throw error
    return undefined
  }
}
