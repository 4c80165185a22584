import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import process from 'node:process'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { TestModule } from 'vitest/node'
import { TallyReporter } from '../reporter.ts'

/** As much of a module as the reporter looks at. */
function moduleOf(states: readonly string[], state = 'passed'): TestModule {
  const tests = states.map((one, index) => ({ fullName: `test ${index}`, result: () => ({ state: one }) }))
  const children = { allTests: () => tests.values() }
  return { relativeModuleId: 'a.test.ts', state: () => state, children } as unknown as TestModule
}

let folder = ''
let said = ''

beforeEach(() => {
  folder = mkdtempSync(`${tmpdir()}/guise-tally-`)
  said = ''
  vi.stubEnv('GUISE_TALLY', `${folder}/tally`)
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    said += String(text)
    return true
  })
})

afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllEnvs()
  process.exitCode = undefined
  rmSync(folder, { recursive: true })
})

const tally = () => readFileSync(`${folder}/tally`, 'utf8')

describe('the tally', () => {
  test('counts what ran', () => {
    vi.stubEnv('CI', 'true')
    new TallyReporter().onTestRunEnd([moduleOf(['passed', 'passed']), moduleOf(['failed'])])
    expect(tally()).toBe('2 1 0\n')
    expect(readFileSync(`${folder}/tally.failed`, 'utf8')).toBe('a.test.ts: test 0\n')
    expect(said).toBe('')
    expect(process.exitCode).toBeUndefined()
  })

  test('counts a file that does not load as a failure', () => {
    new TallyReporter().onTestRunEnd([moduleOf([], 'failed')])
    expect(tally()).toBe('0 1 0\n')
    expect(readFileSync(`${folder}/tally.failed`, 'utf8')).toBe('a.test.ts\n')
  })

  test.each(['skipped', 'pending'])('fails on a %s test under CI and names it', (state) => {
    vi.stubEnv('CI', 'true')
    new TallyReporter().onTestRunEnd([moduleOf(['passed', state])])
    expect(tally()).toBe('1 0 1\n')
    expect(said).toContain('a.test.ts: test 1')
    expect(process.exitCode).toBe(1)
  })

  test('elsewhere lets it pass', () => {
    vi.stubEnv('CI', undefined)
    new TallyReporter().onTestRunEnd([moduleOf(['passed', 'skipped'])])
    expect(process.exitCode).toBeUndefined()
  })
})
