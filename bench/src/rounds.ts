/** Rounds: every variant in a fresh process, in an order that turns round each time. @module */

import { fork } from 'node:child_process'
import { once } from 'node:events'
import type { Run } from './figures.ts'
import type { Plan, Scenario } from './scenario.ts'

/** Runs all variants of a scenario, `rounds` times, and tells of every one that ends. */
export async function runRounds(
  scenario: Scenario,
  plan: Plan,
  rounds: number,
  onRun: (run: Run) => void,
): Promise<readonly Run[]> {
  const runs: Run[] = []
  for (let round = 0; round < (scenario.repeats ? rounds : 1); round++) {
    const order = round % 2 === 0 ? scenario.variants : scenario.variants.toReversed()
    for (const variant of order) {
      const task = { scenario: scenario.name, variant: variant.name, round, plan }
      const run = await inProcess(task, variant.nodeOptions ?? [])
      runs.push(run)
      onRun(run)
    }
  }
  return runs
}

/** What the process is told to do. */
export interface Task {
  readonly scenario: string
  readonly variant: string
  readonly round: number
  readonly plan: Plan
}

/** Runs one variant here and now. */
export async function runVariant(scenario: Scenario, name: string, round: number, plan: Plan): Promise<Run> {
  const variant = scenario.variants.find((candidate) => candidate.name === name)
  if (variant === undefined) throw new Error(`no variant ${name} of ${scenario.name}`)
  const used = process.cpuUsage()
  const begin = performance.now()
  const series = await variant.run(plan)
  const { user, system } = process.cpuUsage(used)
  const processorShare = (user + system) / 1000 / (performance.now() - begin)
  return { variant: name, round, series, processorShare }
}

async function inProcess(task: Task, nodeOptions: readonly string[]): Promise<Run> {
  const child = fork(new URL('./worker.js', import.meta.url), {
    execArgv: [...process.execArgv, ...nodeOptions],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  let run: Run | undefined
  child.on('message', (message) => {
    run = message as Run
  })
  child.send(task)
  // The channel ends after its last message, which the end of the process does not promise.
  const [[code]] = (await Promise.all([once(child, 'exit'), once(child, 'disconnect')])) as [
    [number | null],
    unknown,
  ]
  if (run === undefined || code !== 0)
    throw new Error(`${task.scenario}, ${task.variant}: the process failed`)
  return run
}
