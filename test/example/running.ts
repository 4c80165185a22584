/** The example's server as its readers start it, and what it wrote. @module */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import process from 'node:process'

export interface RunningExample {
  readonly address: string
  /** Lines that the operator sees, the newest last. */
  readonly lines: readonly string[]
  /** Waits for the end; its exit code. */
  stop(): Promise<number | null>
}

/** Throws with what the server said when it does not start. */
export async function startExample(): Promise<RunningExample> {
  // As the text says; any port will do.
  const [, program, path] =
    /^npm ci && npm run build\n(node) (\S+)$/m.exec(readFileSync('docs/capture.md', 'utf8')) ?? []
  if (program === undefined || path === undefined) throw new Error('docs/capture.md starts no server')
  const child = spawn(process.execPath, [path, '0'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], TMPDIR: process.env['TMPDIR'] },
  })
  const lines: string[] = []
  const address = await listening(child, lines)
  return {
    address,
    lines,
    stop: async () => {
      const ended = once(child, 'exit')
      child.kill('SIGTERM')
      const [code] = (await ended) as [number | null]
      return code
    },
  }
}

function listening(child: ChildProcess, lines: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    let rest = ''
    const hear = (part: Buffer): void => {
      const parts = (rest + part.toString()).split('\n')
      rest = parts.pop() ?? ''
      lines.push(...parts)
      const address = lines.find((line) => line.startsWith('http://'))
      if (address !== undefined) resolve(address)
    }
    child.stdout?.on('data', hear)
    child.stderr?.on('data', hear)
    child.once('exit', () => reject(new Error(`the server ended: ${lines.join('\n')}${rest}`)))
  })
}
