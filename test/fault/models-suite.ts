/** A migration of models whose movers are killed, beside comparisons: what everybody is told, and what is left (VAULT-84). @module */
/// <reference types="node" />

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { toHex } from '../../src/base/bytes.ts'
import { realmPrefix } from '../../src/base/identifier.ts'
import { isSubjectKey } from '../../src/record/place.ts'
import { announceModel, finishModel } from '../../src/vault/model-migration.ts'
import type { ModelMigration } from '../../src/vault/model-report.ts'
import { allowHighFalseMatchRate } from '../../src/vault/symbols.ts'
import type { VerifyDecision } from '../../src/vault/types.ts'
import type { Vault } from '../../src/vault/vault.ts'
import { childOf } from './compile.ts'
import { seeded } from './driver.ts'
import {
  type Faces,
  type ModelsWorld,
  modelPoint,
  NEXT,
  nameOf,
  OLD,
  openModelsWorld,
  THRESHOLDS,
  type Thresholds,
} from './models-world.ts'
import { basis, worldSigner } from './vault-world.ts'

export interface ModelsTrialOptions {
  readonly compiled: string
  readonly faces: Faces
  readonly kills: number
  readonly seed: number
  readonly thresholds?: Thresholds
}

export interface ModelsTrialResult {
  /** Answers and errors that neither template explains. */
  readonly wrong: readonly string[]
  /** Probes of one model alone that were told anything of a template of the other. */
  readonly mixed: readonly string[]
  /** Records that are not whole, and moves that were told of and are not there. */
  readonly torn: readonly string[]
  readonly verifies: number
  readonly kills: number
  readonly moved: number
  /** Who stayed, by what the last mover said. */
  readonly kept: Readonly<Record<string, number>>
  /** As it was finished, with the rest suspended. */
  readonly finish: Pick<ModelMigration, 'stage' | 'moved' | 'left'>
}

const LOOPS = 3
const MOST_TOLD = 20
const DAY_MS = 86_400_000

export async function modelsTrial(options: ModelsTrialOptions): Promise<ModelsTrialResult> {
  const { faces, thresholds = THRESHOLDS } = options
  const base = mkdtempSync(join(tmpdir(), 'guise-models-'))
  const directory = join(base, 'store')
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  try {
    faces.write(join(base, 'faces.f32'))
    await enrollAll(directory, faces, thresholds)
    const world = await openModelsWorld(directory, { dual: true, thresholds })
    try {
      return await migrate({ ...options, thresholds }, world, directory)
    } finally {
      await world.close()
    }
  } finally {
    rmSync(base, { recursive: true, force: true })
  }
}

async function enrollAll(directory: string, faces: Faces, thresholds: Thresholds): Promise<void> {
  const { vault, keyring, store, close } = await openModelsWorld(directory, { dual: false, thresholds })
  const requests = function* () {
    for (let i = 0; i < faces.people; i++) {
      yield { ...faces.sample(i, 0, OLD), subject: nameOf(i), basis: basis() }
    }
  }
  for await (const result of vault.enrollMany(requests())) if (!result.ok) throw result.error
  await announceModel({
    keyring,
    store,
    logSigner: await worldSigner(),
    from: { model: OLD },
    to: { model: NEXT, operatingPoints: [modelPoint(NEXT, thresholds.next)] },
    closesAt: new Date(Date.now() + DAY_MS),
    [allowHighFalseMatchRate]: true,
  })
  await close()
}

async function migrate(
  options: ModelsTrialOptions & { readonly thresholds: Thresholds },
  world: ModelsWorld,
  directory: string,
): Promise<ModelsTrialResult> {
  const { faces } = options
  const traffic = new Traffic(world.vault, faces)
  const before = await traffic.decideAll()
  let told: Moves = { kills: 0, said: new Map() }
  await traffic.run(async () => {
    told = await killed(options, directory)
  })
  const after = await traffic.decideAll()
  const torn = await inspect(world, faces, told.said)
  const signer = await worldSigner()
  const place = { keyring: world.keyring, store: world.store, logSigner: signer }
  const finished = await finishModel({ ...place, rest: 'suspend' })
  const { stage, moved, left } = finished.migration
  const kept: Record<string, number> = {}
  for (const [, word] of told.said) if (word !== 'moved') kept[word] = (kept[word] ?? 0) + 1
  return {
    ...traffic.judge(before, after, told.said),
    torn: [...torn, ...(await afterwards(world.vault, faces))],
    verifies: traffic.verifies,
    kills: told.kills,
    moved: [...told.said.values()].filter((word) => word === 'moved').length,
    kept,
    finish: { stage, moved, left },
  }
}

interface Moves {
  kills: number
  /** What the last mover said of each person. */
  readonly said: Map<number, string>
}

/** Kills movers at work, then lets one come to its end. */
async function killed(
  options: ModelsTrialOptions & { readonly thresholds: Thresholds },
  directory: string,
): Promise<Moves> {
  const random = seeded(options.seed)
  const moves: Moves = { kills: 0, said: new Map() }
  const share = options.faces.people / (options.kills + 1)
  for (;;) {
    const after = moves.kills < options.kills ? 1 + Math.floor(random() * share) : undefined
    const ended = await oneMover(options, directory, after, moves.said)
    if (ended) return moves
    moves.kills += 1
  }
}

async function oneMover(
  { compiled, thresholds }: ModelsTrialOptions & { readonly thresholds: Thresholds },
  directory: string,
  killAfter: number | undefined,
  said: Map<number, string>,
): Promise<boolean> {
  const file = join(dirname(childOf(compiled)), 'models-child.js')
  const child = spawn(process.execPath, [file, directory, JSON.stringify(thresholds)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let lines = 0
  const reader = createInterface({ input: child.stdout as NodeJS.ReadableStream })
  reader.on('line', (line) => {
    const [, person, word] = /^(\d+) (.+)$/.exec(line) ?? []
    if (person === undefined || word === undefined) return
    said.set(Number(person), word)
    lines += 1
    if (lines === killAfter) child.kill('SIGKILL')
  })
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
  if (signal === 'SIGKILL') return false
  if (code !== 0) throw new Error(`the mover ended with ${code ?? signal}`)
  return true
}

const KINDS = ['both', 'old', 'next', 'wrong'] as const
type Kind = (typeof KINDS)[number]

/** Compares people in turn in four ways, and keeps what each was told, one after the other. */
class Traffic {
  verifies = 0
  readonly #vault: Vault
  readonly #faces: Faces
  readonly #told = new Map<string, string[]>()

  constructor(vault: Vault, faces: Faces) {
    this.#vault = vault
    this.#faces = faces
  }

  async run(task: () => Promise<void>): Promise<void> {
    const stop = new AbortController()
    const loops = Array.from({ length: LOOPS }, (_, at) => this.#loop(at, stop.signal))
    try {
      await task()
    } finally {
      stop.abort()
      await Promise.all(loops)
    }
  }

  /** What each person is told now, with both probes. */
  async decideAll(): Promise<readonly string[]> {
    const answers: string[] = []
    for (let i = 0; i < this.#faces.people; i++) answers.push(await this.#ask(i, 'both'))
    return answers
  }

  async #loop(first: number, signal: AbortSignal): Promise<void> {
    for (let at = first; !signal.aborted; at += LOOPS) {
      await new Promise((resolve) => setImmediate(resolve))
      const person = (at * 7919) % this.#faces.people
      const kind = KINDS[(person + Math.floor(at / this.#faces.people)) % KINDS.length] as Kind
      const said = await this.#ask(person, kind)
      const key = `${person} ${kind}`
      const list = this.#told.get(key) ?? []
      if (list.at(-1) !== said) list.push(said)
      this.#told.set(key, list)
    }
  }

  async #ask(person: number, kind: Kind): Promise<string> {
    const faces = this.#faces
    const subject = nameOf(person)
    this.verifies += 1
    try {
      if (kind === 'old')
        return wordOf(await this.#vault.verify({ ...faces.sample(person, 1, OLD), subject }))
      if (kind === 'next')
        return wordOf(await this.#vault.verify({ ...faces.sample(person, 1, NEXT), subject }))
      return wordOf(await this.#vault.verify({ ...faces.both(person, kind === 'wrong'), subject }))
    } catch (error) {
      return String((error as { code?: unknown }).code ?? error)
    }
  }

  /** Each list must be what the one template says, and then, of whoever moved, what the other does. */
  judge(
    before: readonly string[],
    after: readonly string[],
    said: ReadonlyMap<number, string>,
  ): Pick<ModelsTrialResult, 'wrong' | 'mixed'> {
    const wrong: string[] = []
    const mixed: string[] = []
    for (const [key, list] of this.#told) {
      const [number = '', kind = ''] = key.split(' ')
      const person = Number(number)
      const [first = '', last = ''] = [before[person], after[person]]
      const stayed = said.has(person) && said.get(person) !== 'moved'
      const expected: Record<string, readonly [string, string]> = {
        both: [first, last],
        old: [first, 'refused model'],
        next: ['refused model', last],
        wrong: ['nonmatch', 'nonmatch'],
      }
      const [one, two] = expected[kind] ?? ['', '']
      const fits = isRun(list, stayed ? [one] : [one, two])
      if (fits) continue
      const into = kind === 'old' || kind === 'next' ? mixed : wrong
      if (into.length < MOST_TOLD) into.push(`${key}: ${list.join(', ')} instead of ${one}, ${two}`)
    }
    return { wrong, mixed }
  }
}

/** True when the list is a part of the run without repetitions. */
function isRun(list: readonly string[], run: readonly string[]): boolean {
  const steps = run.filter((word, i) => word !== run[i - 1])
  const at = steps.indexOf(list[0] ?? '')
  return at >= 0 && list.every((word, i) => steps[at + i] === word)
}

function wordOf(decision: VerifyDecision): string {
  return decision.outcome === 'refused' ? `refused ${decision.reason}` : decision.outcome
}

/** One code and one wrap each, and every move that was told of. */
async function inspect(
  { ctx, vault }: ModelsWorld,
  faces: Faces,
  said: ReadonlyMap<number, string>,
): Promise<readonly string[]> {
  const torn: string[] = []
  for (const [table, store] of [
    ['references', ctx.store],
    ['secrets', ctx.secrets],
  ] as const) {
    const prefix = realmPrefix(ctx.realm)
    const seen = new Set<string>()
    for await (const { key } of store.scan(table, prefix)) {
      if (!isSubjectKey(ctx.realm, key)) continue
      const name = toHex(key.slice(prefix.length, prefix.length + 16))
      if (seen.has(name)) torn.push(`${name} has two ${table}`)
      seen.add(name)
    }
    if (seen.size !== faces.people) torn.push(`${seen.size} of ${faces.people} have ${table}`)
  }
  for (let i = 0; i < faces.people; i++) {
    const record = await vault.describe(nameOf(i))
    const moved = record?.model === NEXT.id
    if (record?.generation !== (moved ? 2 : 1))
      torn.push(`${nameOf(i)} is of generation ${record?.generation}`)
    if (said.get(i) === 'moved' && !moved) torn.push(`${nameOf(i)} was told to have moved`)
  }
  return torn
}

/** The old model is over: its probes are told nothing of anybody. */
async function afterwards(vault: Vault, faces: Faces): Promise<readonly string[]> {
  const torn: string[] = []
  for (let i = 0; i < faces.people; i += 7) {
    const said = await vault.verify({ ...faces.sample(i, 1, OLD), subject: nameOf(i) })
    const word = wordOf(said)
    if (word !== 'refused model' && word !== 'refused suspended')
      torn.push(`${nameOf(i)}: ${word} afterwards`)
  }
  return torn
}

/** One line that says what was measured. */
export function modelsLine(result: ModelsTrialResult): string {
  const { verifies, kills, moved, kept, wrong, mixed, torn } = result
  const stayed = Object.entries(kept).map(([why, count]) => `${count} ${why}`)
  const faults = `${wrong.length} wrong, ${mixed.length} mixed, ${torn.length} torn`
  return `${verifies} comparisons, ${kills} kills, ${moved} moved as told, ${stayed.join(', ') || 'nobody kept'}; ${faults}`
}
