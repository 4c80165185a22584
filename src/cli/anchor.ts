/** `guise anchor accept`: break-glass for a store whose log is not the anchored one (SPEC §14.9). @module */
/// <reference types="node" />

import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { logSigner } from '../audit/checkpoint.ts'
import { wipe } from '../base/bytes.ts'
import { openKeyring } from '../keys/keyring.ts'
import { lmdbStore } from '../store/lmdb.ts'
import { acceptAnchor } from '../vault/accept-anchor.ts'
import { count, exitCode, type Io, runCommand, UsageError } from './io.ts'
import { needStore } from './needed-store.ts'
import { needed, openProvider, secretOptions, secretSource, secretUsage } from './secret.ts'

const usage = `
Usage: guise anchor accept --realm NAME --store DIR --provider DIR <secret>
         --anchor FILE --origin NAME --log-key-file FILE --actor NAME

After a failover that lost the end of the log, or a restore that was meant: accepts the store as it is. What happened in
between is gone, revocations and erasures included: do them again before the service opens. An entry of the log tells of it, the log's key
signs it, and what was anchored stays beside the anchor. Vaults that are open on the realm must be closed first.

  --realm NAME             the realm
  --store DIR              its LMDB store
  --provider DIR           directory of the local key provider, or another as guise keys takes it
  --anchor FILE            the file of the file anchor
  --origin NAME            the log's name
  --log-key-file FILE      the seed of the log's key, 32 bytes
  --actor NAME             who answers for it, a pseudonym
  --json                   print JSON

${secretUsage}

Exit codes: 0 accepted, 1 nothing to accept or failed, 2 wrong usage.
`

const text = { type: 'string' } as const
const OPTIONS = {
  realm: text,
  store: text,
  provider: text,
  anchor: text,
  origin: text,
  'log-key-file': text,
  actor: text,
  ...secretOptions,
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const
const SEED_BYTES = 32

/** Runs `guise anchor …`; `argv` is what follows `anchor`. Resolves with the exit code. */
export function anchorCommand(argv: readonly string[], io: Io): Promise<number> {
  return runCommand(io, usage, async () => {
    const { values, positionals } = parseArgs({ args: [...argv], options: OPTIONS, allowPositionals: true })
    if (values.help) {
      io.out(usage.trimStart())
      return exitCode.ok
    }
    if (positionals.length !== 1 || positionals[0] !== 'accept') throw new UsageError('the verb is accept')
    const [realm, path, folder, anchor, origin, keyFile, actor] = [
      needed(values.realm, '--realm'),
      needed(values.store, '--store'),
      needed(values.provider, '--provider'),
      needed(values.anchor, '--anchor'),
      needed(values.origin, '--origin'),
      needed(values['log-key-file'], '--log-key-file'),
      needed(values.actor, '--actor'),
    ]
    const open: (() => Promise<void> | void)[] = []
    try {
      needStore(path)
      const signer = await readSigner(origin, keyFile)
      open.push(() => signer.close())
      const provider = openProvider(folder, secretSource(values))
      open.push(() => provider.close())
      const store = await lmdbStore({ path })
      open.push(() => store.close())
      const keyring = await openKeyring({ realm, provider, store })
      open.push(() => keyring.close())
      const { checkpoint, kept } = await acceptAnchor({ keyring, logSigner: signer, anchor, actor })
      const { size } = checkpoint
      if (values.json) io.out(`${JSON.stringify({ accepted: true, origin, size, kept })}\n`)
      else io.out(`${origin}: accepted with ${count(size)} entries; what was anchored is in ${kept}\n`)
      return exitCode.ok
    } finally {
      for (const close of open.toReversed()) await close()
    }
  })
}

async function readSigner(origin: string, path: string): ReturnType<typeof logSigner> {
  const seed = new Uint8Array(readFileSync(path))
  try {
    if (seed.length !== SEED_BYTES) throw new UsageError(`--log-key-file must hold ${SEED_BYTES} bytes`)
    return await logSigner(origin, seed)
  } finally {
    wipe(seed)
  }
}
