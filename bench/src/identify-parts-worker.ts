/** One part of a gallery in PostgreSQL: loads, then answers what comes over the pipe. @module */

import { Pool } from 'pg'
import { openGalleryPart } from '../../dist/node.js'
import { postgresStore } from '../../dist/postgres.js'
import { GALLERY_SHAPE, galleryOptions, vaultOptions } from './people.ts'
import { sharedKeyProvider } from './postgres-server.ts'

/** What a process is told first. */
export interface PartTask {
  readonly url: string
  readonly schema: string
  readonly index: number
  readonly of: number
}

/** That it has loaded, then its answers. */
export type PartTold =
  | { readonly memoryMiB: number }
  | { readonly number: number; readonly answer: Uint8Array }

interface PartAsked {
  readonly number: number
  readonly question: Uint8Array
}

process.once('message', (message) => {
  serve(message as PartTask).catch(fail)
})

async function serve({ url, schema, index, of }: PartTask): Promise<void> {
  const pool = new Pool({ connectionString: url, max: 8 })
  const store = await postgresStore({ pool, schema })
  const { logSigner: _, ...options } = await vaultOptions(store, GALLERY_SHAPE, sharedKeyProvider(), 'open')
  const part = await openGalleryPart({ ...options, gallery: galleryOptions(), part: { index, of } })
  await part.load()
  process.on('message', (message) => {
    const { number, question } = message as PartAsked
    part.answer(question).then((answer) => process.send?.({ number, answer }), fail)
  })
  process.on('disconnect', () => {
    void part.close().then(() => process.exit(0), fail)
  })
  process.send?.({ memoryMiB: process.memoryUsage().rss / 2 ** 20 })
}

function fail(error: unknown): void {
  console.error(error)
  process.exit(1)
}
