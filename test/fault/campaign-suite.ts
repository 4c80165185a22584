/** Rotation by campaigns that are killed, beside processes that compare: what every compared person is told (VAULT-45, I-24). @module */
/// <reference types="node" />

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { realmPrefix } from '../../src/base/identifier.ts'
import { isSubjectKey } from '../../src/record/place.ts'
import { decodeSecretRow } from '../../src/record/secret-row.ts'
import { childOf } from './compile.ts'
import { seeded } from './driver.ts'
import { subjectName } from './vault-people.ts'
import { basis, openWorld, sampleOf, type World } from './vault-world.ts'

export interface CampaignTrialOptions {
  readonly compiled: string
  readonly records: number
  readonly kills: number
  readonly seed: number
  /** Wraps a second; as fast as it goes unless told. */
  readonly perSecond?: number
  /** Comparisons before the first campaign, to know what an idle vault takes. */
  readonly idle: number
  /** A planted fault: the trial ends when it shows. */
  readonly control?: true
}

export interface CampaignTrialResult {
  /** Answers and errors that no vault may give. */
  readonly wrong: readonly string[]
  readonly verifies: number
  readonly kills: number
  readonly campaigns: number
  readonly idleP99Ms: number
  readonly busyP99Ms: number
  /** Records with no wrap, or with two. */
  readonly torn: readonly string[]
  /** Wraps by epoch at the end. */
  readonly epochs: Readonly<Record<number, number>>
  readonly primary: number
  readonly minAccepted: number
}

const LOOPS = 3
const MOST_WRONG = 20
/** One campaign ends in so many kills at most: then another epoch is promoted. */
const MOST_LINES = 60

/** Enrols, compares, and has one campaign after the other killed; then lets the last one end. */
export async function campaignTrial(options: CampaignTrialOptions): Promise<CampaignTrialResult> {
  const base = mkdtempSync(join(tmpdir(), 'guise-campaign-'))
  const directory = join(base, 'store')
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const world = await openWorld(directory)
  try {
    await enrollAll(world, options.records)
    const traffic = new Traffic(world, options.records)
    const idle = async (): Promise<number> => {
      await traffic.run(async () => {
        while (traffic.times.length < options.idle) await turn()
      })
      return p99(traffic.times.splice(0))
    }
    const first = await idle()
    let counts = { kills: 0, campaigns: 0 }
    await traffic.run(async () => {
      counts = await killed(options, world, directory, () => traffic.wrong.length > 0)
    })
    const busyP99Ms = p99(traffic.times.splice(0))
    // Before and afterwards: what else the machine does changes.
    const idleP99Ms = ((await idle()) + first) / 2
    return {
      wrong: traffic.wrong,
      verifies: traffic.verifies,
      ...counts,
      idleP99Ms,
      busyP99Ms,
      ...(await inspect(world, options.records)),
    }
  } finally {
    await world.close()
    rmSync(base, { recursive: true, force: true })
  }
}

async function enrollAll({ vault }: World, records: number): Promise<void> {
  const requests = function* () {
    for (let i = 0; i < records; i++) yield { ...sampleOf(i), subject: subjectName(i), basis: basis() }
  }
  for await (const result of vault.enrollMany(requests())) if (!result.ok) throw result.error
}

/** Kills campaigns at work, promoting another epoch whenever one came to its end; the last is left to end. */
async function killed(
  options: CampaignTrialOptions,
  { keyring }: World,
  directory: string,
  isCaught: () => boolean,
): Promise<{ kills: number; campaigns: number }> {
  const random = seeded(options.seed)
  const counts = { kills: 0, campaigns: 0 }
  for (let left = true; ; ) {
    if (!left) {
      counts.campaigns += 1
      if (counts.kills >= options.kills || (options.control === true && isCaught())) return counts
    }
    if (!left || counts.campaigns + counts.kills === 0) await keyring.promote(await keyring.add())
    const after = counts.kills < options.kills ? 1 + Math.floor(random() * MOST_LINES) : undefined
    left = await oneRun(options, directory, after)
    if (left) counts.kills += 1
  }
}

/** Runs a campaign; true when it was killed. */
async function oneRun(
  { compiled, perSecond }: CampaignTrialOptions,
  directory: string,
  killAfter: number | undefined,
): Promise<boolean> {
  const file = join(dirname(childOf(compiled)), 'campaign-child.js')
  const args = [file, directory, ...(perSecond === undefined ? [] : [String(perSecond)])]
  const child: ChildProcess = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let lines = 0
  let end = ''
  const reader = createInterface({ input: child.stdout as NodeJS.ReadableStream })
  reader.on('line', (line) => {
    lines += 1
    if (line.startsWith('end ')) end = line
    if (lines === killAfter) child.kill('SIGKILL')
  })
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
  if (signal === 'SIGKILL') return end === ''
  if (code !== 0) throw new Error(`the campaign ended with ${code ?? signal}`)
  return false
}

/** Compares people in turn, every fourth with a face that is not theirs, and checks each answer. */
class Traffic {
  readonly wrong: string[] = []
  readonly times: number[] = []
  verifies = 0
  readonly #world: World
  readonly #records: number

  constructor(world: World, records: number) {
    this.#world = world
    this.#records = records
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

  async #loop(first: number, signal: AbortSignal): Promise<void> {
    for (let at = first; !signal.aborted; at += LOOPS) {
      await turn()
      const person = (at * 7919) % this.#records
      // Of each person one failure between three matches: no limit is reached.
      const wrong = (person + Math.floor(at / this.#records)) % 4 === 3
      await this.#compare(person, wrong)
    }
  }

  async #compare(person: number, wrong: boolean): Promise<void> {
    const begun = performance.now()
    let said = ''
    try {
      const { outcome } = await this.#world.vault.verify({
        ...sampleOf(person, wrong),
        subject: subjectName(person),
      })
      said = outcome
    } catch (error) {
      said = String((error as { code?: unknown }).code ?? error)
    }
    this.times.push(performance.now() - begun)
    this.verifies += 1
    const expected = wrong ? 'nonmatch' : 'match'
    if (said !== expected && this.wrong.length < MOST_WRONG) {
      this.wrong.push(`${subjectName(person)}: ${said} instead of ${expected}`)
    }
  }
}

/** What lies there in the end. */
async function inspect(
  { ctx, keyring }: World,
  records: number,
): Promise<Pick<CampaignTrialResult, 'torn' | 'epochs' | 'primary' | 'minAccepted'>> {
  const prefix = realmPrefix(ctx.realm)
  const seen = new Set<string>()
  const torn: string[] = []
  const epochs: Record<number, number> = {}
  for await (const { key, bytes } of ctx.secrets.scan('secrets', prefix)) {
    if (!isSubjectKey(ctx.realm, key)) continue
    const record = key.slice(prefix.length, prefix.length + 16)
    const name = Buffer.from(record).toString('hex')
    if (seen.has(name)) torn.push(`${name} has two wraps`)
    seen.add(name)
    const place = { realm: ctx.realm, record, generation: key.slice(prefix.length + 16) }
    const { epoch } = decodeSecretRow(bytes, place)
    epochs[epoch] = (epochs[epoch] ?? 0) + 1
  }
  if (seen.size !== records) torn.push(`${seen.size} records of ${records} have a wrap`)
  await keyring.refresh()
  return { torn, epochs, primary: keyring.primary, minAccepted: keyring.minAccepted }
}

function p99(times: readonly number[]): number {
  const sorted = times.toSorted((a, b) => a - b)
  return sorted[Math.floor(0.99 * sorted.length)] ?? 0
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** One line that says what was measured. */
export function trialLine(result: CampaignTrialResult): string {
  const { verifies, kills, campaigns, wrong, idleP99Ms, busyP99Ms } = result
  const times = `p99 ${idleP99Ms.toFixed(1)} ms idle, ${busyP99Ms.toFixed(1)} ms beside campaigns`
  return `${verifies} comparisons, ${wrong.length} wrong, ${kills} kills, ${campaigns} campaigns ended; ${times}`
}
