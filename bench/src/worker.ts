/** One variant of one scenario, in a process of its own. @module */

import type { Run } from './figures.ts'
import { runVariant, type Task } from './rounds.ts'
import { SCENARIOS } from './scenarios.ts'

process.once('message', (message) => {
  answer(message as Task).then(
    (run) => process.send?.(run, () => process.exit(0)),
    (error: unknown) => {
      console.error(error)
      process.exit(1)
    },
  )
})

async function answer({ scenario, variant, round, plan }: Task): Promise<Run> {
  const chosen = SCENARIOS.find(({ name }) => name === scenario)
  if (chosen === undefined) throw new Error(`no scenario ${scenario}`)
  return await runVariant(chosen, variant, round, plan)
}
