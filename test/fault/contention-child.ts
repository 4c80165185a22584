/** Child process of the contention test: every verb on a few people, many at once, each call timed (I-26). @module */
/// <reference types="node" />

import { writeSync } from 'node:fs'
import { GuiseError } from '../../src/base/errors.ts'
import { readRows } from '../../src/store/read-rows.ts'
import type { Store } from '../../src/store/store.ts'
import { seeded } from './driver.ts'
import { subjectName } from './vault-people.ts'
import { basis, openWorld, sampleOf } from './vault-world.ts'

export interface ContentionTally {
  readonly calls: number
  readonly slowestMs: number
  /** Calls that took more than ten seconds. */
  readonly late: readonly string[]
  /** Calls by verb and what came of them. */
  readonly outcomes: Readonly<Record<string, number>>
  readonly untyped: readonly string[]
}

const PEOPLE = 4
/** As many as connections. */
const LANES = 4
/** No call may take longer. */
const MOST_MS = 10_000
/** The first seven as often as the other thirteen. */
const OFTEN = 'match match match match wrong wrong wrong'.split(' ')
const VERBS =
  'enroll enroll reissue reissue suspend resume resume hold release release rebind revoke erase'.split(' ')
/** Calls of one process after which somebody looks, and rotates. */
const LOOK_EACH = 50
const ROTATE_EACH = 1000

const [directory = '', seed = '0', durationMs = '0', variant = ''] = process.argv.slice(2)
const random = seeded(Number(seed))
const between = variant === 'raw' ? { between: rawErrors } : {}
const world = await openWorld(directory, between)
const tally = {
  calls: 0,
  slowestMs: 0,
  late: [] as string[],
  outcomes: {} as Record<string, number>,
  untyped: [] as string[],
}
writeSync(1, '"ready"\n')
const endMs = performance.now() + Number(durationMs)
await Promise.all(Array.from({ length: LANES }, () => lane()))
writeSync(1, `${JSON.stringify(tally)}\n`)
await world.close()

async function lane(): Promise<void> {
  while (performance.now() < endMs) {
    const verbs = random() < 0.5 ? OFTEN : VERBS
    const verb = verbs[Math.floor(random() * verbs.length)] as string
    const person = Math.floor(random() * PEOPLE)
    const begunMs = performance.now()
    let outcome: string
    try {
      outcome = await call(verb, person)
      if (++tally.calls % LOOK_EACH === 0) await look(person)
      if (tally.calls % ROTATE_EACH === 0) await rotate()
    } catch (error) {
      outcome = error instanceof GuiseError ? error.code : 'untyped'
      if (!(error instanceof GuiseError)) tally.untyped.push(String(error))
    }
    tally.outcomes[`${verb} ${outcome}`] = (tally.outcomes[`${verb} ${outcome}`] ?? 0) + 1
    const ms = Math.round(performance.now() - begunMs)
    tally.slowestMs = Math.max(tally.slowestMs, ms)
    if (ms > MOST_MS) tally.late.push(`${verb} ${outcome} ${ms}`)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

async function call(verb: string, person: number): Promise<string> {
  const { vault } = world
  const subject = subjectName(person)
  const sample = (wrong = false) => ({ ...sampleOf(person, wrong), subject })
  if (verb === 'match' || verb === 'wrong') return (await vault.verify(sample(verb === 'wrong'))).outcome
  if (verb === 'enroll') await vault.enroll({ ...sample(), basis: basis() })
  else if (verb === 'reissue') await vault.reissue({ ...sample(), basis: basis() })
  else if (verb === 'revoke') await vault.revoke(subject, 'withdrawn')
  else await vault[verb as 'suspend' | 'resume' | 'hold' | 'release' | 'rebind' | 'erase'](subject)
  return 'ok'
}

async function look(person: number): Promise<void> {
  await world.vault.describe(subjectName(person))
  if (!(await world.vault.health()).ok) throw new Error('the vault is not well')
}

async function rotate(): Promise<void> {
  await world.keyring.promote(await world.keyring.add())
  for await (const result of world.vault.rotate()) if (!result.ok) throw result.error
}

/** The control: now and then the error of a driver comes through as it is. */
function rawErrors(store: Store): Store {
  return {
    durable: store.durable,
    get: (table, key, options) => store.get(table, key, options),
    getMany: (places, options) => readRows(store, places, options),
    async commit(steps, options) {
      if (random() < 0.01) throw new Error('deadlock detected')
      return await store.commit(steps, options)
    },
    scan: (table, from, options) => store.scan(table, from, options),
    close: () => store.close(),
    [Symbol.asyncDispose]: () => store.close(),
  }
}
