/** A program of the folder that `GUISE_SERVICES` names, started as its readers start it. @module */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'

export interface Running {
  /** A POST; `body` as it is when it is a text, as JSON otherwise. */
  ask(path: string, body: unknown, headers?: Readonly<Record<string, string>>): Promise<Answered>
  /** What the operator sees. */
  said(): string
  /** SIGTERM; its exit code. */
  stop(): Promise<number | null>
}
export interface Answered {
  readonly status: number
  readonly text: string
  readonly headers: Headers
}

const TOKEN = 'a token that the backend has'

/** The folder with the frameworks and what was built there. */
export function servicesFolder(): string {
  const folder = process.env['GUISE_SERVICES']
  if (folder === undefined)
    throw new Error('npm run test:services installs the frameworks and names their folder')
  return folder
}

/** Waits for the line that tells the port. Throws with what the program said when it ends before. */
export async function started(
  argv: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Running> {
  const child = spawn(process.execPath, argv, {
    cwd: servicesFolder(),
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], TMPDIR: process.env['TMPDIR'], DESK_TOKEN: TOKEN, ...environment },
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
  const port = await listening(child, () => said)
  return {
    said: () => said,
    async ask(path, body, headers = {}) {
      const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${TOKEN}`, ...headers },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      })
      return { status: answer.status, text: await answer.text(), headers: answer.headers }
    },
    async stop() {
      const ended = once(child, 'exit')
      child.kill('SIGTERM')
      const [code] = (await ended) as [number | null]
      return code
    },
  }
}

async function listening(child: ChildProcess, said: () => string): Promise<string> {
  for (;;) {
    const [, port] = /^listening on (\d+)$/m.exec(said()) ?? []
    if (port !== undefined) return port
    if (child.exitCode !== null) throw new Error(`the service ended:\n${said()}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
