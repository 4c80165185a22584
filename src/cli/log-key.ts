/** Commands that write to a realm's log and may sign it themselves: the key's file, and the anchor. @module */
/// <reference types="node" />

import { readFileSync } from 'node:fs'
import type { Anchor } from '../audit/anchor.ts'
import { type LogSigner, logSigner } from '../audit/checkpoint.ts'
import { fileAnchor } from '../audit/file-anchor.ts'
import { wipe } from '../base/bytes.ts'
import { UsageError } from './io.ts'

const SEED_BYTES = 32

/** What `parseArgs` has to know. */
export const logKeyOptions = {
  origin: { type: 'string' },
  'log-key-file': { type: 'string' },
  anchor: { type: 'string' },
} as const

/** How a usage text says it. */
export const logKeyUsage = `Log: the command signs it itself, or a vault that is open with the log's key does
  --origin NAME            the log's name
  --log-key-file FILE      the seed of the log's key, 32 bytes
  --anchor FILE            the file of the file anchor`

/** Where the log's key lies, if the command has it. */
export interface LogKeyFile {
  readonly origin: string | undefined
  readonly keyFile: string | undefined
  readonly anchor: string | undefined
}

export function readLogKey(
  values: { readonly [Name in keyof typeof logKeyOptions]?: string | undefined },
): LogKeyFile {
  const { origin, anchor } = values
  const keyFile = values['log-key-file']
  if ((origin === undefined) !== (keyFile === undefined))
    throw new UsageError('--origin and --log-key-file go together')
  return { origin, keyFile, anchor }
}

/** Lends signer and anchor to a task, and closes the signer whatever happens. */
export async function withLogKey<Result>(
  { origin, keyFile, anchor }: LogKeyFile,
  task: (signed: { readonly logSigner?: LogSigner; readonly anchor?: Anchor }) => Promise<Result>,
): Promise<Result> {
  const kept = anchor === undefined ? {} : { anchor: fileAnchor(anchor) }
  if (origin === undefined || keyFile === undefined) return await task(kept)
  const seed = new Uint8Array(readFileSync(keyFile))
  if (seed.length !== SEED_BYTES) throw new UsageError(`--log-key-file must hold ${SEED_BYTES} bytes`)
  const signer = await logSigner(origin, seed)
  wipe(seed)
  try {
    return await task({ ...kept, logSigner: signer })
  } finally {
    signer.close()
  }
}
