/** Child process that is searched for canaries: every verb and every way to fail, everything told (I-01, I-02). @module */
/// <reference types="node" />

import { once } from 'node:events'
import { appendFileSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { storedLog } from '../../src/audit/stored-log.ts'
import type { CallOptions } from '../../src/base/errors.ts'
import { localKeyProvider } from '../../src/keys/local.ts'
import { StoreError } from '../../src/store/errors.ts'
import type { LmdbStore } from '../../src/store/lmdb.ts'
import { readRows } from '../../src/store/read-rows.ts'
import type { Store } from '../../src/store/store.ts'
import { fsck } from '../../src/vault/fsck.ts'
import { vaultStatus } from '../../src/vault/status.ts'
import { openSinks } from './canary-sinks.ts'
import { CanaryWork } from './canary-work.ts'
import { telling } from './telling-store.ts'
import { openWorld, openWorldStore, providerKey, REALM } from './vault-world.ts'

const [base = '', custody = 'operator', operations = '0', pauses = '1'] = process.argv.slice(2)
const directory = join(base, 'store')
const artefacts = join(base, 'artefacts')
const anchor = join(artefacts, 'anchor')
const count = Number(operations)
const each = Math.ceil(count / Number(pauses))
const profile = custody === 'holder' ? 'holder' : 'operator'
const sinks = openSinks(artefacts)
const journal = openSync(join(base, 'journal'), 'a')
const faults = { next: 'none' as 'none' | 'before' | 'after' }
let raw: Store | undefined
let outer: Store | undefined
const between = (store: Store): Store => {
  raw = store
  outer = telling(failing(store), journal)
  return outer
}
const world = await openWorld(directory, { custody: profile, between, telemetry: sinks.telemetry, anchor })
const work = new CanaryWork({ world, sinks, journal, faults, holder: profile === 'holder', seed: 1001 })
await pause('open')
for (let i = 0; i < count; i++) {
  await work.operate(i)
  // The parent cuts the connections of a server now and then.
  if (i % 100 === 50) process.send?.('cut')
  if (i % each === each - 1) await pause('work')
}
await tellEverything()
await pause('done')
await world.close()
const kept: Uint8Array[] = []
for (const hex of (await pause('closed')) as readonly string[]) {
  kept.push(Uint8Array.from(Buffer.from(hex, 'hex')))
}
await plant()
await pause('planted')
process.disconnect()

/** Lets a turn of the event loop pass, says so, and waits for the parent's answer. */
async function pause(name: string): Promise<unknown> {
  await new Promise((resolve) => setImmediate(resolve))
  process.send?.(name)
  const [answer] = await once(process, 'message')
  return answer
}

/** What an operator looks at. */
async function tellEverything(): Promise<void> {
  const { vault, keyring } = world
  const store = outer as Store
  sinks.returned(await vault.health())
  sinks.returned(await vaultStatus({ keyring, store }))
  for await (const fault of fsck({ keyring, store })) sinks.returned(fault)
  const key = providerKey()
  const provider = localKeyProvider({ path: join(base, 'keys'), key })
  for (const object of [vault, keyring, provider, keyring.epochs]) sinks.returned(object)
  provider.close()
  key.fill(0)
  for await (const piece of storedLog(store, REALM).export()) {
    appendFileSync(join(artefacts, 'export'), piece)
  }
  await backUp(raw as Store, 'backup')
}

async function backUp(store: Store, name: string): Promise<void> {
  if ('backup' in store) await (store as LmdbStore).backup(join(artefacts, 'backup', name))
}

/** The control: the parent's pieces leave by every way there is. */
async function plant(): Promise<void> {
  const store = await openWorldStore(directory)
  for (const [i, bytes] of kept.entries()) {
    const buffer = Buffer.from(bytes)
    sinks.returned({ planted: bytes, text: buffer.toString('latin1') })
    sinks.thrown(new Error(`planted ${buffer.toString('hex')}`, { cause: buffer }))
    const verb = buffer.toString('base64')
    sinks.telemetry.count('guise.vault.calls', 1, { verb, outcome: `ERR_${verb}` })
    const key = Uint8Array.of(1, REALM.length, 255, i)
    await store.commit([{ step: 'put', table: 'log', key, bytes, expected: null }])
    for (const name of ['export', 'anchor']) appendFileSync(join(artefacts, name), bytes)
    appendFileSync(join(base, 'keys', 'planted'), bytes)
  }
  await backUp(store, 'planted')
  await store.close()
}

/** Fails a commit when it is told to: before it, or after it with the answer lost. */
function failing(store: Store): Store {
  return {
    durable: store.durable,
    get: (table, key, options) => store.get(table, key, options),
    getMany: (places, options) => readRows(store, places, options),
    async commit(steps, options?: CallOptions) {
      const { next } = faults
      faults.next = 'none'
      if (next === 'before') throw new StoreError('ERR_STORE_FULL', 'planted')
      const versions = await store.commit(steps, options)
      if (next === 'after') throw new StoreError('ERR_STORE_INDETERMINATE', 'planted')
      return versions
    },
    scan: (table, from, options) => store.scan(table, from, options),
    close: () => store.close(),
    [Symbol.asyncDispose]: () => store.close(),
  }
}
