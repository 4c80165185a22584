/** Openings while holders are killed and started again: never another output (QUORUM-15). @module */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { QuorumError } from 'guise/quorum'
import { hex } from '../reference/bytes.ts'
import { HolderProcesses } from '../support/holder-processes.ts'
import { generation, RECORD } from '../support/quorum.ts'
import { seeded } from './driver.ts'

export interface Openings {
  readonly good: number
  /** Failed, retryable, because fewer than two holders answered. */
  readonly unavailable: number
  /** Gave an output that is not that of the key, or failed in another way. */
  readonly wrong: string[]
  readonly kills: number
}

/** One generation is opened `count` times; about every tenth time a holder is killed, and started again beside the next openings. */
export async function openUnderKills(count: number, seed: number): Promise<Openings> {
  const world = await HolderProcesses.deal(mkdtempSync(join(tmpdir(), 'guise-holders-')))
  const random = seeded(seed)
  const wrong: string[] = []
  let [good, unavailable, kills] = [0, 0, 0]
  let expected: string | undefined
  let starting: Promise<void> = Promise.resolve()
  try {
    await Promise.all([1, 2, 3].map((index) => world.start(index)))
    const quorum = world.quorum()
    for (let i = 0; i < count; i++) {
      world.tick()
      const receipt = await world.log.open()
      const question = { record: RECORD, generation: generation(1), epoch: 1, receipt, log: world.log }
      const opening = quorum.open(question)
      // It may fail while a holder is being killed, before anybody looks.
      opening.catch(() => undefined)
      if (i % 10 === 5) {
        await starting
        const index = 1 + Math.floor(random() * 3)
        await world.stop(index, 'SIGKILL')
        starting = world.start(index)
        kills += 1
      }
      try {
        const output = hex((await opening).output)
        expected ??= output
        if (output === expected) good += 1
        else wrong.push(`opening ${i} gave another output`)
      } catch (error) {
        if (error instanceof QuorumError && error.code === 'ERR_QUORUM_UNAVAILABLE') unavailable += 1
        else wrong.push(`opening ${i}: ${String(error)}`)
      }
    }
    await starting
    return { good, unavailable, wrong, kills }
  } finally {
    await starting.catch(() => undefined)
    await world.end()
  }
}
