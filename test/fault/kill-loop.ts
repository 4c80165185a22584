/** Kills a working process again and again and verifies what it leaves (STORE-1). @module */
/// <reference types="node" />

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { childOf } from './compile.ts'
import { seeded, type Verdict } from './driver.ts'
import { Verifier } from './verifier.ts'

export interface KillLoopOptions {
  /** From `compile()`. */
  readonly compiled: string
  /** File name of the driver beside child.ts, as `./store-driver.js`. */
  readonly driver: string
  readonly cycles: number
  readonly seed: number
  /**
   * The driver has a planted fault that shows as this: the loop ends when it has, and `cycles` is how often it may miss it.
   * A child that ends by itself counts as torn.
   */
  readonly control?: 'lost' | 'torn' | 'either'
}

export interface KillLoopResult extends Verdict {
  readonly cycles: number
  /** Units of work acknowledged in all cycles, each of them looked for after its kill. */
  readonly acknowledged: number
  /** Cycles in which the kill hit before the first unit of work was acknowledged. */
  readonly early: number
}

/**
 * Runs on one directory from cycle to cycle, so that every recovery starts from the state a kill left. A control that
 * is to lose something has a new one in each: what its fault did to the last may keep it from doing anything in the next.
 */
export async function killLoop(options: KillLoopOptions): Promise<KillLoopResult> {
  const base = mkdtempSync(join(tmpdir(), 'guise-kill-'))
  let directory = newStore(base, 0)
  const verifier = new Verifier(options.compiled, options.driver)
  const random = seeded(options.seed)
  const lost: string[] = []
  const torn: string[] = []
  let acknowledged = 0
  let early = 0
  let cycles = 0
  try {
    for (let cycle = 0; cycle < options.cycles; cycle++) {
      if (options.control === 'lost') directory = newStore(base, cycle)
      const tokens = await killedRun(options, directory, cycle, random).catch((error: unknown) => {
        if (options.control === undefined) throw error
        // A planted fault may also show in the child itself, which then ends with an error: that is caught too.
        torn.push(`cycle ${cycle}: ${error instanceof Error ? error.message : 'the child failed'}`)
        return []
      })
      const work = tokens.filter((token) => token !== 'ready')
      acknowledged += work.length
      if (work.length === 0) early += 1
      const verdict = await verifier.verify(directory, work)
      lost.push(...verdict.lost.map((token) => `cycle ${cycle}: ${token}`))
      torn.push(...verdict.torn.map((what) => `cycle ${cycle}: ${what}`))
      cycles += 1
      const caught = { lost: lost.length, torn: torn.length, either: lost.length + torn.length }
      if (options.control !== undefined && caught[options.control] > 0) break
    }
    return { cycles, acknowledged, early, lost, torn }
  } finally {
    await verifier.close()
    rmSync(base, { recursive: true, force: true })
  }
}

/** What a driver keeps beside its directory is new with it. */
function newStore(base: string, cycle: number): string {
  const directory = join(base, String(cycle), 'store')
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  return directory
}

/**
 * One kill in eight comes at any time of the start; the others come after a random number of acknowledgements and a
 * moment more, so that a busy machine is killed at work too.
 */
async function killedRun(
  options: KillLoopOptions,
  directory: string,
  cycle: number,
  random: () => number,
): Promise<readonly string[]> {
  const seed = String(options.seed + cycle)
  const args = [childOf(options.compiled), 'run', options.driver, directory, seed, '1000000']
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const atStart = random() < 0.125
  const enough = 1 + Math.floor(random() * 90)
  const delayMs = random() * (atStart ? 250 : 4)
  const kill = (): void => void setTimeout(() => child.kill('SIGKILL'), delayMs)
  if (atStart) kill()
  let text = ''
  let armed = atStart
  child.stdout.setEncoding('utf8')
  child.stdout.on('data', (chunk: string) => {
    text += chunk
    // The first line says that the store is open.
    if (!armed && text.split('\n').length - 2 >= enough) {
      armed = true
      kill()
    }
  })
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
  if (signal !== 'SIGKILL') throw new Error(`the child ended by itself with ${code ?? signal}`)
  // A line that the kill cut off was not yet told to anyone.
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => line.slice('ack '.length))
}
