/** Processes verify and identify people whom they suspend, revoke and issue again: the history that comes of it (I-20). @module */
/// <reference types="node" />

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { checkRevocationHistory, type RevocationEvent } from '../../src/store/revocation-history.ts'
import { seeded } from './driver.ts'
import { FACE_THRESHOLD, faceOf } from './gallery-faces.ts'
import type { HistoryEvent, HistoryTold } from './gallery-history-child.ts'
import { basis, openWorld, sampleOf } from './vault-world.ts'

export interface GalleryHistoryOptions {
  /** From `compile()`. */
  readonly compiled: string
  /** Verifies, searches and changes, all together. */
  readonly operations: number
  /** Of the verifies and searches, how many are searches. */
  readonly share: number
  /** Half of the longest pause between two changes of a process. */
  readonly changeMs: number
  readonly seed: number
}

export interface GalleryHistory {
  readonly verifies: number
  readonly identifies: number
  readonly matches: number
  readonly candidates: number
  readonly revocations: number
  readonly suspensions: number
  readonly reissues: number
  readonly stopped: number
  readonly conflicts: number
  /** Candidates whose face it was not. */
  readonly strangers: number
  /** Matches and candidates of what had been revoked, suspended or issued again before the call began. */
  readonly late: { readonly verify: number; readonly identify: number }
}

const PROCESSES = 4
const PEOPLE = 16
/** A store grows: each has so many operations, then another takes its place. */
const OPERATIONS_A_STORE = 50_000

export async function galleryHistory(options: GalleryHistoryOptions): Promise<GalleryHistory> {
  const parts: GalleryHistory[] = []
  for (let done = 0; done < options.operations; ) {
    const operations = Math.min(OPERATIONS_A_STORE, options.operations - done)
    const part = await historyOfStore({ ...options, operations, seed: options.seed + parts.length })
    done += part.verifies + part.identifies + part.revocations + part.suspensions + part.reissues
    parts.push(part)
    console.info(`${done} of ${options.operations}: ${JSON.stringify(part.late)}`)
  }
  return parts.reduce(add)
}

async function historyOfStore(options: GalleryHistoryOptions): Promise<GalleryHistory> {
  const base = mkdtempSync(join(tmpdir(), 'guise-gallery-history-'))
  const directory = join(base, 'store')
  mkdirSync(directory, { mode: 0o700 })
  try {
    const world = await openWorld(directory, { gallery: true, threshold: FACE_THRESHOLD })
    for (let person = 0; person < PEOPLE; person++) {
      const sample = sampleOf(faceOf(person, 1))
      await world.vault.enroll({ subject: `person-${person}`, basis: basis(), ...sample })
    }
    await world.close()
    return await new Trial(directory, options).run()
  } finally {
    rmSync(base, { recursive: true, force: true })
  }
}

class Trial {
  readonly #directory: string
  readonly #options: GalleryHistoryOptions
  readonly #children: ChildProcess[] = []
  readonly #events: HistoryEvent[] = []
  readonly #counts = { verifies: 0, identifies: 0, strangers: 0, conflicts: 0, stopped: 0 }
  #open = 0
  #ended = false

  constructor(directory: string, options: GalleryHistoryOptions) {
    this.#directory = directory
    this.#options = options
  }

  async run(): Promise<GalleryHistory> {
    const ended = Array.from({ length: PROCESSES }, (_, name) => this.#child(name))
    const disturbing = this.#disturb()
    const codes = await Promise.all(ended)
    this.#ended = true
    await disturbing
    if (codes.some((code) => code !== 0)) throw new Error('a process ended with an error')
    return judge(this.#events, this.#counts)
  }

  async #child(name: number): Promise<number | null> {
    const { compiled, share, changeMs, seed } = this.#options
    const script = join(compiled, 'test', 'fault', 'gallery-history-child.js')
    const numbers = [name, PROCESSES, PEOPLE, share, changeMs, seed].map(String)
    const child = spawn(process.execPath, [script, this.#directory, ...numbers], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    this.#children.push(child)
    child.stdin.on('error', () => undefined)
    const closed = once(child, 'close')
    for await (const line of createInterface({ input: child.stdout })) this.#take(JSON.parse(line), name)
    const [code] = (await closed) as [number | null]
    // The others would go on for ever.
    if (code !== 0) this.#end()
    return code
  }

  #take(told: 'open' | readonly [number, number] | HistoryTold, name: number): void {
    if (told === 'open') {
      this.#open += 1
      if (this.#open === PROCESSES) for (const { stdin } of this.#children) stdin?.write('go\n')
      return
    }
    if ('events' in told) {
      this.#events.push(...told.events)
      for (const key of ['verifies', 'identifies', 'strangers', 'conflicts'] as const) {
        this.#counts[key] += told[key]
      }
      if (this.#counts.verifies + this.#counts.identifies >= this.#options.operations) this.#end()
      return
    }
    for (const [i, { stdin }] of this.#children.entries()) {
      if (i !== name && stdin?.writable === true) stdin.write(`${told.join(' ')}\n`)
    }
  }

  #end(): void {
    this.#ended = true
    for (const { stdin } of this.#children) stdin?.end()
  }

  /** One is stopped for a while, in whatever it does. */
  async #disturb(): Promise<void> {
    const random = seeded(this.#options.seed)
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, 500 + 1000 * random()))
      if (this.#ended) return
      const child = this.#children[Math.floor(random() * PROCESSES)]
      child?.kill('SIGSTOP')
      await new Promise((resolve) => setTimeout(resolve, 20 + 100 * random()))
      child?.kill('SIGCONT')
      this.#counts.stopped += 1
    }
  }
}

function judge(
  events: readonly HistoryEvent[],
  counts: { verifies: number; identifies: number; strangers: number; conflicts: number; stopped: number },
): GalleryHistory {
  const of = (what: HistoryEvent['what']): readonly HistoryEvent[] =>
    events.filter((event) => event.what === what)
  // The checker knows of no searches: a candidate is a match of the generation whose face was shown.
  const history = events.map(revocationEvent).filter((event) => event !== undefined)
  const { violations } = checkRevocationHistory(history)
  for (const { rule, verify, evidence, late: lateMs } of violations.slice(0, 5)) {
    const { process: what, subject, generation } = verify
    console.info(
      `${what} of person ${subject}, generation ${generation}: ${rule} ${evidence.generation}, ${lateMs} ms before`,
    )
  }
  const during = duringSuspension(events)
  if (during.length > 0) console.info(`${during.length} while suspended`)
  const late = [...violations.map(({ verify }) => verify.process), ...during]
  return {
    ...counts,
    matches: of('verify').length,
    candidates: of('identify').length,
    revocations: of('revoke').length,
    suspensions: of('suspend').length,
    reissues: of('reissue').length,
    late: {
      verify: late.filter((what) => what === 'verify').length,
      identify: late.filter((what) => what === 'identify').length,
    },
  }
}

function revocationEvent({
  person,
  generation,
  what,
  start,
  end,
}: HistoryEvent): RevocationEvent | undefined {
  const common = { process: what, subject: String(person), generation, start, end }
  // A refusal rests on no check of the row: in a process that has not read the log yet it may tell what was true before.
  if (what === 'suspend' || what === 'resume' || what === 'met-revoked') return undefined
  if (what === 'revoke' || what === 'reissue') return { ...common, operation: what, outcome: 'done' }
  return { ...common, operation: 'verify', outcome: 'match' }
}

/** What matched between the return of a suspension and the call that ended it. A generation is suspended once at most. */
function duringSuspension(events: readonly HistoryEvent[]): readonly string[] {
  const name = ({ person, generation }: HistoryEvent): string => `${person}/${generation}`
  const from = new Map<string, number>()
  const until = new Map<string, number>()
  for (const event of events) {
    if (event.what === 'suspend') from.set(name(event), event.end)
    if (event.what === 'resume') until.set(name(event), event.start)
  }
  const late = events.filter((event) => {
    if (event.what !== 'verify' && event.what !== 'identify') return false
    const suspendedMs = from.get(name(event)) ?? Infinity
    return event.start > suspendedMs && event.end < (until.get(name(event)) ?? Infinity)
  })
  return late.map(({ what }) => what)
}

function add(a: GalleryHistory, b: GalleryHistory): GalleryHistory {
  const sum = (key: Exclude<keyof GalleryHistory, 'late'>): number => a[key] + b[key]
  return {
    verifies: sum('verifies'),
    identifies: sum('identifies'),
    matches: sum('matches'),
    candidates: sum('candidates'),
    revocations: sum('revocations'),
    suspensions: sum('suspensions'),
    reissues: sum('reissues'),
    stopped: sum('stopped'),
    conflicts: sum('conflicts'),
    strangers: sum('strangers'),
    late: {
      verify: a.late.verify + b.late.verify,
      identify: a.late.identify + b.late.identify,
    },
  }
}
