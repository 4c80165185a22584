/** The vault under faults: workers that lead people through the life of a template, one that rotates keys (I-10 … I-12). @module */
/// <reference types="node" />

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { realmPrefix } from '../../src/base/identifier.ts'
import { isSubjectKey } from '../../src/record/place.ts'
import { decodeSecretRow } from '../../src/record/secret-row.ts'
import type { Acknowledge, Driver, RunOptions } from './driver.ts'
import { seeded } from './driver.ts'
import { inspect } from './vault-inspect.ts'
import {
  after,
  choices,
  fromToken,
  NOBODY,
  type Person,
  perform,
  tokenOf,
  type Verb,
} from './vault-people.ts'
import { openWorld, type World, type WorldOptions } from './vault-world.ts'

const WORKERS = 6
const EACH = 4
const MOST_EPOCHS = 150

/**
 * Each worker leads four people of its own, one verb at a time, and says after each verb who that person is now. What
 * a verification found is kept beside the directory: the next run goes on from there. An image of a power cut is
 * judged and thrown away, so that nothing is kept of it.
 *
 * @param early says of an interposed store that it lies: then a worker that is lied to stops instead of failing
 */
export function vaultDriver(options: WorldOptions & { readonly early?: boolean } = {}): Driver {
  return {
    async run(directory, run, acknowledge) {
      const world = await openWorld(directory, options)
      acknowledge('ready')
      const people = readPeople(directory)
      const work = Array.from({ length: WORKERS }, (_, worker) =>
        lead(world, worker, people, run, acknowledge).catch((error: unknown) => {
          if (options.early !== true) throw error
        }),
      )
      await Promise.all([...work, rotateKeys(world, run, acknowledge)])
      await world.close()
    },

    async verify(directory, acknowledged) {
      const { early: _, between: __, ...plain } = options
      const world = await openWorld(directory, plain)
      try {
        const told = readPeople(directory)
        for (const token of acknowledged) {
          if (!token.startsWith('person/')) continue
          const [subject, person] = fromToken(token)
          told[subject] = person
        }
        const lostKeys = await inspectKeys(world, acknowledged)
        const { lost, torn, people } = await inspect(world, told)
        if (basename(directory) !== 'image') writeFileSync(fileOf(directory), JSON.stringify(people))
        return { lost: [...lostKeys, ...lost], torn }
      } finally {
        await world.close()
      }
    },
  }
}

function fileOf(directory: string): string {
  return join(dirname(directory), 'people.json')
}

function readPeople(directory: string): Person[] {
  const file = fileOf(directory)
  if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')) as Person[]
  return Array.from({ length: WORKERS * EACH }, () => NOBODY)
}

async function lead(
  world: World,
  worker: number,
  people: Person[],
  options: RunOptions,
  acknowledge: Acknowledge,
): Promise<void> {
  const random = seeded(options.seed * WORKERS + worker)
  for (let round = 0; round < options.rounds; round++) {
    const subject = worker + WORKERS * Math.floor(random() * EACH)
    const person = people[subject] ?? NOBODY
    const verbs = choices(person)
    const verb = verbs[Math.floor(random() * verbs.length)] as Verb
    await perform(world.vault, subject, person, verb)
    const next = after(subject, person, verb)
    people[subject] = next
    acknowledge(tokenOf(subject, next))
  }
}

/** Sometimes promotes a new epoch, and always brings every wrap under the one in force. */
async function rotateKeys(
  { vault, keyring }: World,
  options: RunOptions,
  acknowledge: Acknowledge,
): Promise<void> {
  const random = seeded(options.seed * WORKERS + WORKERS)
  for (let round = 0; round * 10 < options.rounds; round++) {
    await new Promise((resolve) => setTimeout(resolve, 20 + 60 * random()))
    if (random() < 0.5 && keyring.epochs.length < MOST_EPOCHS) {
      const epoch = await keyring.add()
      acknowledge(`added/${epoch}`)
      await keyring.promote(epoch)
      acknowledge(`promoted/${epoch}`)
    }
    const epoch = keyring.primary
    for await (const result of vault.rotate()) if (!result.ok) throw result.error
    acknowledge(`rotated/${epoch}`)
  }
}

/** What was acknowledged of epochs and wraps and is not so. */
async function inspectKeys({ ctx, keyring }: World, acknowledged: readonly string[]): Promise<string[]> {
  const highest = (what: string): number =>
    Math.max(
      0,
      ...acknowledged.map((token) => (token.startsWith(`${what}/`) ? Number(token.split('/')[1]) : 0)),
    )
  const lost: string[] = []
  if (keyring.epochs.length < highest('added')) lost.push(`epoch ${highest('added')} was added`)
  if (keyring.primary < highest('promoted')) lost.push(`epoch ${highest('promoted')} was promoted`)
  const prefix = realmPrefix(ctx.realm)
  for await (const { key, bytes } of ctx.secrets.scan('secrets', prefix)) {
    if (!isSubjectKey(ctx.realm, key)) continue
    const record = key.slice(prefix.length, prefix.length + 16)
    const place = { realm: ctx.realm, record, generation: key.slice(prefix.length + 16) }
    const { epoch } = decodeSecretRow(bytes, place)
    // Between two stores a wrap that nobody decided for is left as it is, and swept later.
    if (epoch < highest('rotated') && !ctx.split) lost.push(`a wrap of epoch ${epoch} was rotated`)
    if (epoch > keyring.primary) lost.push(`a wrap of epoch ${epoch}, which nobody promoted`)
  }
  return lost
}
