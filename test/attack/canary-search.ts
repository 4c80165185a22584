/** Lets a process carry out every verb and searches all that it leaves: files, server, outputs, memory (I-01, I-02). @module */
/// <reference types="node" />

import { type ChildProcess, spawn } from 'node:child_process'
import { on, once } from 'node:events'
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CANARY_PEOPLE, canaryName, LATER_SHARES } from '../fault/canary-work.ts'
import { numberedBytes, openWorld, type World } from '../fault/vault-world.ts'
import { type Artefact, countInArtefact, filesOf } from './canary-artefacts.ts'
import { addName } from './memory-canaries.ts'
import { Pieces, scanProcess } from './memory-scan.ts'
import { addHeldKeys, addMomentaryKeys, addSigningKeys, Secrets } from './memory-secrets.ts'

export interface CanaryOptions {
  /** From `compile()`. */
  readonly compiled: string
  readonly custody: 'operator' | 'holder'
  readonly operations: number
  /** How often the memory is searched while the work is under way. */
  readonly pauses: number
  readonly server?: CanaryServer
}

/** The database server that the vault works on. */
export interface CanaryServer {
  readonly artefacts: readonly Artefact[]
  /** Ends the connections of everybody else. */
  cut(): Promise<void>
  /** Brings everything to the disk and writes the rows into a file of the folder, as text. */
  settle(folder: string): Promise<void>
}

type Found = Readonly<Record<string, number>>

export interface CanaryResult {
  readonly operations: number
  readonly pieces: number
  readonly kinds: readonly string[]
  /** By artefact. */
  readonly scannedBytes: Readonly<Record<string, number>>
  /** What was found, by artefact; artefacts without a find are left out. */
  readonly found: Readonly<Record<string, Found>>
  /** Kinds of keys that an open vault holds and that were found then: they are looked for in the right form. */
  readonly open: readonly string[]
  /** Kinds of planted pieces that were not found, by artefact: the control. */
  readonly missed: Readonly<Record<string, readonly string[]>>
  readonly artefacts: readonly string[]
}

export async function searchEverything(options: CanaryOptions): Promise<CanaryResult> {
  const base = mkdtempSync(join(tmpdir(), 'guise-canaries-'))
  for (const folder of ['store', 'artefacts', 'artefacts/backup'])
    mkdirSync(join(base, folder), { mode: 0o700 })
  writeFileSync(join(base, 'journal'), '')
  const script = join(options.compiled, 'test', 'fault', 'canary-child.js')
  const output = (name: string): number => openSync(join(base, 'artefacts', name), 'a')
  const child = spawn(
    process.execPath,
    [script, base, options.custody, String(options.operations), String(options.pauses)],
    { stdio: ['ignore', output('stdout'), output('stderr'), 'ipc'] },
  )
  const closed = once(child, 'close')
  try {
    const search = new Search(options, base, child)
    return await search.run()
  } catch (error) {
    const told = readFileSync(join(base, 'artefacts', 'stderr'), 'utf8').slice(-2000)
    throw new Error(`the searched process ended: ${told}`, { cause: error })
  } finally {
    child.kill('SIGKILL')
    await closed
    rmSync(base, { recursive: true, force: true })
  }
}

class Search {
  readonly #options: CanaryOptions
  readonly #base: string
  readonly #child: ChildProcess
  readonly #messages: AsyncIterator<unknown[]>
  readonly #artefacts: readonly Artefact[]
  /** To be nowhere at any time. */
  readonly #secrets = new Pieces()
  /** To be in memory only while the vault is open. */
  readonly #held = new Pieces()
  /** What memory is not searched for while the vault is open, nor for names ever. */
  readonly #others = new Pieces()
  readonly #open: Record<string, number> = {}
  readonly #found: Record<string, Found> = {}
  readonly #scannedBytes: Record<string, number> = {}

  constructor(options: CanaryOptions, base: string, child: ChildProcess) {
    this.#options = options
    this.#base = base
    this.#child = child
    this.#messages = on(child, 'message', { close: ['exit'] })
    this.#artefacts = [
      ...artefactsOf(base, options.server !== undefined),
      ...(options.server?.artefacts ?? []),
    ]
  }

  async run(): Promise<CanaryResult> {
    const { custody, operations } = this.#options
    await this.#next('open')
    const world = await openWorld(join(this.#base, 'store'), {
      custody,
      anchor: join(this.#base, 'artefacts', 'anchor'),
    })
    try {
      await this.#work(world)
    } finally {
      await world.close()
    }
    await this.#scanAll()
    const missed = await this.#control()
    return {
      operations,
      pieces: this.#all.reduce((sum, { count }) => sum + count, 0),
      kinds: this.#kinds(this.#all),
      scannedBytes: this.#scannedBytes,
      found: this.#found,
      open: Object.keys(this.#open).sort(),
      missed,
      artefacts: [...this.#artefacts.map(({ name }) => name), 'memory'],
    }
  }

  get #all(): readonly Pieces[] {
    return [this.#secrets, this.#others]
  }

  /** Follows the work and searches the memory now and then, while the vault is open and once it is closed. */
  async #work(world: World): Promise<void> {
    const { custody, operations, server } = this.#options
    const secrets = new Secrets(this.#secrets, this.#secrets, world, { custody, shares: [] })
    for (let person = 0; person < CANARY_PEOPLE; person++) addName(this.#others, canaryName(person))
    if (custody === 'holder') {
      for (let i = 0; i < operations; i++) {
        this.#secrets.add('share of a later device', numberedBytes(1 + LATER_SHARES + i), 8)
      }
    }
    for (const pieces of [this.#held, this.#others]) addHeldKeys(pieces, world)
    for (let phase = await this.#go(); phase !== 'closed'; phase = await this.#go()) {
      for (; phase === 'cut'; phase = await this.#next()) await server?.cut()
      await secrets.follow(join(this.#base, 'journal'))
      await addMomentaryKeys(this.#secrets, world, join(this.#base, 'store'))
      this.#note(`memory, ${phase}`, this.#scanMemory([this.#secrets]))
      if (phase !== 'done') continue
      for (const pieces of [this.#held, this.#others]) addHeldKeys(pieces, world)
      Object.assign(this.#open, this.#scanMemory([this.#held]))
    }
    for (const pieces of [this.#held, this.#others]) addSigningKeys(pieces, world)
    this.#note('memory, closed', this.#scanMemory([this.#secrets, this.#held]))
  }

  async #scanAll(): Promise<void> {
    await this.#options.server?.settle(join(this.#base, 'artefacts', 'backup'))
    for (const artefact of this.#artefacts) {
      const { found, scannedBytes } = countInArtefact(artefact, this.#all)
      if (scannedBytes === 0) throw new Error(`there is nothing in ${artefact.name}`)
      this.#scannedBytes[artefact.name] = scannedBytes
      this.#note(artefact.name, found)
    }
  }

  /** The process lets one piece of each kind out by every way: each must be found wherever it comes to. */
  async #control(): Promise<Record<string, readonly string[]>> {
    const planted = this.#all.flatMap((pieces) => [...pieces.kinds].map((kind) => pieces.sample(kind)))
    await this.#go(planted.map((bytes) => Buffer.from(bytes).toString('hex')))
    await this.#options.server?.settle(join(this.#base, 'artefacts', 'backup'))
    const missed: Record<string, readonly string[]> = {}
    for (const artefact of this.#artefacts) {
      if (artefact.bystander === true) this.#plantIn(artefact, planted)
      const { found } = countInArtefact(artefact, this.#all)
      missed[artefact.name] = this.#kinds(this.#all).filter((kind) => (found[kind] ?? 0) === 0)
    }
    const memory = [this.#secrets, this.#held]
    const kept = this.#scanMemory(memory)
    missed['memory'] = this.#kinds(memory).filter((kind) => (kept[kind] ?? 0) === 0)
    return missed
  }

  /** Files that nothing is written to once more. */
  #plantIn(artefact: Artefact, planted: readonly Uint8Array[]): void {
    const [file] = filesOf(artefact)
    for (const bytes of planted) appendFileSync(file as string, bytes)
  }

  #kinds(all: readonly Pieces[]): readonly string[] {
    return [...new Set(all.flatMap((pieces) => [...pieces.kinds]))]
  }

  #note(where: string, found: Found): void {
    if (Object.keys(found).length > 0) this.#found[where] = found
  }

  /** Names are the caller's own strings, and stay for as long as the caller's memory is not reused. */
  #scanMemory(all: readonly Pieces[]): Found {
    const { pid } = this.#child
    if (pid === undefined) throw new Error('the process did not start')
    process.kill(pid, 'SIGSTOP')
    try {
      const found = new Map<string, number>()
      for (const pieces of all) {
        const scan = scanProcess(pid, pieces)
        this.#scannedBytes['memory'] = (this.#scannedBytes['memory'] ?? 0) + scan.scannedBytes
        for (const [kind, count] of scan.found) found.set(kind, count)
      }
      return Object.fromEntries(found)
    } finally {
      process.kill(pid, 'SIGCONT')
    }
  }

  async #go(answer: unknown = 'go'): Promise<string> {
    this.#child.send(answer as object)
    return await this.#next()
  }

  async #next(expected?: string): Promise<string> {
    const { value, done } = await this.#messages.next()
    if (done === true) throw new Error('it is not there any more')
    const message = String(value[0])
    if (expected !== undefined && message !== expected) throw new Error(`it said ${message}`)
    return message
  }
}

function artefactsOf(base: string, onServer: boolean): readonly Artefact[] {
  const text = ['returned', 'thrown', 'telemetry', 'meter', 'logger', 'stdout', 'stderr', 'anchor', 'export']
  return [
    ...(onServer ? [] : [{ name: 'store', path: join(base, 'store') }]),
    { name: 'keys', path: join(base, 'keys') },
    { name: 'backup', path: join(base, 'artefacts', 'backup'), text: onServer },
    ...text.map((name) => ({ name, path: join(base, 'artefacts', name), text: true })),
  ]
}
