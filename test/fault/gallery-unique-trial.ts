/** Processes that enrol the same faces uniquely at once: one active member of each must come of it (GALLERY-19). @module */
/// <reference types="node" />

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { migratePostgres } from '../../src/store/postgres-migrate.ts'
import { fsck } from '../../src/vault/fsck.ts'
import { freshSchema, poolOf, type TestServer } from '../support/postgres.ts'
import type { UniqueTally } from './gallery-unique-child.ts'
import { POSTGRES_WORLD } from './postgres-world.ts'
import { openWorld } from './vault-world.ts'

export interface UniqueOptions {
  /** From `compile()`. */
  readonly compiled: string
  readonly processes: number
  readonly faces: number
  readonly rounds: number
  /** Without one the store lies on LMDB. */
  readonly server?: TestServer
}

export interface UniqueResult {
  /** One face in one round: how many records of it are active. Only those of which there is not one. */
  readonly wrong: readonly { readonly round: number; readonly face: number; readonly active: number }[]
  readonly enrolled: number
  /** Codes of the refusals, with their numbers. */
  readonly refused: Readonly<Record<string, number>>
  /** Calls that were made again because others were faster. */
  readonly again: number
  /** Members that an index shows at the end of the rounds, all together. */
  readonly members: number
  readonly faults: number
}

/** Each round has a store of its own, which all processes open before they begin. */
export async function uniqueTrial(options: UniqueOptions): Promise<UniqueResult> {
  const base = mkdtempSync(join(tmpdir(), 'guise-unique-'))
  const pool = options.server && poolOf(options.server.url, 1)
  const rounds: UniqueResult[] = []
  try {
    for (let round = 0; round < options.rounds; round++) {
      const directory = join(base, `${round}`, 'store')
      mkdirSync(directory, { mode: 0o700, recursive: true })
      if (pool !== undefined && options.server !== undefined) {
        const schema = freshSchema()
        await migratePostgres(pool, { schema })
        process.env[POSTGRES_WORLD] = `${schema} ${options.server.url} 2`
      }
      rounds.push(await oneRound(options, directory, round))
      rmSync(join(base, `${round}`), { recursive: true, force: true })
    }
  } finally {
    delete process.env[POSTGRES_WORLD]
    await pool?.end()
    rmSync(base, { recursive: true, force: true })
  }
  return rounds.reduce(add)
}

async function oneRound(options: UniqueOptions, directory: string, round: number): Promise<UniqueResult> {
  await (await openWorld(directory, { gallery: true })).close()
  const tallies = await enrolTogether(options, directory)
  const world = await openWorld(directory, { gallery: true })
  try {
    const wrong: { round: number; face: number; active: number }[] = []
    for (let face = 0; face < options.faces; face++) {
      let active = 0
      for (let worker = 0; worker < options.processes; worker++) {
        const described = await world.vault.describe(`face-${face} by ${worker}`)
        if (described?.state === 'active') active += 1
      }
      if (active !== 1) wrong.push({ round, face, active })
    }
    const { members } = await world.vault.loadGallery()
    let faults = 0
    for await (const _ of fsck({ keyring: world.keyring, store: world.ctx.ring.store })) faults += 1
    const counts = tallies.flatMap(({ refused }) => Object.entries(refused))
    const refused: Record<string, number> = {}
    for (const [code, count] of counts) refused[code] = (refused[code] ?? 0) + count
    const enrolled = tallies.reduce((sum, tally) => sum + tally.enrolled.length, 0)
    const again = tallies.reduce((sum, tally) => sum + tally.again, 0)
    return { wrong, enrolled, refused, again, members, faults }
  } finally {
    await world.close()
  }
}

/** New processes each round; they begin to enrol when the last of them has opened the vault. */
async function enrolTogether(options: UniqueOptions, directory: string): Promise<readonly UniqueTally[]> {
  const script = join(options.compiled, 'test', 'fault', 'gallery-unique-child.js')
  const children: ChildProcess[] = []
  let open = 0
  const ended = Array.from({ length: options.processes }, async (_, worker) => {
    const child = spawn(process.execPath, [script, `${worker}`, `${options.faces}`, directory], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    children.push(child)
    const closed = once(child, 'close')
    let tally: UniqueTally | undefined
    for await (const line of createInterface({ input: child.stdout })) {
      const told = JSON.parse(line) as 'open' | UniqueTally
      if (told !== 'open') tally = told
      else if (++open === options.processes) for (const each of children) each.stdin?.end('go\n')
    }
    await closed
    if (tally === undefined) throw new Error('a process ended before its time')
    return tally
  })
  return await Promise.all(ended)
}

function add(a: UniqueResult, b: UniqueResult): UniqueResult {
  const refused: Record<string, number> = { ...a.refused }
  for (const [code, count] of Object.entries(b.refused)) refused[code] = (refused[code] ?? 0) + count
  return {
    wrong: [...a.wrong, ...b.wrong],
    enrolled: a.enrolled + b.enrolled,
    refused,
    again: a.again + b.again,
    members: a.members + b.members,
    faults: a.faults + b.faults,
  }
}
