/** A vault whose every acknowledged operation must have its entry in the log, once: for the kill loop (I-46). @module */
/// <reference types="node" />

import { decodeEntry } from '../../src/audit/entry.ts'
import { decodePage } from '../../src/audit/log-rows.ts'
import { storedLog } from '../../src/audit/stored-log.ts'
import { verifyLog } from '../../src/audit/verify.ts'
import { lmdbStore } from '../../src/store/lmdb.ts'
import type { Store } from '../../src/store/store.ts'
import type { Driver, RunOptions } from './driver.ts'
import { basis, openWorld, REALM, sampleOf, type World, worldSigner } from './vault-world.ts'

const WORKERS = 6
const VERBS = ['enroll', 'match', 'nonmatch', 'suspend', 'resume', 'match', 'revoke', 'erase'] as const

export const driver: Driver = {
  async run(directory, options, acknowledge) {
    const world = await openWorld(directory)
    acknowledge('ready')
    const work = Array.from({ length: WORKERS }, (_, worker) => lead(world, worker, options, acknowledge))
    await Promise.all(work)
    await world.close()
  },

  async verify(directory, acknowledged) {
    const world = await openWorld(directory)
    await world.close()
    await using store = await lmdbStore({ path: directory })
    const { verifierKey } = await worldSigner()
    await verifyLog(storedLog(store, REALM).export(), { logKey: verifierKey })
    const told = await actorsOf(store)
    const lost = acknowledged.filter((token) => !told.has(token))
    return {
      lost,
      torn: [...told].filter(([, times]) => times > 1).map(([actor]) => `${actor} is there twice`),
    }
  },
}

/** One person after the other, from enrolment to erasure; each call has a name that its entry gives as the actor. */
async function lead(
  { vault }: World,
  worker: number,
  { seed, rounds }: RunOptions,
  acknowledge: (token: string) => void,
): Promise<void> {
  const started = Date.now().toString(36)
  for (let round = 0; round < rounds; round++) {
    const face = worker + WORKERS * round
    const subject = `${started}-${seed}-${face}`
    for (const [step, verb] of VERBS.entries()) {
      const actor = `${subject}-${step}`
      if (verb === 'enroll') await vault.enroll({ ...sampleOf(face), subject, basis: basis() }, { actor })
      else if (verb === 'match' || verb === 'nonmatch') {
        const { outcome } = await vault.verify({ ...sampleOf(face, verb === 'nonmatch'), subject }, { actor })
        if (outcome !== verb) throw new Error(`${outcome} instead of ${verb}`)
      } else if (verb === 'revoke') await vault.revoke(subject, 'withdrawn', { actor })
      else await vault[verb](subject, { actor })
      acknowledge(actor)
    }
  }
}

/** How often each actor occurs in the log. */
export async function actorsOf(store: Store): Promise<ReadonlyMap<string, number>> {
  const told = new Map<string, number>()
  for await (const { key, bytes } of store.scan('log', new Uint8Array(1))) {
    if (key.at(-9) !== 2) continue
    for (const entry of decodePage(bytes)) {
      const { actor } = decodeEntry(entry)
      if (actor !== null) told.set(actor, (told.get(actor) ?? 0) + 1)
    }
  }
  return told
}
