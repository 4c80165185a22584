/** Verifies directories in a process of its own, because a damaged store may take its process along. @module */
/// <reference types="node" />

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { childOf } from './compile.ts'
import type { Verdict } from './driver.ts'

export class Verifier {
  readonly #compiled: string
  readonly #driver: string
  readonly #environment: Readonly<Record<string, string>>
  #child: ChildProcessWithoutNullStreams | undefined
  #answer: ((line: string) => void) | undefined

  constructor(compiled: string, driver: string, environment: Readonly<Record<string, string>> = {}) {
    this.#compiled = compiled
    this.#driver = driver
    this.#environment = environment
  }

  /** A process that dies counts as torn. */
  async verify(directory: string, acknowledged: readonly string[]): Promise<Verdict> {
    const child = this.#start()
    const line = await new Promise<string>((resolve) => {
      this.#answer = resolve
      child.stdin.write(`${JSON.stringify({ directory, acknowledged })}\n`)
    })
    return JSON.parse(line) as Verdict
  }

  async close(): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (child === undefined) return
    const closed = once(child, 'close')
    child.stdin.end()
    await closed
  }

  #start(): ChildProcessWithoutNullStreams {
    if (this.#child !== undefined) return this.#child
    const child = spawn(process.execPath, [childOf(this.#compiled), 'verify', this.#driver], {
      env: { ...process.env, ...this.#environment },
    })
    createInterface({ input: child.stdout }).on('line', (line) => this.#answer?.(line))
    child.stderr.resume()
    child.stdin.on('error', () => undefined)
    child.on('close', (code, signal) => {
      if (this.#child === child) this.#child = undefined
      this.#answer?.(
        JSON.stringify({ lost: [], torn: [`the verifying process ended with ${code ?? signal}`] }),
      )
    })
    this.#child = child
    return child
  }
}
