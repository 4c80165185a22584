/** Kills purges, and processes that change people, again and again, and compares what the store holds (SPEC §12.4). @module */
/// <reference types="node" />

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fromBase64, toHex } from '../../src/base/bytes.ts'
import { backupCommand } from '../../src/cli/backup.ts'
import { Needles, scanFolder } from '../../src/cli/byte-scan.ts'
import { processIo } from '../../src/cli/io.ts'
import { verifyErasureReceipt } from '../../src/vault/erasure-receipt.ts'
import type { TestServer } from '../support/postgres.ts'
import { compile, type Mutation } from './compile.ts'
import { seeded } from './driver.ts'
import { type PeopleServer, withPeopleStore } from './people-postgres.ts'
import { VAULT_FOLDERS } from './vault-folders.ts'
import { basis, openWorld, openWorldStore, providerKey, REALM, sampleOf } from './vault-world.ts'

const ENTRY = join('test', 'fault', 'people-child.js')
const FOLDERS = [...VAULT_FOLDERS, 'src/cli']
const DAY_MS = 86_400_000
const WIDTH = 64
const END_BYTES = 32

export interface PurgeKillOptions {
  readonly subjects: number
  readonly kills: number
  readonly seed: number
  readonly mutation?: Mutation
  /** Without one the store lies on LMDB. */
  readonly server?: TestServer
  /** The server samples bytes of rows for its planner. */
  readonly sampled?: boolean
}

export interface PurgeKillResult {
  readonly killed: number
  /** Erased before their time, or under a legal hold. */
  readonly early: number
  /** Still there although their time was over. */
  readonly late: number
  /** Rows of any table that belong to nobody who is left. */
  readonly left: number
  /** Erased without exactly one receipt that verifies. */
  readonly unproven: number
  readonly residue: Residue
}

/**
 * Pieces of erased codes, wraps and mappings in a copy as `guise backup` makes one, on PostgreSQL in the server's files of tables after
 * `VACUUM FULL`: before the purge, all of them; after it, none. `vacuumed`: after the purge and a `VACUUM` that is not full.
 */
export interface Residue {
  readonly before: number
  readonly vacuumed?: number
  readonly after: number
  readonly of: number
}

/** Of three people one is due, one has half a day left, and one is under a legal hold. */
export function killPurge(options: PurgeKillOptions): Promise<PurgeKillResult> {
  return withPeopleStore(options.server, (server) => killPurgeOn(options, server), options.sampled)
}

async function killPurgeOn(
  options: PurgeKillOptions,
  server: PeopleServer | undefined,
): Promise<PurgeKillResult> {
  const { subjects, kills, seed, mutation } = options
  const entry = join(compile({ folders: FOLDERS, ...(mutation === undefined ? {} : { mutation }) }), ENTRY)
  const base = mkdtempSync(join(tmpdir(), 'guise-purge-'))
  const random = seeded(seed)
  try {
    await populate(base, subjects)
    const before = await rowEnds(base)
    await (server?.copyFiles(join(base, 'before'), 'VACUUM FULL', 'ANALYZE') ?? backup(base, 'before'))
    const due = Math.ceil(subjects / 3)
    let killed = 0
    for (let run = 0; run < kills; run++) {
      const enough = Math.floor(((run + random()) / kills) * 1.8 * due)
      if (await runPurge(base, entry, { enough, delayMs: 12 * random() })) killed += 1
    }
    await runPurge(base, entry)
    await server?.copyFiles(join(base, 'vacuumed'), 'VACUUM')
    await (server?.copyFiles(join(base, 'after'), 'VACUUM FULL') ?? backup(base, 'after'))
    const residue = await residueOf(base, before)
    return { killed, ...(await judge(base, subjects)), residue }
  } finally {
    rmSync(base, { recursive: true, force: true })
  }
}

async function populate(base: string, subjects: number): Promise<void> {
  const at = (name: string): string => join(base, name)
  mkdirSync(at('store'), { mode: 0o700 })
  writeFileSync(at('key'), providerKey(), { mode: 0o600 })
  writeFileSync(at('log-key'), new Uint8Array(32).fill(6), { mode: 0o600 })
  writeFileSync(at('policies.json'), JSON.stringify([{ purpose: 'login', afterExpiryDays: 1 }]))
  const argv = ['--realm', REALM, '--store', at('store'), '--provider', at('keys'), '--key-file', at('key')]
  const more = ['--policies', at('policies.json'), '--receipts', at('receipts')]
  const log = ['--origin', `${REALM}.example/guise`, '--log-key-file', at('log-key')]
  writeFileSync(at('argv'), [...argv, ...more, ...log, '--json'].join('\n'))
  const world = await openWorld(at('store'))
  const nowMs = Date.now()
  const enroll = async (person: number): Promise<void> => {
    const expiresMs = nowMs - (person % 3 === 1 ? 0.5 : 2) * DAY_MS
    const dates = { grantedAt: new Date(nowMs - 9 * DAY_MS), expiresAt: new Date(expiresMs) }
    const subject = `person-${person}`
    await world.vault.enroll({ subject, basis: { ...basis(), ...dates }, ...sampleOf(person) })
    if (person % 3 === 2) await world.vault.hold(subject)
  }
  for (let from = 0; from < subjects; from += WIDTH) {
    await Promise.all(Array.from({ length: Math.min(WIDTH, subjects - from) }, (_, i) => enroll(from + i)))
  }
  await world.close()
}

/** True when the purge was killed: once its receipts have so many lines more, and a moment later. */
async function runPurge(
  base: string,
  entry: string,
  kill?: { readonly enough: number; readonly delayMs: number },
): Promise<boolean> {
  const child = spawn(process.execPath, [entry, 'purge', base], { stdio: ['ignore', 'ignore', 'inherit'] })
  const ended = once(child, 'close') as Promise<[number | null, string | null]>
  const watch =
    kill === undefined
      ? undefined
      : setInterval(() => {
          if (child.exitCode !== null || linesOf(base).length <= kill.enough) return
          clearInterval(watch)
          setTimeout(() => child.kill('SIGKILL'), kill.delayMs)
        }, 2)
  const [code, signal] = await ended
  clearInterval(watch)
  if (signal !== 'SIGKILL' && code !== 0 && kill === undefined)
    throw new Error(`the purge ended with ${code ?? signal}`)
  return signal === 'SIGKILL'
}

interface Line {
  readonly outcome: string
  readonly subject: string
  readonly statement: string
  readonly signature: string
}

function linesOf(base: string): readonly string[] {
  const path = join(base, 'receipts')
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n').slice(0, -1) : []
}

/** The ends of codes, wraps and mappings by their keys: ciphertext and tags, which no other row repeats. */
async function rowEnds(base: string): Promise<ReadonlyMap<string, Uint8Array>> {
  const ends = new Map<string, Uint8Array>()
  const store = await openWorldStore(join(base, 'store'))
  for (const table of ['references', 'secrets', 'index'] as const) {
    for await (const { key, bytes } of store.scan(table, Uint8Array.of(0))) {
      ends.set(`${table} ${toHex(key)}`, bytes.slice(-END_BYTES))
    }
  }
  await store.close()
  return ends
}

async function backup(base: string, name: string): Promise<void> {
  const io = { ...processIo(), out: () => undefined }
  const code = await backupCommand(['--store', join(base, 'store'), '--out', join(base, name)], io)
  if (code !== 0) throw new Error(`the backup ended with ${code}`)
}

async function residueOf(base: string, before: ReadonlyMap<string, Uint8Array>): Promise<Residue> {
  const after = await rowEnds(base)
  const needles = new Needles()
  let of = 0
  for (const [key, end] of before) if (!after.has(key)) of += needles.add(end)
  const hits = async (name: string): Promise<number> => (await scanFolder(join(base, name), needles)).hits
  const vacuumed = existsSync(join(base, 'vacuumed')) ? { vacuumed: await hits('vacuumed') } : {}
  return { before: await hits('before'), ...vacuumed, after: await hits('after'), of }
}

async function judge(base: string, subjects: number): Promise<Omit<PurgeKillResult, 'killed' | 'residue'>> {
  const receipts = new Map<string, number>()
  const world = await openWorld(join(base, 'store'))
  try {
    const key = await world.keyring.receiptPublicKey()
    for (const line of linesOf(base)) {
      const { outcome, subject, statement, signature } = JSON.parse(line) as Line
      if (outcome !== 'erased') continue
      verifyErasureReceipt({ statement: bytesOf(statement), signature: bytesOf(signature) }, key)
      receipts.set(subject, (receipts.get(subject) ?? 0) + 1)
    }
    let [early, late, kept] = [0, 0, 0]
    for (let person = 0; person < subjects; person++) {
      const known = (await world.vault.describe(`person-${person}`)) !== undefined
      if (known) kept += 1
      if (known && person % 3 === 0) late += 1
      if (!known && person % 3 !== 0) early += 1
    }
    let left = 0
    for (const table of ['index', 'references', 'secrets', 'attempts'] as const) {
      let rows = 0
      for await (const { key: at } of world.ctx.store.scan(table, Uint8Array.of(0))) {
        const start = 1 + REALM.length
        if (!at.subarray(start, start + 16).every((byte) => byte === 0xff)) rows += 1
      }
      left += Math.abs(rows - kept)
    }
    const once = [...receipts.values()].filter((times) => times === 1).length
    return { early, late, left, unproven: Math.abs(subjects - kept - once) + receipts.size - once }
  } finally {
    await world.close()
  }
}

function bytesOf(text: string): Uint8Array {
  return fromBase64(text) ?? new Uint8Array(0)
}

export interface CountKillOptions {
  readonly rounds: number
  readonly processes: number
  readonly mutation?: Mutation
  /** Without one the store lies on LMDB. */
  readonly server?: TestServer
}

export interface CountKillResult {
  readonly counted: number
  /** Codes in the store: one for each live person. */
  readonly stored: number
  /** Something was done, or nothing was counted. */
  readonly verbs: number
}

/** Processes that change people are killed, others take their places; at the end the count is compared with the rows. */
export function killCounted(options: CountKillOptions): Promise<CountKillResult> {
  return withPeopleStore(options.server, () => killCountedOn(options))
}

async function killCountedOn(options: CountKillOptions): Promise<CountKillResult> {
  const { rounds, processes, mutation } = options
  const entry = join(compile({ folders: FOLDERS, ...(mutation === undefined ? {} : { mutation }) }), ENTRY)
  const base = mkdtempSync(join(tmpdir(), 'guise-count-'))
  try {
    mkdirSync(join(base, 'store'), { mode: 0o700 })
    await (await openWorld(join(base, 'store'))).close()
    let verbs = 0
    for (let round = 0; round < rounds; round++) {
      const seeds = Array.from({ length: processes }, (_, i) => String(1 + round * processes + i))
      const children = seeds.map((seed) =>
        spawn(process.execPath, [entry, 'work', base, seed], { stdio: ['ignore', 'pipe', 'inherit'] }),
      )
      verbs += (await Promise.all(children.map(killAfter(40)))).reduce((sum, one) => sum + one)
    }
    const counter = spawn(process.execPath, [entry, 'count', base], { stdio: ['ignore', 'pipe', 'inherit'] })
    let text = ''
    counter.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
    })
    await once(counter, 'close')
    const world = await openWorld(join(base, 'store'))
    let stored = 0
    for await (const _ of world.ctx.store.scan('references', Uint8Array.of(0))) stored += 1
    await world.close()
    return { counted: Number(text), stored, verbs }
  } finally {
    rmSync(base, { recursive: true, force: true })
  }
}

/** Kills a child when it has done so many verbs. */
function killAfter(verbs: number): (child: ChildProcess) => Promise<number> {
  return async (child) => {
    let done = 0
    child.stdout?.on('data', (chunk: Buffer) => {
      done += chunk.length
      if (done >= verbs) child.kill('SIGKILL')
    })
    await once(child, 'close')
    return done
  }
}
