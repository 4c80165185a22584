/** One share holder in a process of its own: an LMDB store, a file anchor, HTTPS on this machine. @module */

import { join } from 'node:path'
import { lmdbStore } from '../../dist/lmdb.js'
import { fileAnchor, selfSignedCertificate, serveHolder } from '../../dist/node.js'
import { quorumHolder, readQuorumShare } from '../../dist/quorum.js'

/** What a process is told. */
export interface HolderTask {
  readonly folder: string
  readonly share: Uint8Array
  readonly logKey: string
  /** Of the vault's certificate. */
  readonly clientPin: string
}

/** What it answers when it can be asked. */
export interface HolderTold {
  readonly index: number
  readonly verifierKey: string
  readonly port: number
  readonly pin: string
}

const UNBOUNDED = { recordPerHour: 1_000_000_000, recordTotal: 1_000_000_000, allPerHour: 1_000_000_000 }

process.once('message', (message) => {
  serve(message as HolderTask).catch((error: unknown) => {
    console.error(error)
    process.exit(1)
  })
})

async function serve({ folder, share: bytes, logKey, clientPin }: HolderTask): Promise<void> {
  const share = readQuorumShare(bytes)
  const store = await lmdbStore({ path: join(folder, `holder-${share.index}`) })
  const anchor = fileAnchor(join(folder, `anchor-${share.index}`))
  const key = new Uint8Array(32).fill(share.index)
  const holder = await quorumHolder({ shares: [share], key, store, anchor, logKey, budgets: UNBOUNDED })
  const identity = selfSignedCertificate('localhost', 30)
  const clients = { pins: [clientPin] }
  const server = await serveHolder({ holder, identity, clients, host: '127.0.0.1', port: 0 })
  process.once('disconnect', () => process.exit(0))
  const { index, verifierKey } = holder
  const told: HolderTold = { index, verifierKey, port: server.port, pin: identity.pin }
  process.send?.(told)
}
