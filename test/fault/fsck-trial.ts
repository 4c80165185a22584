/** Bytes of live rows altered in the file of an LMDB store, and what fsck says of them (I-48). @module */
/// <reference types="node" />

import { createHash } from 'node:crypto'
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Store, Table } from '../../src/store/store.ts'
import { fsck } from '../../src/vault/fsck.ts'
import { seeded } from './driver.ts'
import { basis, openWorld, REALM, sampleOf, type World } from './vault-world.ts'

const PEOPLE = 12
const TABLES = ['index', 'states', 'attempts', 'references', 'secrets'] as const
/** How keys of rows begin that belong to no subject. */
const NOBODY = 'ff'.repeat(16)
const WAYS = ['flip', 'copy', 'truncate'] as const

export interface FsckResult {
  readonly altered: Readonly<Record<string, number>>
  readonly missed: readonly string[]
  /** Of stores that nobody altered. */
  readonly alarms: readonly string[]
  /** Runs that left other bytes in the file than they found. */
  readonly wrote: number
}

/** People in every state, with verbs of every kind behind them. */
async function populate({ vault, keyring }: World, random: () => number): Promise<void> {
  const subject = (person: number): string => `person ${person}`
  for (let person = 0; person < PEOPLE; person++) {
    const pending = person % 6 === 5 ? { pending: true as const } : {}
    await vault.enroll({ ...sampleOf(person), subject: subject(person), basis: basis(), ...pending })
    const face = random() < 0.5 ? person : person + 50
    if (random() < 0.5) await vault.verify({ ...sampleOf(face), subject: subject(person) })
  }
  await vault.suspend(subject(1))
  await vault.revoke(subject(2), 'fraud')
  await vault.erase(subject(3))
  await vault.hold(subject(4))
  await vault.reissue({ ...sampleOf(60), subject: subject(6), basis: basis() })
  await keyring.promote(await keyring.add())
  const most = Math.floor(random() * PEOPLE)
  let moved = 0
  for await (const _ of vault.rotate()) if (++moved > most) break
}

/** Alters one live row after the other, `alterations` times, `each` times a store; every store is looked at untouched as well. */
export async function fsckTrial({
  alterations,
  each = 50,
  clean = 0,
  seed,
}: {
  readonly alterations: number
  readonly each?: number
  /** So many more stores that nobody alters. */
  readonly clean?: number
  readonly seed: number
}): Promise<FsckResult> {
  const total = {
    altered: {} as Record<string, number>,
    missed: [] as string[],
    alarms: [] as string[],
    wrote: 0,
  }
  const stores = Math.ceil(alterations / each)
  for (let i = 0; i < stores + clean; i++) {
    const base = mkdtempSync(join(tmpdir(), 'guise-fsck-'))
    const directory = join(base, 'store')
    mkdirSync(directory, { mode: 0o700 })
    const random = seeded(seed + i)
    const world = await openWorld(directory)
    try {
      await populate(world, random)
      const bench = new Bench(world, join(directory, 'data.mdb'), random)
      total.alarms.push(...(await bench.look()).map((fault) => `store ${i}: ${fault}`))
      const most = i < stores ? each : 0
      for (let n = 0; n < most; n++) {
        const { what, found } = await bench.alterOnce()
        total.altered[what] = (total.altered[what] ?? 0) + 1
        if (!found) total.missed.push(`store ${i}: ${what}`)
      }
      total.alarms.push(...(await bench.look()).map((fault) => `store ${i}, put right: ${fault}`))
      total.wrote += bench.wrote
    } finally {
      await world.close()
      rmSync(base, { recursive: true, force: true })
    }
  }
  return total
}

interface Row {
  readonly table: Table
  readonly name: string
  readonly bytes: Uint8Array
}

class Bench {
  readonly #world: World
  readonly #file: string
  readonly #random: () => number
  wrote = 0

  constructor(world: World, file: string, random: () => number) {
    this.#world = world
    this.#file = file
    this.#random = random
  }

  /** What fsck says, as `kind table row`. The file must be the same afterwards: what the vault still had to write is written first. */
  async look(): Promise<readonly string[]> {
    await this.#world.ctx.realmLimit.flush()
    await this.#world.ctx.ledger.settle({})
    const before = this.#digest()
    const faults: string[] = []
    const { keyring, ctx } = this.#world
    for await (const { kind, table, row } of fsck({ keyring, store: ctx.store as Store })) {
      faults.push(`${kind} ${table} ${row}`)
    }
    if (this.#digest() !== before) this.wrote += 1
    return faults
  }

  async alterOnce(): Promise<{ readonly what: string; readonly found: boolean }> {
    const rows = await this.#rows()
    const row = this.#pick(rows)
    const way = this.#pick(WAYS)
    const other = this.#pick(
      rows.filter(({ table, name }) => table === row.table && name !== row.name).concat(row),
    )
    const altered = this.#alter(row.bytes, way === 'copy' && other !== row ? other.bytes : undefined, way)
    const places = this.#placesOf(row.bytes)
    this.#write(places, altered)
    const faults = await this.look()
    this.#write(places, row.bytes)
    return {
      what: `${way} ${row.table}`,
      found: faults.some((fault) => fault.endsWith(`${row.table} ${row.name}`)),
    }
  }

  /** Always another content of the same length. */
  #alter(bytes: Uint8Array, other: Uint8Array | undefined, way: string): Uint8Array {
    const altered = new Uint8Array(bytes)
    const place = Math.floor(this.#random() * bytes.length)
    if (other !== undefined) altered.set(other.subarray(0, bytes.length))
    if (way === 'truncate') altered.fill(0, place)
    const same = altered.every((byte, i) => byte === bytes[i])
    if (way === 'flip' || same)
      altered[place] = (altered[place] as number) ^ (1 << Math.floor(this.#random() * 8))
    return altered
  }

  async #rows(): Promise<readonly Row[]> {
    const rows: Row[] = []
    const { store } = this.#world.ctx
    const prefixBytes = 1 + REALM.length
    for (const table of TABLES) {
      for await (const { key, bytes } of store.scan(table, new Uint8Array(0))) {
        const name = Buffer.from(key.subarray(prefixBytes)).toString('hex')
        // The counters of the realm's limit are written again meanwhile.
        if (!name.startsWith(NOBODY)) rows.push({ table, name, bytes })
      }
    }
    return rows
  }

  /** Wherever the bytes lie in the file, in pages that nobody uses any more too. */
  #placesOf(bytes: Uint8Array): readonly number[] {
    const content = readFileSync(this.#file)
    const places: number[] = []
    for (let at = content.indexOf(bytes); at >= 0; at = content.indexOf(bytes, at + 1)) places.push(at)
    if (places.length === 0) throw new Error('the row is not in the file')
    return places
  }

  #write(places: readonly number[], bytes: Uint8Array): void {
    const file = openSync(this.#file, 'r+')
    for (const place of places) writeSync(file, bytes, 0, bytes.length, place)
    closeSync(file)
  }

  #digest(): string {
    return createHash('sha256').update(readFileSync(this.#file)).digest('hex')
  }

  #pick<Item>(items: readonly Item[]): Item {
    return items[Math.floor(this.#random() * items.length)] as Item
  }
}
