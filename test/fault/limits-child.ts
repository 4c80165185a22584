/** Child process: a store, a file anchor or a key directory on a volume that is full, read-only, or without file numbers to give. @module */
/// <reference types="node" />

import { spawnSync } from 'node:child_process'
import { chmodSync, closeSync, mkdirSync, openSync, readdirSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { logSigner, signCheckpoint } from '../../src/audit/checkpoint.ts'
import { fileAnchor } from '../../src/audit/file-anchor.ts'
import { sha256 } from '../../src/crypto/hash.ts'
import { createKeyring } from '../../src/keys/keyring.ts'
import { localKeyProvider } from '../../src/keys/local.ts'
import { type LmdbStore, lmdbStore } from '../../src/store/lmdb.ts'
import { memoryStore } from '../../src/store/memory.ts'

const [base = '', subject = '', limit = ''] = process.argv.slice(2)
const directory = join(base, 'work')
/** Root reads and writes whatever the bits say: become somebody else. */
if (process.getuid?.() === 0) {
  process.setgid?.(65_534)
  process.setuid?.(65_534)
}
mkdirSync(directory, { mode: 0o700 })

function say(...words: readonly (string | number)[]): void {
  writeSync(1, `${words.join(' ')}\n`)
}

async function told(what: string, call: () => Promise<unknown>): Promise<boolean> {
  try {
    await call()
    say(what, 'none')
    return true
  } catch (error) {
    say(what, error instanceof Error && 'code' in error ? String(error.code) : `untyped:${String(error)}`)
    return false
  }
}

/** Something durable that can be done again and again, and what of it is there. */
interface Subject {
  /** Opens what a limit may keep from opening. */
  open(): Promise<void>
  act(number: number): Promise<void>
  /** Numbers acknowledged whose work is not there. */
  missing(acknowledged: readonly number[]): Promise<readonly number[]>
  close(): Promise<void>
}

function storeSubject(): Subject {
  let store: LmdbStore | undefined
  const key = (number: number): Uint8Array => Uint8Array.of(number >> 8, number & 255)
  const opened = (): LmdbStore => {
    if (store === undefined) throw new Error('not open')
    return store
  }
  return {
    open: async () => {
      store ??= await lmdbStore({ path: directory })
    },
    act: async (number) => {
      const bytes = new Uint8Array(3000).fill(number)
      await opened().commit([
        { step: 'put', table: 'states', key: key(number), bytes, expected: null },
        { step: 'put', table: 'secrets', key: key(number), bytes, expected: null },
      ])
    },
    missing: async (acknowledged) => {
      const gone: number[] = []
      for (const number of acknowledged) {
        const rows = [await opened().get('states', key(number)), await opened().get('secrets', key(number))]
        if (rows.some((row) => row?.bytes[0] !== (number & 255))) gone.push(number)
      }
      return gone
    },
    close: async () => {
      await store?.close()
      store = undefined
    },
  }
}

async function anchorSubject(): Promise<Subject> {
  const anchor = fileAnchor(join(directory, 'anchor'))
  const signer = await logSigner('clinic.example/guise', new Uint8Array(32).fill(7))
  return {
    open: async () => {},
    act: async (number) =>
      await anchor.advance(
        await signCheckpoint(signer, { size: number, root: sha256(Uint8Array.of(number)) }),
      ),
    missing: async (acknowledged) => {
      const kept = (await anchor.read())?.size ?? 0
      return acknowledged.filter((number) => number > kept)
    },
    close: async () => {},
  }
}

async function keysSubject(): Promise<Subject> {
  const provider = localKeyProvider({ path: directory, key: new Uint8Array(32).fill(5) })
  const keyring = await createKeyring({ realm: 'clinic', store: memoryStore(), provider })
  const made = new Map<number, number>()
  return {
    open: async () => {},
    act: async (number) => {
      made.set(number, await keyring.add())
    },
    missing: async (acknowledged) => {
      const epochs = new Set(keyring.epochs.map(({ epoch }) => Number(epoch)))
      const files = readdirSync(directory).filter((name) => !name.startsWith('new-')).length
      // A key file for each epoch, and one for the realm secret.
      return acknowledged.filter((number) => !epochs.has(made.get(number) ?? 0) || files < epochs.size + 1)
    },
    close: async () => {},
  }
}

/** Where a lock can still be written and a note or a key cannot; a store may grow by a commit or two. */
const SIZES: Readonly<Record<string, number>> = { anchor: 150, keys: 16 }

/** Limits that begin and end. Each gives what ends it. */
const LIMITS: Readonly<Record<string, () => () => void>> = {
  full: () => {
    const sizes = readdirSync(directory).map((name) => statSync(join(directory, name)).size)
    limitTo('fsize', SIZES[subject] ?? Math.max(...sizes) + 40_960)
    return () => limitTo('fsize', 'unlimited')
  },
  lock: () => {
    limitTo('fsize', 8)
    return () => limitTo('fsize', 'unlimited')
  },
  readonly: () => {
    const names = readdirSync(directory)
    for (const name of names) chmodSync(join(directory, name), 0o400)
    chmodSync(directory, 0o500)
    return () => {
      chmodSync(directory, 0o700)
      for (const name of names) chmodSync(join(directory, name), 0o600)
    }
  },
}

function limitTo(resource: string, value: number | string): void {
  const run = spawnSync('prlimit', ['--pid', String(process.pid), `--${resource}=${value}:unlimited`])
  if (run.status !== 0) throw new Error(`prlimit: ${run.stderr.toString()}`)
}

const made: Readonly<Record<string, () => Subject | Promise<Subject>>> = {
  store: storeSubject,
  anchor: anchorSubject,
  keys: keysSubject,
}
const target = await (made[subject] ?? storeSubject)()
const acknowledged: number[] = []
let number = 0
async function act(what: string): Promise<void> {
  number += 1
  if (await told(what, () => target.act(number))) acknowledged.push(number)
}

await target.open()
for (let i = 0; i < 3; i++) await act('before')
if (limit === 'files') {
  spawnSync('prlimit', ['--pid', String(process.pid), '--nofile=96:4096'])
  const taken: number[] = []
  for (;;) {
    try {
      taken.push(openSync('/dev/null', 'r'))
    } catch {
      break
    }
  }
  // With no number left, with one, with two …
  for (let left = 0; left <= 10; left++) {
    await target.close()
    if (await told('open', () => target.open())) await act('during')
    closeSync(taken.pop() ?? 0)
  }
  for (const file of taken) closeSync(file)
} else {
  if (limit === 'readonly') await target.close()
  const end = LIMITS[limit]?.()
  for (let i = 0; i < 30; i++) {
    if (limit === 'readonly' && !(await told('open', () => target.open()))) continue
    await act('during')
  }
  end?.()
}
await target.close()
await told('reopen', () => target.open())
say('missing', (await target.missing(acknowledged)).join(',') || 'none')
for (let i = 0; i < 3; i++) await act('afterwards')
say('missing', (await target.missing(acknowledged)).join(',') || 'none')
await target.close()
say('left', readdirSync(directory).filter((name) => name.includes('.lock')).length)
say('done')
process.exit(0)
