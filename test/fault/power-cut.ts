/** Disks as a power cut may leave them, built from a journal of writes and flushes (STORE-1). @module */
/// <reference types="node" />

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { childOf } from './compile.ts'
import { seeded } from './driver.ts'
import { type JournalEvent, readJournal, TRACE_FORM } from './journal.ts'
import { Verifier } from './verifier.ts'

export interface PowerCutOptions {
  /** From `compile()`. */
  readonly compiled: string
  /** File name of the driver beside child.ts, as `./store-driver.js`. */
  readonly driver: string
  readonly images: number
  readonly rounds: number
  readonly seed: number
  /** The control: work is acknowledged before it is durable. */
  readonly early?: boolean
  readonly environment?: Readonly<Record<string, string>>
}

export interface PowerCutResult {
  readonly images: number
  readonly writes: number
  readonly flushes: number
  /** Acknowledged work that had to be there, summed over the images. */
  readonly acknowledged: number
  /** One line for each image that lost acknowledged work, and for each that was torn or not readable. */
  readonly lost: readonly string[]
  readonly torn: readonly string[]
}

/** Records one run, then cuts it at `images` random places and verifies what each cut leaves. */
export async function powerCut(options: PowerCutOptions): Promise<PowerCutResult> {
  const base = realpathSync(mkdtempSync(join(tmpdir(), 'guise-power-')))
  const verifier = new Verifier(options.compiled, options.driver, options.environment)
  try {
    const source = join(base, 'source')
    mkdirSync(source, { mode: 0o700 })
    await verifier.verify(source, [])
    const before = readFiles(source)
    const events = readJournal(await record(options, source, base), source)
    const image = join(base, 'image')
    return await cut(events, before, options, image, verifier)
  } finally {
    await verifier.close()
    rmSync(base, { recursive: true, force: true })
  }
}

/** Runs the driver under strace, with flushes slowed as on a real disk, and returns the trace. */
async function record(options: PowerCutOptions, directory: string, base: string): Promise<string> {
  const trace = join(base, 'trace')
  const child = [
    childOf(options.compiled),
    'run',
    options.driver,
    directory,
    String(options.seed),
    String(options.rounds),
  ]
  const early = options.early === true ? ['early'] : []
  const args = [
    ...TRACE_FORM,
    '-e',
    'inject=fdatasync:delay_enter=2000',
    '-o',
    trace,
    process.execPath,
    ...child,
    ...early,
  ]
  const tracer = spawn('strace', args, {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, ...options.environment },
  })
  const [code] = (await once(tracer, 'close')) as [number | null]
  if (code !== 0) throw new Error(`the recorded run ended with ${code}`)
  return readFileSync(trace, 'latin1')
}

async function cut(
  events: readonly JournalEvent[],
  before: ReadonlyMap<string, Buffer>,
  options: PowerCutOptions,
  image: string,
  verifier: Verifier,
): Promise<PowerCutResult> {
  const random = seeded(options.seed)
  const end = Math.max(...events.map((event) => event.done)) + 1
  const cuts = Array.from({ length: options.images }, () => Math.floor(random() * end)).sort((a, b) => a - b)
  const disk = new Disk(before)
  const lost: string[] = []
  const torn: string[] = []
  let acknowledged = 0
  for (const [i, place] of cuts.entries()) {
    disk.advance(events, place)
    disk.writeImage(image, random)
    acknowledged += disk.acknowledged.length
    const verdict = await verifier.verify(image, disk.acknowledged)
    if (verdict.lost.length > 0) lost.push(`image ${i} cut at ${place}: ${verdict.lost.join(' ')}`)
    if (verdict.torn.length > 0) torn.push(`image ${i} cut at ${place}: ${verdict.torn.join('; ')}`)
  }
  const count = (kind: JournalEvent['kind']): number => events.filter((event) => event.kind === kind).length
  return { images: cuts.length, writes: count('write'), flushes: count('flush'), acknowledged, lost, torn }
}

/** The disk and the page cache at one place of a journal; it only moves forward. */
class Disk {
  readonly acknowledged: string[] = []
  readonly #files = new Map<string, DiskFile>()
  readonly #steps: (readonly [place: number, step: () => void])[] = []
  #planned = false

  constructor(before: ReadonlyMap<string, Buffer>) {
    for (const [name, content] of before) this.#files.set(name, new DiskFile(content))
  }

  /** Applies what began before `place`; a flush counts once it has returned, for the writes it found. */
  advance(events: readonly JournalEvent[], place: number): void {
    if (!this.#planned) this.#plan(events)
    while (this.#steps.length > 0 && (this.#steps.at(-1)?.[0] ?? place) < place) this.#steps.pop()?.[1]()
  }

  /** Writes a directory as the power cut may have left it. */
  writeImage(directory: string, random: () => number): void {
    rmSync(directory, { recursive: true, force: true })
    mkdirSync(directory, { mode: 0o700 })
    for (const [name, file] of this.#files) {
      writeFileSync(join(directory, name), file.image(random), { mode: 0o600 })
    }
  }

  #plan(events: readonly JournalEvent[]): void {
    this.#planned = true
    for (const event of events) {
      if (event.kind === 'acknowledge') {
        this.#steps.push([event.at, () => this.acknowledged.push(event.token)])
        continue
      }
      const file = this.#file(event.file)
      if (event.kind === 'flush') {
        this.#steps.push([event.done, () => file.flush(event.at)])
        continue
      }
      this.#steps.push([event.at, () => file.write(event.at, event.offset, event.data)])
      if (event.flushed) {
        const sectors = sectorsOf(event.offset, event.data.length)
        this.#steps.push([event.done, () => file.flush(event.at + 1, sectors)])
      }
    }
    // Taken from the end; equal places keep the order of the journal.
    this.#steps.sort((a, b) => a[0] - b[0]).reverse()
  }

  #file(name: string): DiskFile {
    const file = this.#files.get(name) ?? new DiskFile(Buffer.alloc(0))
    this.#files.set(name, file)
    return file
  }
}

const SECTOR_BYTES = 512

/** A file as sectors: what is surely on the disk, and every later content a sector may have by now. */
class DiskFile {
  #durable: Buffer
  readonly #pending = new Map<number, { at: number; data: Buffer }[]>()
  #sizes: { at: number; size: number }[] = []

  constructor(content: Buffer) {
    this.#durable = Buffer.from(content)
  }

  write(at: number, offset: number, data: Buffer): void {
    for (const sector of sectorsOf(offset, data.length)) {
      const start = sector * SECTOR_BYTES
      const content = Buffer.from(this.#newest(sector))
      const from = Math.max(offset, start)
      data.copy(
        content,
        from - start,
        from - offset,
        Math.min(offset + data.length, start + SECTOR_BYTES) - offset,
      )
      const versions = this.#pending.get(sector) ?? []
      versions.push({ at, data: content })
      this.#pending.set(sector, versions)
    }
    const size = offset + data.length
    if (size > this.#size()) this.#sizes.push({ at, size })
  }

  /** Makes durable what was written before `at`: all of it, or some sectors. */
  flush(at: number, sectors: readonly number[] = [...this.#pending.keys()]): void {
    const flushedSize = this.#sizes.filter((change) => change.at < at).at(-1)?.size ?? 0
    this.#sizes = this.#sizes.filter((change) => change.at >= at)
    this.#grow(flushedSize)
    for (const sector of sectors) {
      const versions = this.#pending.get(sector) ?? []
      const flushed = versions.filter((version) => version.at < at).at(-1)
      if (flushed === undefined) continue
      this.#grow(Math.min(sector * SECTOR_BYTES + SECTOR_BYTES, this.#size()))
      flushed.data.copy(this.#durable, sector * SECTOR_BYTES)
      const later = versions.filter((version) => version.at >= at)
      if (later.length === 0) this.#pending.delete(sector)
      else this.#pending.set(sector, later)
    }
  }

  /**
   * One of the contents a cut may leave: everything unflushed dropped, everything kept, each write kept or dropped
   * whole in any order, or each sector of 512 bytes on its own at any of its contents since the last flush.
   */
  image(random: () => number): Buffer {
    const manner = random()
    const keep = random()
    const grown = random() < 0.5 || manner >= 0.85 ? this.#size() : this.#durable.length
    const size = manner < 0.15 ? this.#durable.length : Math.max(grown, this.#durable.length)
    const image = Buffer.alloc(size)
    this.#durable.copy(image)
    if (manner < 0.15) return image
    const keptWrites = new Map<number, boolean>()
    const isKept = (at: number): boolean => {
      if (!keptWrites.has(at)) keptWrites.set(at, random() < keep)
      return keptWrites.get(at) === true
    }
    for (const [sector, versions] of this.#pending) {
      const kept =
        manner >= 0.85
          ? versions.at(-1)
          : manner < 0.5
            ? versions.filter((version) => isKept(version.at)).at(-1)
            : versions[Math.floor(random() * (versions.length + 1)) - 1]
      if (kept !== undefined && sector * SECTOR_BYTES < size) kept.data.copy(image, sector * SECTOR_BYTES)
    }
    return image
  }

  #size(): number {
    return this.#sizes.at(-1)?.size ?? this.#durable.length
  }

  #grow(size: number): void {
    if (size > this.#durable.length)
      this.#durable = Buffer.concat([this.#durable, Buffer.alloc(size - this.#durable.length)])
  }

  #newest(sector: number): Buffer {
    const pending = this.#pending.get(sector)?.at(-1)
    if (pending !== undefined) return pending.data
    const content = Buffer.alloc(SECTOR_BYTES)
    this.#durable.subarray(sector * SECTOR_BYTES, (sector + 1) * SECTOR_BYTES).copy(content)
    return content
  }
}

function sectorsOf(offset: number, length: number): readonly number[] {
  const first = Math.floor(offset / SECTOR_BYTES)
  const last = Math.floor((offset + length - 1) / SECTOR_BYTES)
  return length === 0 ? [] : Array.from({ length: last - first + 1 }, (_, i) => first + i)
}

function readFiles(directory: string): ReadonlyMap<string, Buffer> {
  const names = readdirSync(directory).filter((name) => name !== 'lock.mdb')
  return new Map(names.map((name) => [name, readFileSync(join(directory, name))]))
}
