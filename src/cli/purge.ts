/** `guise purge`: erases every record whose time is over, and keeps the receipts (SPEC §12.4). @module */
/// <reference types="node" />

import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { logSigner } from '../audit/checkpoint.ts'
import { fileAnchor } from '../audit/file-anchor.ts'
import { wipe } from '../base/bytes.ts'
import type { RetentionPolicy } from '../policy/retention.ts'
import { type PurgeOptions, type PurgeSummary, purge } from '../vault/purge.ts'
import { type Inspection, inspect } from './inspect.ts'
import { count, exitCode, type Io, Progress, runCommand, UsageError } from './io.ts'
import { Receipts } from './receipts.ts'
import { needed, secretOptions, secretSource, secretUsage, wholeNumber } from './secret.ts'

export const purgeUsage: string = `
Usage: guise purge --realm NAME --store DIR [--secrets DIR] --provider DIR <secret>
         --policies FILE --receipts FILE [--origin NAME --log-key-file FILE] [options]

Erases every record whose time is over under the policy of its purpose, and every record whose person withdrew. Records
under a legal hold are kept. Vaults may be at work meanwhile; a record that is held or renewed first is kept. Stopped
anywhere, the next run with the same receipts goes on and writes the receipts that are missing.

  --realm NAME             the realm
  --store DIR              LMDB store that holds keyring and codes
  --secrets DIR            LMDB store of the wraps, where they have their own
  --provider DIR           directory of the local key provider
  --policies FILE          JSON: a list of { purpose, afterEnrolmentDays, afterMatchDays, afterRevocationDays,
                           afterExpiryDays }, at least one of the days each
  --receipts FILE          JSON lines are added to it: who is due, then the receipt of each erasure

${secretUsage}

Log: the purge signs it itself, or a vault that is open with the log's key does
  --origin NAME            the log's name
  --log-key-file FILE      the seed of the log's key, 32 bytes
  --anchor FILE            the file of the file anchor

Options
  --dry-run                say what is due, erase nothing, write no receipts
  --per-second N           erase at most N records a second
  --actor NAME             who answers for it, a pseudonym for the log
  --json                   print the summary as JSON

Exit codes: 0 done, 1 a record could not be erased or the purge failed, 2 wrong usage.
`

const text = { type: 'string' } as const
const OPTIONS = {
  realm: text,
  store: text,
  secrets: text,
  provider: text,
  policies: text,
  receipts: text,
  origin: text,
  'log-key-file': text,
  anchor: text,
  'per-second': text,
  actor: text,
  ...secretOptions,
  'dry-run': { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const
const SEED_BYTES = 32

interface Request extends Inspection {
  readonly policies: readonly RetentionPolicy[]
  readonly receipts: string | undefined
  readonly origin: string | undefined
  readonly keyFile: string | undefined
  readonly anchor: string | undefined
  readonly perSecond: number | undefined
  readonly actor: string | undefined
}

/** Runs `guise purge …`; `argv` is what follows `purge`. Resolves with the exit code. */
export function purgeCommand(argv: readonly string[], io: Io): Promise<number> {
  return runCommand(io, purgeUsage, async () => {
    if (argv.includes('--help')) {
      io.out(purgeUsage.trimStart())
      return exitCode.ok
    }
    const request = parse(argv)
    const summary = await inspect(request, io, ({ keyring, store, secrets }) =>
      withSigner(request, async (signed) =>
        run(request, io, { keyring, store, ...(secrets === undefined ? {} : { secrets }), ...signed }),
      ),
    )
    io.out(request.json ? `${JSON.stringify(summary)}\n` : asText(summary))
    return summary.failed === 0 ? exitCode.ok : exitCode.failure
  })
}

function parse(argv: readonly string[]): Request {
  const { values } = parseArgs({ args: [...argv], options: OPTIONS })
  const perSecond = values['per-second']
  const origin = values.origin
  const keyFile = values['log-key-file']
  if ((origin === undefined) !== (keyFile === undefined))
    throw new UsageError('--origin and --log-key-file go together')
  return {
    realm: needed(values.realm, '--realm'),
    store: needed(values.store, '--store'),
    secrets: values.secrets,
    provider: needed(values.provider, '--provider'),
    secret: secretSource(values),
    json: values.json,
    policies: readPolicies(needed(values.policies, '--policies')),
    receipts: values['dry-run'] ? undefined : needed(values.receipts, '--receipts'),
    origin,
    keyFile,
    anchor: values.anchor,
    perSecond: perSecond === undefined ? undefined : wholeNumber(perSecond, '--per-second'),
    actor: values.actor,
  }
}

/** The purge checks what it says. */
function readPolicies(path: string): readonly RetentionPolicy[] {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as readonly RetentionPolicy[]
  } catch (error) {
    if (error instanceof SyntaxError) throw new UsageError('--policies must name a JSON file')
    throw error
  }
}

async function run(
  request: Request,
  io: Io,
  where: Pick<PurgeOptions, 'keyring' | 'store' | 'secrets' | 'logSigner' | 'anchor'>,
): Promise<PurgeSummary> {
  const { policies, perSecond, actor } = request
  const receipts = request.receipts === undefined ? undefined : new Receipts(request.receipts)
  const progress = new Progress(io, 'erased')
  try {
    const walk = purge({
      ...where,
      policies,
      ...(receipts === undefined ? { dryRun: true } : { resume: receipts.open }),
      ...(perSecond === undefined ? {} : { perSecond }),
      ...(actor === undefined ? {} : { actor }),
      onProgress: (done, due) => progress.update(done, due),
    })
    for (;;) {
      const next = await walk.next()
      if (next.done === true) return next.value
      // Durable before the purge goes on: nobody is erased whom a crash would leave without a receipt.
      receipts?.write(next.value)
    }
  } finally {
    progress.finish()
    receipts?.close()
  }
}

/** Lends the signer of the log that the options name, and its anchor. */
export async function withSigner<Result>(
  { origin, keyFile, anchor }: Pick<Request, 'origin' | 'keyFile' | 'anchor'>,
  task: (signed: Pick<PurgeOptions, 'logSigner' | 'anchor'>) => Promise<Result>,
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

function asText({ records, held, uncovered, due, erased, failed, people }: PurgeSummary): string {
  return [
    `${count(records)} records, ${count(held)} under a legal hold, ${count(uncovered)} of a purpose without a policy\n`,
    `${count(due)} due, ${count(erased)} erased, ${count(failed)} failed; ${count(people)} people remain\n`,
  ].join('')
}
