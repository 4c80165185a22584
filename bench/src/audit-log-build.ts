/** A long log: entries through the journal, integrated as a vault integrates them. @module */

import { createHash } from 'node:crypto'
import { Follower } from '../../dist/audit/follower.js'
import { integrateSome, type LogPlace } from '../../dist/audit/integrate.js'
import { Journal, type TimedEvent } from '../../dist/audit/journal.js'
import { Ledger } from '../../dist/audit/ledger.js'
import type { LogKeys } from '../../dist/audit/queue.js'
import { isDue, writeSnapshot } from '../../dist/audit/snapshot.js'
import { type LocalLogSigner, logSigner } from '../../dist/audit.js'
import type { Realm } from '../../dist/base/brand.js'
import { cryptoReady } from '../../dist/crypto/sodium.js'
import type { Store } from '../../dist/index.js'
import { type LmdbStore, lmdbStore } from '../../dist/lmdb.js'
import type { Series } from './scenario.ts'

const REALM = 'bench' as Realm
const KEY = new Uint8Array(32).fill(4)
const KEYS: LogKeys = { newestVersion: 1, load: async () => {}, refresh: async () => {}, key: () => KEY }
/** Entries that are written before they are integrated, and how many of them at once. */
const BATCH = 2400
const WIDTH = 64
const ENTRIES_EACH = 10
/** Commits of integration that are measured. */
const COMMITS = 20
/** As many as one commit takes; another number is refused. */
const A_COMMIT = 480

/** 32 bytes that follow from a seed and a number. */
export function bytesAt(seed: string, number: number): Uint8Array {
  return createHash('sha256').update(`${seed}/${number}`).digest()
}

/** Uniform numbers in [0, 1) that follow from a seed. */
export function numbersOf(seed: string): () => number {
  let at = 0
  return () => Buffer.from(bytesAt(`numbers/${seed}`, at++)).readUInt32BE() / 2 ** 32
}

export class LongLog {
  static readonly realm: string = REALM
  readonly #store: LmdbStore
  readonly #seed: string
  readonly #journal: Journal = new Journal(REALM)
  readonly #follower: Follower
  readonly #place: LogPlace
  #written = 0
  #snapshotSize = 0

  private constructor(store: LmdbStore, seed: string) {
    this.#store = store
    this.#seed = seed
    this.#place = { store, realm: REALM, keys: KEYS }
    this.#follower = new Follower(store, REALM, KEYS)
    this.#journal.listen({ kept: (entry) => this.#follower.kept(entry), settle: async () => {} })
  }

  static async open(path: string, seed: string): Promise<LongLog> {
    await cryptoReady()
    return new LongLog(await lmdbStore({ path }), seed)
  }

  static async verifierKey(): Promise<string> {
    return (await signer()).verifierKey
  }

  /** What a vault does before it opens: reads, compares, integrates, signs. */
  static async follow(store: Store): Promise<void> {
    const journal = new Journal(REALM)
    const parts = { store, realm: REALM, keys: KEYS, journal, signer: await signer(), anchor: undefined }
    await new Ledger(parts).open()
  }

  async growTo(length: number): Promise<void> {
    while (this.#written < length) {
      await this.#write(Math.min(BATCH, length - this.#written), WIDTH)
      await this.#integrateAll()
      if (isDue(this.#follower, this.#snapshotSize)) {
        this.#snapshotSize = await writeSnapshot(this.#place, this.#follower)
      }
    }
  }

  /** What entries cost at this length: each alone until it is on the disk, and its share of integration. */
  async measure(calls: number): Promise<readonly Series[]> {
    const at = `at ${this.#follower.size.toLocaleString('en')}`
    const alone: number[] = []
    for (let i = 0; i < calls; i++) {
      const begin = performance.now()
      await this.#write(1, 1)
      alone.push((performance.now() - begin) * 1000)
    }
    await this.#integrateAll()
    await this.#write(COMMITS * A_COMMIT, WIDTH)
    await this.#follower.follow()
    const wall: number[] = []
    const processor: number[] = []
    for (let i = 0; i < COMMITS; i++) {
      const { size } = this.#follower
      const used = process.cpuUsage()
      const begin = performance.now()
      await integrateSome(this.#place, this.#follower)
      wall.push(((performance.now() - begin) * 1000) / A_COMMIT)
      const { user, system } = process.cpuUsage(used)
      processor.push((user + system) / A_COMMIT)
      if (this.#follower.size - size !== A_COMMIT)
        throw new Error('a commit integrates another number of entries')
    }
    return [
      { name: `an entry on the disk, alone, ${at}`, unit: 'µs', values: alone },
      { name: `an entry integrated, ${A_COMMIT} a commit, ${at}`, unit: 'µs', values: wall },
      { name: `the same, processor time, ${at}`, unit: 'µs', values: processor },
    ]
  }

  /** Signs, and closes. */
  async close(): Promise<void> {
    const parts = { store: this.#store, realm: REALM, keys: KEYS, journal: this.#journal, anchor: undefined }
    const ledger = new Ledger({ ...parts, signer: await signer() })
    await ledger.open()
    await ledger.close()
    await this.#store.close()
  }

  async #write(count: number, width: number): Promise<void> {
    const end = this.#written + count
    const lane = async (): Promise<void> => {
      while (this.#written < end) {
        await this.#journal.commit(this.#store, [], this.#event(this.#written++), KEYS)
      }
    }
    await Promise.all(Array.from({ length: width }, lane))
  }

  async #integrateAll(): Promise<void> {
    await this.#follower.follow()
    while (await integrateSome(this.#place, this.#follower)) {
      // One commit after another until nothing waits.
    }
  }

  /** The first tells of a keyring, every tenth of an enrolment, the others of verifies. */
  #event(number: number): TimedEvent {
    const timeMs = Date.now()
    const tag = bytesAt(this.#seed, number)
    if (number === 0)
      return { timeMs, action: 'key-add', outcome: 'done', epoch: 1, ring: tag.subarray(0, 16) }
    const subject = bytesAt(`subject/${this.#seed}`, Math.floor(number / ENTRIES_EACH))
    const enrolls = number % ENTRIES_EACH === 0
    const named = {
      timeMs,
      handle: subject.subarray(0, 16),
      record: subject.subarray(16, 32),
      generation: subject.subarray(4, 24),
      basis: 'consent',
    } as const
    if (enrolls) return { ...named, action: 'enroll', outcome: 'done', epoch: 1, state: tag.subarray(0, 16) }
    const verify = { ...named, action: 'verify', epoch: 1, policy: 'synthetic@1/B4/512/any/4500' } as const
    return number % 2 === 0
      ? { ...verify, outcome: 'match' }
      : { ...verify, outcome: 'nonmatch', attempts: tag.subarray(0, 16) }
  }
}

async function signer(): Promise<LocalLogSigner> {
  return await logSigner('bench.example/guise', new Uint8Array(32).fill(3))
}
