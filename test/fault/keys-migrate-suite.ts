/** A process that is killed while it moves a keyring, or destroys what the old provider holds (KEYS-24, KEYS-25). @module */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createKeyring, type KeyProvider, openKeyring } from 'guise'
import { transitKeyProvider } from 'guise/kms'
import { lmdbStore } from 'guise/lmdb'
import { localKeyProvider } from 'guise/node'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { toHex } from '../../src/base/bytes.ts'
import { type TransitServer, transitServer } from '../support/transit-server.ts'
import { preparedOf, REALM } from '../unit/keys-support.ts'

let server: TransitServer
const folders: string[] = []

/** Which requests of a migration, and of a destruction, are the last of a process. */
export interface KillPoints {
  readonly migrate: readonly number[]
  readonly destroy: readonly number[]
}

/** The tests; few points or all of them. */
export function migrationKills(points: KillPoints): void {
  beforeAll(async () => {
    server = await transitServer()
  })
  afterEach(() => {
    server.outage = () => undefined
  })
  afterAll(async () => {
    await server.close()
    for (const folder of folders) await rm(folder, { recursive: true, force: true })
  })

  test('KEYS-24 killed at a request of the migration, the keyring is whole, and the next call moves it', async () => {
    // Four requests for each of four secrets: the key is made and looked at, the secret wrapped and unwrapped.
    for (const killAt of points.migrate) {
      const moving = await place()
      expect(await run(moving, 'migrate', killAt)).toBe(false)
      expect(await faults(moving, 'local')).toEqual([])
      expect(await run(moving, 'migrate')).toBe(true)
      expect(await faults(moving, 'transit')).toEqual([])
    }
  }, 600_000)

  test('KEYS-24 control: a migration that names the new provider too early is caught', async () => {
    const moving = await place()
    expect(await run(moving, 'hasty', 6)).toBe(false)
    expect(await faults(moving)).not.toEqual([])
  }, 60_000)

  test('KEYS-25 killed while it destroys, the next call finishes it', async () => {
    const moving = await place()
    expect(await run(moving, 'migrate')).toBe(true)
    expect(await run(moving, 'back')).toBe(true)
    const prefix = `kill${moving.folder.slice(-6)}-`
    const left = (): number => [...server.keys.keys()].filter((name) => name.startsWith(prefix)).length
    expect(left()).toBe(4)
    // The proof is one request, each key three: it is allowed, deleted, and looked for.
    for (const killAt of points.destroy) {
      expect(await run(moving, 'destroy', killAt)).toBe(false)
      expect(await faults(moving, 'local')).toEqual([])
    }
    expect(await run(moving, 'destroy')).toBe(true)
    expect(left()).toBe(0)
    expect(await faults(moving, 'local')).toEqual([])
  }, 600_000)
}

const KEY = new Uint8Array(32).fill(3)
const EPOCHS = [1, 2, 3]

/** Moves the ring as it was told; `hasty` is the seeded bug: the ring names the new provider before all is wrapped. */
const CODE = `
  const [modules, folder, address, task] = process.argv.slice(1)
  const { openKeyring } = await import(modules + 'index.js')
  const { transitKeyProvider } = await import(modules + 'kms.js')
  const { lmdbStore } = await import(modules + 'lmdb.js')
  const { destroyFormerKeys, localKeyProvider, migrateKeyring } = await import(modules + 'node.js')
  const { ringState } = await import(modules + 'keys/keyring.js')
  const { epochContext, realmContext } = await import(modules + 'keys/provider.js')
  const { changeRing } = await import(modules + 'keys/ring-change.js')
  const store = await lmdbStore({ path: folder + '/store' })
  const local = localKeyProvider({ path: folder + '/keys', key: new Uint8Array(32).fill(3) })
  const transit = transitKeyProvider({ address, token: 'hvs.example', id: 'transit', prefix: 'kill' + folder.slice(-6) })
  const keyring = await openKeyring({ realm: 'clinic', provider: local, otherProviders: [transit], store })
  if (task === 'migrate') await migrateKeyring(keyring, 'transit')
  if (task === 'back') await migrateKeyring(keyring, 'local')
  if (task === 'destroy') await destroyFormerKeys(keyring, 'transit')
  if (task === 'hasty') {
    const state = ringState(keyring)
    const again = async (wrapped, context) => transit.wrap(await local.unwrap(wrapped, context), context)
    for (const epoch of [0, 1, 2, 3]) {
      await changeRing(state, { action: 'key-migrate' }, {}, async (ring) => {
        const { realm } = ring
        const secrets = epoch > 0 ? ring.secrets : [{ ...ring.secrets[0], wrapped: await again(ring.secrets[0].wrapped, realmContext(realm, 1)) }]
        const epochs = await Promise.all(ring.epochs.map(async (entry) =>
          entry.epoch === epoch ? { ...entry, wrapped: await again(entry.wrapped, epochContext(realm, epoch)) } : entry))
        return { ring: { ...ring, version: ring.version + 1, provider: 'transit', secrets, epochs } }
      })
    }
  }
  await store.close()
  process.stdout.write('done')
`

interface Place {
  readonly folder: string
  readonly keys: readonly string[]
}

function providersOf(folder: string): { local: KeyProvider; transit: KeyProvider } {
  return {
    local: localKeyProvider({ path: join(folder, 'keys'), key: KEY }),
    transit: transitKeyProvider({
      address: server.address,
      token: 'hvs.example',
      id: 'transit',
      prefix: `kill${folder.slice(-6)}`,
    }),
  }
}

/** A keyring of three epochs in a folder, and what its keys are. */
async function place(): Promise<Place> {
  const folder = await mkdtemp(join(tmpdir(), 'guise-move-'))
  folders.push(folder)
  const store = await lmdbStore({ path: join(folder, 'store') })
  const keyring = await createKeyring({ realm: REALM, provider: providersOf(folder).local, store })
  await keyring.add()
  await keyring.add()
  const keys = []
  for (const epoch of EPOCHS) keys.push(toHex(await preparedOf(keyring, epoch)))
  keyring.close()
  await store.close()
  return { folder, keys }
}

/** Runs a task in a process; kills it at the request of that number, or lets it end. True when it ended by itself. */
async function run({ folder }: Place, task: string, killAt = Number.POSITIVE_INFINITY): Promise<boolean> {
  const modules = String(new URL('../../dist/', import.meta.url))
  const argv = ['--input-type=module', '-e', CODE, modules, folder, server.address, task]
  const child: ChildProcess = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] })
  let said = ''
  child.stdout?.on('data', (chunk: Uint8Array) => {
    said += String(chunk)
  })
  let requests = 0
  server.outage = () => {
    if (++requests !== killAt) return undefined
    child.kill('SIGKILL')
    return 'silence'
  }
  await once(child, 'close')
  server.outage = () => undefined
  return said === 'done'
}

/** What is wrong with the keyring now; nothing when every epoch opens to the key that it had. */
async function faults({ folder, keys }: Place, provider?: string): Promise<string[]> {
  const store = await lmdbStore({ path: join(folder, 'store') })
  const { local, transit } = providersOf(folder)
  const found: string[] = []
  try {
    const keyring = await openKeyring({ realm: REALM, provider: local, otherProviders: [transit], store })
    if (provider !== undefined && keyring.provider !== provider) found.push(`under ${keyring.provider}`)
    for (const [at, epoch] of EPOCHS.entries()) {
      try {
        if (toHex(await preparedOf(keyring, epoch)) !== keys[at]) found.push(`epoch ${epoch} is another key`)
      } catch (error) {
        found.push(`epoch ${epoch}: ${(error as { code?: string }).code}`)
      }
    }
    keyring.close()
  } catch (error) {
    found.push(String((error as { code?: string }).code))
  } finally {
    await store.close()
  }
  return found
}
