/** Kills an import again and again, lets it end, and counts what the store holds (SPEC §11). @module */
/// <reference types="node" />

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { compile } from './compile.ts'
import { seeded } from './driver.ts'
import { VAULT_FOLDERS } from './vault-folders.ts'
import { openWorld, REALM, sampleOf } from './vault-world.ts'

export interface ImportKillOptions {
  readonly subjects: number
  readonly kills: number
  readonly seed: number
}

export interface ImportKillResult {
  readonly killed: number
  /** Rows whose outcome was told, in all runs together. */
  readonly told: number
  /** Where the last run began. */
  readonly lastFrom: number
  readonly failed: readonly string[]
  /** Rows in each table that belong to subjects. */
  readonly tables: Readonly<Record<string, number>>
  /** Subjects that the index does not find, or whose record another subject has. */
  readonly lost: readonly string[]
  /** A sample of subjects whose vector the vault does not take. */
  readonly strangers: readonly string[]
  /** Checkpoints that were ahead of what the store held. */
  readonly ahead: readonly string[]
}

const ENTRY = join('test', 'fault', 'import-child.js')
const PROBED = 50

export async function killImport(options: ImportKillOptions): Promise<ImportKillResult> {
  const { subjects, kills, seed } = options
  const folders = [...VAULT_FOLDERS, 'src/dataset', 'src/evaluate', 'src/intake', 'src/cli']
  const entry = join(compile({ folders }), ENTRY)
  const base = mkdtempSync(join(tmpdir(), 'guise-import-'))
  const random = seeded(seed)
  const lines: string[] = []
  const ahead: string[] = []
  let killed = 0
  try {
    for (let run = 0; run < kills; run++) {
      // Each run is killed somewhere within its part of the whole.
      const enough = 1 + Math.floor((0.2 + 0.6 * random()) * ((2 * subjects) / kills))
      const result = await runChild(entry, base, subjects, { enough, delayMs: 5 * random() })
      lines.push(...result.lines)
      if (result.killed) killed++
      ahead.push(...(await checkpointAhead(base, run)))
    }
    const last = await runChild(entry, base, subjects)
    lines.push(...last.lines)
    const failed = lines.filter((line) => line.startsWith('failed'))
    const told = lines.filter((line) => !line.startsWith('from')).length
    const lastFrom = Number(last.lines[0]?.split(' ')[1])
    return { killed, told, lastFrom, failed, ahead, ...(await inspect(join(base, 'store'), subjects)) }
  } finally {
    rmSync(base, { recursive: true, force: true })
  }
}

async function runChild(
  entry: string,
  base: string,
  subjects: number,
  kill?: { readonly enough: number; readonly delayMs: number },
): Promise<{ readonly killed: boolean; readonly lines: readonly string[] }> {
  const child = spawn(process.execPath, [entry, base, String(subjects)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let text = ''
  let told = 0
  let armed = kill === undefined
  child.stdout.setEncoding('utf8')
  child.stdout.on('data', (chunk: string) => {
    text += chunk
    told += chunk.split('\n').length - 1
    if (armed || told <= (kill?.enough ?? 0)) return
    armed = true
    setTimeout(() => child.kill('SIGKILL'), kill?.delayMs)
  })
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
  if (code !== 0 && signal !== 'SIGKILL') throw new Error(`the import ended with ${code ?? signal}`)
  return { killed: signal === 'SIGKILL', lines: text.split('\n').slice(0, -1) }
}

/** Every subject below the checkpoint's row is in the store. */
async function checkpointAhead(base: string, run: number): Promise<readonly string[]> {
  const file = join(base, 'checkpoint')
  if (!existsSync(file)) return []
  const { row } = JSON.parse(readFileSync(file, 'utf8')) as { row: number }
  const world = await openWorld(join(base, 'store'))
  try {
    const missing: string[] = []
    for (let person = 0; 2 * person + 1 < row; person++) {
      const known = await world.vault.describe(`person-${person}`)
      if (known === undefined) missing.push(`run ${run}: person-${person} below row ${row}`)
    }
    return missing
  } finally {
    await world.close()
  }
}

async function inspect(
  directory: string,
  subjects: number,
): Promise<Pick<ImportKillResult, 'tables' | 'lost' | 'strangers'>> {
  const world = await openWorld(directory)
  try {
    const tables: Record<string, number> = {}
    for (const table of ['index', 'states', 'references', 'secrets', 'attempts'] as const) {
      let rows = 0
      for await (const { key } of world.ctx.store.scan(table, Uint8Array.of(0))) {
        // Below sixteen times ff behind the realm lie rows that belong to no subject.
        const start = 1 + REALM.length
        if (!key.subarray(start, start + 16).every((byte) => byte === 0xff)) rows++
      }
      tables[table] = rows
    }
    const lost: string[] = []
    const records = new Set<string>()
    for (let person = 0; person < subjects; person++) {
      const known = await world.vault.describe(`person-${person}`)
      if (known === undefined || records.has(known.record)) lost.push(`person-${person}`)
      else records.add(known.record)
    }
    const strangers: string[] = []
    for (let i = 0; i < PROBED; i++) {
      const person = Math.floor((i * subjects) / PROBED)
      const { outcome } = await world.vault.verify({ subject: `person-${person}`, ...sampleOf(person) })
      if (outcome !== 'match') strangers.push(`person-${person}`)
    }
    return { tables, lost, strangers }
  } finally {
    await world.close()
  }
}
