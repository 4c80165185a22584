/** Counts for machines: what ran, and under CI a skipped test is a failure. @module */
import { appendFileSync } from 'node:fs'
import process from 'node:process'
import type { Reporter, TestModule } from 'vitest/node'

type State = 'passed' | 'failed' | 'skipped'

/**
 * One line `passed failed skipped` per run is appended to the file that GUISE_TALLY names, and the names of what failed to the one
 * beside it that ends in `.failed`.
 */
export class TallyReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const counts: Record<State, number> = { passed: 0, failed: 0, skipped: 0 }
    const skipped: string[] = []
    const failed: string[] = []
    for (const module of modules) {
      // A file that does not load has no tests to count.
      if (module.state() === 'failed' && [...module.children.allTests()].length === 0) {
        counts.failed++
        failed.push(module.relativeModuleId)
      }
      for (const test of module.children.allTests()) {
        const { state } = test.result()
        counts[state === 'pending' ? 'skipped' : state]++
        if (state === 'failed') failed.push(`${module.relativeModuleId}: ${test.fullName}`)
        if (state !== 'passed' && state !== 'failed')
          skipped.push(`${module.relativeModuleId}: ${test.fullName}`)
      }
    }
    const tally = process.env['GUISE_TALLY']
    if (tally !== undefined) {
      appendFileSync(tally, `${counts.passed} ${counts.failed} ${counts.skipped}\n`)
      appendFileSync(`${tally}.failed`, failed.map((name) => `${name}\n`).join(''))
    }
    if (process.env['CI'] === undefined || skipped.length === 0) return
    process.stderr.write(`Skipped, which fails here:\n${skipped.map((name) => `  ${name}\n`).join('')}`)
    process.exitCode = 1
  }
}
