/** Several processes on one vault, each a child that answers commands in turn. @module */
/// <reference types="node" />

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Command } from './vault-child.ts'

/** `lost`: counters without compare-and-set; `cached`: reads of up to a second ago; `blind`: rows without compare-and-set. */
export type Variant = 'plain' | 'lost' | 'cached' | 'blind'

export class Fleet implements AsyncDisposable {
  readonly #members: readonly Member[]

  private constructor(members: readonly Member[]) {
    this.#members = members
  }

  /** Starts processes on the vault of a directory, which exists. */
  static async start(
    compiled: string,
    directory: string,
    size: number,
    variant: Variant = 'plain',
  ): Promise<Fleet> {
    const members = Array.from({ length: size }, () => new Member(compiled, directory, variant))
    const fleet = new Fleet(members)
    try {
      await Promise.all(members.map((member) => member.next()))
      return fleet
    } catch (error) {
      await fleet[Symbol.asyncDispose]()
      throw error
    }
  }

  /** Asks every process at once. */
  async ask<Answer>(command: (member: number) => Command): Promise<readonly Answer[]> {
    return await Promise.all(this.#members.map((member, i) => member.ask<Answer>(command(i))))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#members.map((member) => member.end()))
  }
}

class Member {
  readonly #child: ChildProcess
  readonly #lines: AsyncIterator<string>
  readonly #closed: Promise<unknown>

  constructor(compiled: string, directory: string, variant: Variant) {
    const script = join(compiled, 'test', 'fault', 'vault-child.js')
    const child = spawn(process.execPath, [script, directory, variant], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    this.#child = child
    this.#closed = once(child, 'close')
    child.stdin.on('error', () => undefined)
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  }

  async ask<Answer>(command: Command): Promise<Answer> {
    this.#child.stdin?.write(`${JSON.stringify(command)}\n`)
    return JSON.parse(await this.next()) as Answer
  }

  async next(): Promise<string> {
    const { value, done } = await this.#lines.next()
    if (done === true) throw new Error('a process of the fleet ended')
    return value
  }

  async end(): Promise<void> {
    this.#child.stdin?.end()
    await this.#closed
  }
}
