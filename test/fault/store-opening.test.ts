/** A process opens the store at the worst moment while another writes (STORE-23); needs Linux with strace. @module */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { compile } from './compile.ts'

let compiled = ''
let base = ''

beforeAll(() => {
  compiled = compile()
}, 120_000)

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'guise-opening-'))
})

afterEach(() => {
  rmSync(base, { recursive: true })
})

const DELAY_MS = 1000
const timeout = 60_000

/** A process that has opened the store, or is about to, and answers line by line. */
class Talker {
  readonly #child: ChildProcess
  readonly #lines: AsyncIterator<string>

  constructor(folder: string, trace: readonly string[] = []) {
    const script = join(folder, 'test', 'fault', 'store-opening-child.js')
    const [command, ...rest] = [...trace, process.execPath, script, join(base, 'store')]
    this.#child = spawn(command, rest, { stdio: ['pipe', 'pipe', 'inherit'] })
    const { stdin, stdout } = this.#child
    stdin?.on('error', () => undefined)
    this.#lines = createInterface({ input: stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]()
  }

  async hears(): Promise<string> {
    const { value } = await this.#lines.next()
    return value ?? 'ended'
  }

  async told(line: string): Promise<string> {
    this.#child.stdin?.write(`${line}\n`)
    return await this.hears()
  }

  async end(): Promise<void> {
    const { exitCode, signalCode } = this.#child
    this.#child.stdin?.end()
    if (exitCode === null && signalCode === null) await once(this.#child, 'exit')
  }
}

function strace(...options: readonly string[]): readonly string[] {
  const data = join(base, 'store', 'data.mdb')
  return ['strace', '-f', '-qq', '-o', join(base, 'trace'), '-P', data, ...options]
}

function traced(): readonly string[] {
  const trace = join(base, 'trace')
  const text = existsSync(trace) ? readFileSync(trace, 'utf8') : ''
  return text.split('\n').filter((line) => line.includes('('))
}

/** Which call reads the second meta page for LMDB, and which opens the data file once more behind it. */
async function opening(folder: string): Promise<{ readonly readAt: number; readonly openAt: number }> {
  const opener = new Talker(folder, strace('-e', 'trace=openat,pread64'))
  await opener.hears()
  await opener.end()
  const calls = traced()
  rmSync(join(base, 'trace'))
  const last = calls.findIndex((line) => line.includes('O_DSYNC'))
  const before = calls.slice(0, last + 1)
  return {
    readAt: before.filter((line) => line.includes('pread64(')).length,
    openAt: before.filter((line) => line.includes('openat(')).length,
  }
}

interface Outcome {
  readonly opener: string
  /** What the writer sees of its own acknowledged commit before anybody writes again. */
  readonly seen: string
  readonly queue: string
}

/** A commit is acknowledged after the opener has read the meta pages and before it says so; then another is made. */
async function race(folder: string, killed: boolean, asks = true): Promise<Outcome> {
  const writer = new Talker(folder)
  await writer.hears()
  for (const line of ['1', '2']) await writer.told(line)
  const { readAt, openAt } = await opening(folder)
  const kill = killed ? ['-e', `inject=openat:signal=SIGKILL:when=${openAt}`] : []
  const delay = `inject=pread64:delay_exit=${1000 * DELAY_MS}:when=${readAt}`
  const opener = new Talker(folder, strace('-e', 'trace=openat,pread64', '-e', delay, ...kill))
  // What is delayed is written to the trace afterwards.
  while (traced().filter((line) => line.includes('pread64(')).length < readAt - 1) await pause(5)
  await pause(DELAY_MS / 4)
  expect(await writer.told('3')).toBe('3: ')
  const opened = await opener.hears()
  const seen = asks ? await writer.told('has 3') : ''
  await writer.told('4')
  const queue = await writer.told('queue')
  await opener.end()
  await writer.end()
  return { opener: opened, seen, queue }
}

test.each([
  ['opens', false, 'open'],
  ['is killed as it opens', true, 'ended'],
])('STORE-23 a process that %s takes back no commit of another', { timeout }, async (_, killed, said) => {
  const outcome = await race(compiled, killed)
  expect(outcome).toEqual({ opener: said, seen: 'has 3: 1', queue: 'queue: 1,2,3,4' })
})

test('the control that believes the number in the lock file loses one', { timeout }, async () => {
  const mutation = {
    file: 'src/store/lmdb-newest.ts',
    from: 'if (number === newest + 1) return true',
    to: 'if (number > 0) return true',
  }
  const { queue } = await race(compile({ mutation }), true, false)
  expect(queue).toBe('queue: 1,2,4')
})
