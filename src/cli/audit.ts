/** `guise audit`: exports a realm's log, and checks an export from its bytes alone (SPEC §14.4). @module */
/// <reference types="node" />

import { accessSync, createReadStream, createWriteStream, readFileSync } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { parseArgs } from 'node:util'
import { AuditError } from '../audit/errors.ts'
import { fileAnchor } from '../audit/file-anchor.ts'
import { storedLog } from '../audit/stored-log.ts'
import { type VerifiedLog, verifyLog } from '../audit/verify.ts'
import { toHex } from '../base/bytes.ts'
import { count, exitCode, type Io, Progress, runCommand, UsageError } from './io.ts'
import { needStore } from './needed-store.ts'
import { needed } from './secret.ts'

const usage = `
Usage: guise audit export --realm NAME --store DIR --log FILE
       guise audit verify --log FILE --key KEY [options]

export writes the log of a realm, up to its newest signed checkpoint, into a file that must not exist. It needs no key.

verify reads an exported log once, from its beginning, and recomputes everything: signature, root, every writer's chain.
Prints what holds, or the first fault. Needs neither a store nor a secret.

  --realm NAME       the realm, for export
  --store DIR        its LMDB store, for export
  --log FILE         the export
  --key KEY          verifier key of the log, name+hash+key; get it from the log's operator, not with the export

  --checkpoint FILE  a checkpoint from earlier, which the log must continue; may be given several times
  --anchor FILE      file of a file anchor, which must exist: what was anchored must be in the log
  --json             print JSON

Without an older checkpoint or an anchor a log that was cut and signed again looks whole.
Exit codes: 0 the log holds, 1 it does not, or could not be read, 2 wrong usage.
`

const OPTIONS = {
  realm: { type: 'string' },
  store: { type: 'string' },
  log: { type: 'string' },
  key: { type: 'string' },
  checkpoint: { type: 'string', multiple: true },
  anchor: { type: 'string' },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const

/** Runs `guise audit …`; `argv` is what follows `audit`. Resolves with the exit code. */
export function auditCommand(argv: readonly string[], io: Io): Promise<number> {
  return runCommand(io, usage, async () => {
    const { values, positionals } = parseArgs({ args: [...argv], options: OPTIONS, allowPositionals: true })
    if (values.help) {
      io.out(usage.trimStart())
      return exitCode.ok
    }
    const [verb, ...rest] = positionals
    if (verb !== 'verify' && verb !== 'export')
      throw new UsageError(verb === undefined ? 'a verb is missing' : 'the verb is unknown')
    if (rest.length > 0) throw new UsageError('too many arguments')
    const log = needed(values.log, '--log')
    if (verb === 'export') {
      return await exportStore(
        needed(values.realm, '--realm'),
        needed(values.store, '--store'),
        log,
        values.json,
        io,
      )
    }
    const logKey = needed(values.key, '--key')
    const olderCheckpoints = (values.checkpoint ?? []).map((path) => readFileSync(path, 'utf8'))
    // An anchor that is missing anchors nothing: a mistyped path must not look like one that agrees.
    if (values.anchor !== undefined) accessSync(values.anchor)
    const progress = new Progress(io, 'verifying')
    try {
      const verified = await verifyLog(pieces(log), {
        logKey,
        olderCheckpoints,
        ...(values.anchor !== undefined && { anchor: fileAnchor(values.anchor) }),
        onProgress: (done, total) => progress.update(done, total),
      })
      progress.finish()
      io.out(values.json ? `${JSON.stringify({ holds: true, ...figures(verified) })}\n` : sentence(verified))
      return exitCode.ok
    } catch (error) {
      progress.finish()
      if (!(error instanceof AuditError)) throw error
      const { code, message, index = null } = error
      const place = index === null ? '' : ` (entry ${count(index)})`
      if (values.json) io.out(`${JSON.stringify({ holds: false, code, index })}\n`)
      else io.err(`${code}: ${message}${place}\n`)
      return exitCode.failure
    }
  })
}

async function exportStore(realm: string, path: string, log: string, json: boolean, io: Io): Promise<number> {
  needStore(path)
  const { lmdbStore } = await import('../store/lmdb.ts')
  const store = await lmdbStore({ path })
  try {
    const stored = storedLog(store, realm)
    const checkpoint = await stored.checkpoint()
    if (checkpoint === undefined) {
      io.err('the realm has no signed checkpoint: no vault with its log key was open on it\n')
      return exitCode.failure
    }
    await pipeline(stored.export(), createWriteStream(log, { flags: 'wx' }))
    const { origin, size } = checkpoint
    io.out(json ? `${JSON.stringify({ origin, size })}\n` : `${origin}: ${count(size)} entries\n`)
    return exitCode.ok
  } finally {
    await store.close()
  }
}

/** Opens the file when its first piece is asked for: a stream that nobody reads fails behind everybody's back. */
async function* pieces(path: string): AsyncGenerator<Uint8Array, void> {
  for await (const piece of createReadStream(path)) yield piece as Uint8Array
}

function figures({ checkpoint, writers, compared }: VerifiedLog): object {
  const { origin, size, root } = checkpoint
  return { origin, size, root: toHex(root), writers, compared }
}

function sentence({ checkpoint, writers, compared }: VerifiedLog): string {
  const { origin, size, root } = checkpoint
  const sizes =
    compared.length === 0
      ? 'nothing older to compare with'
      : `continues sizes ${compared.map(count).join(', ')}`
  return `${origin}: ${count(size)} entries of ${count(writers)} writers hold, ${sizes}\nroot ${toHex(root)}\n`
}
