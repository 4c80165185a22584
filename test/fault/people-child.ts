/** A process that works on a realm of people, purges it or counts it, for the kill tests of retention. @module */
/// <reference types="node" />

import { readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { processIo } from '../../src/cli/io.ts'
import { purgeCommand } from '../../src/cli/purge.ts'
import { Receipts } from '../../src/cli/receipts.ts'
import { openKeyring } from '../../src/keys/keyring.ts'
import { localKeyProvider } from '../../src/keys/local.ts'
import type { RetentionPolicy } from '../../src/policy/retention.ts'
import { countPeople } from '../../src/vault/count-people.ts'
import { purge } from '../../src/vault/purge.ts'
import { watchPeople } from '../../src/vault/watch-people.ts'
import { seeded } from './driver.ts'
import { POSTGRES_WORLD } from './postgres-world.ts'
import { basis, openWorld, openWorldStore, providerKey, REALM, sampleOf, worldSigner } from './vault-world.ts'

const [mode = '', base = '', seed = '0'] = process.argv.slice(2)

if (mode === 'purge' && process.env[POSTGRES_WORLD] !== undefined) await purgeHere()
else if (mode === 'purge') {
  const argv = readFileSync(join(base, 'argv'), 'utf8').split('\n')
  process.exitCode = await purgeCommand(argv, processIo())
} else if (mode === 'count') {
  const world = await openWorld(join(base, 'store'))
  writeSync(1, `${await countPeople(world.keyring)}\n`)
  await world.close()
} else if (mode === 'watch') await watch()
else if (mode === 'fill') await fill(Number(process.argv[5]))
else await work()

/** What `guise purge` does, on PostgreSQL: the command is for LMDB. */
async function purgeHere(): Promise<void> {
  const world = await openWorld(join(base, 'store'))
  const policies = JSON.parse(readFileSync(join(base, 'policies.json'), 'utf8')) as readonly RetentionPolicy[]
  const receipts = new Receipts(join(base, 'receipts'))
  const { keyring, ctx } = world
  const where = { keyring, store: ctx.ring.store, logSigner: await worldSigner() }
  for await (const page of purge({ ...where, policies, resume: receipts.open })) receipts.write(page)
  receipts.close()
  await world.close()
}

/** Watches until somebody kills it, or once when it is told so; a byte for each reading. */
async function watch(): Promise<void> {
  const store = await openWorldStore(join(base, 'store'))
  const key = providerKey()
  const provider = localKeyProvider({ path: join(base, 'keys'), key })
  const keyring = await openKeyring({ realm: REALM, provider, store })
  const thresholds = readFileSync(join(base, 'thresholds'), 'utf8').split(',').map(Number)
  for await (const _ of watchPeople({ keyring, store, thresholds, everyMs: 10 })) {
    writeSync(1, '.')
    if (seed === 'once') break
  }
  keyring.close()
  provider.close()
  await store.close()
}

/** Verbs on twenty people of its own, until somebody kills it. */
async function work(): Promise<void> {
  const world = await openWorld(join(base, 'store'))
  const random = seeded(Number(seed))
  for (let person = 0; ; person = Math.floor(20 * random())) {
    const subject = `${seed}-${person}`
    const verbs = [
      () => world.vault.enroll({ subject, basis: basis(), ...sampleOf(person) }),
      () => world.vault.reissue({ subject, basis: basis(), ...sampleOf(person) }),
      () => world.vault.revoke(subject, random() < 0.5 ? 'breach' : 'other'),
      () => world.vault.withdraw(subject),
      () => world.vault.hold(subject),
      () => world.vault.release(subject),
      () => world.vault.erase(subject),
    ]
    // What a record's state does not allow is refused, and changes nothing.
    await verbs[Math.floor(verbs.length * random())]?.().catch(() => undefined)
    writeSync(1, '.')
  }
}

/** Enrols so many people of its own, 64 at a time. */
async function fill(people: number): Promise<void> {
  const world = await openWorld(join(base, 'store'))
  let next = 0
  const lane = async (): Promise<void> => {
    while (next < people) {
      const person = next++
      await world.vault.enroll({ subject: `${seed}-${person}`, basis: basis(), ...sampleOf(person) })
    }
  }
  await Promise.all(Array.from({ length: 64 }, lane))
  await world.close()
}
