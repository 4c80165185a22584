/** `guise holder`: one share holder of a quorum, from its folder to its server (SPEC §13.7, §13.8). @module */
/// <reference types="node" />

import { parseArgs } from 'node:util'
import { certificateVerb, initVerb } from './holder-init.ts'
import type { Request } from './holder-options.ts'
import { refreshVerb } from './holder-refresh.ts'
import { acceptVerb, serveVerb, statusVerb } from './holder-serve.ts'
import { exitCode, type Io, runCommand, UsageError } from './io.ts'

const usage = `
Usage: guise holder <verb> [options]

A share holder of a quorum: a process of its own, run by people of its own, without which a stolen store does not open.

Verbs
  init                 deal a quorum: a folder for each holder, and quorum.json, which whoever asks pins. Whoever runs
                       it knows the key for a moment: for tests, and where one person may
  certificate          a key and a self-signed certificate for TLS; prints the pin that the other ends are given
  serve                answer over HTTPS until SIGTERM; one line of JSON for each question
  status               shares, counts, budgets, the log as it was seen last
  accept               break-glass: go on with a log of the vault that was rolled back and accepted there; what was
                       revoked stays revoked
  refresh begin        write this holder's opening, for all the others
  refresh deal FILE…   from all openings, a package for each other holder; each is as secret as a share
  refresh apply FILE…  from the packages of all others, the new share; serve it together with the old one
  refresh retire       never serve shares before --refresh of --epoch again, and remove them
  refresh abandon      forget a refresh that somebody spoilt

init
  --realm NAME  --threshold T  --holders N  --epoch E   (1)
  --log-key KEY            verifier key of the vault's log
  --record-per-hour N  --record-total N  --all-per-hour N   answers of one template, and of the holder
  --window-ms MS           how far a request's time may lie from the clock (300,000)
  --into DIR               gets holder-1 … holder-N and quorum.json
  a secret for each holder, in the order of indices: repeat one of the four options below N times

certificate
  --name HOST              host name or IP address
  --days N                 (3650)
  --into DIR               gets tls.key and tls.crt

serve, status, accept, refresh
  --folder DIR             the holder's folder
  --store DIR              its LMDB store (store, in the folder)
  --anchor FILE            its anchor (anchor, in the folder; better on another disk, and in no backup of the folder)
  --listen HOST:PORT       serve
  --tls-key FILE  --tls-cert FILE   serve; PEM
  --client-pin HEX         whom it answers, by the pin of a certificate; may be repeated
  --client-ca FILE         or by an authority
  --out PATH               refresh begin, accept: a file; refresh deal: a folder
  --epoch E  --refresh R   refresh retire
  --statement FILE         accept: what guise anchor accept left beside the anchor, or the statement in it
  --actor NAME             accept: who of the holder's people answers for it, a pseudonym

Secret, exactly one; a passphrase ends at the first line break
  --passphrase-file FILE   --passphrase-fd N
  --key-file FILE          --key-fd N         32 bytes

Options
  --json                   print JSON

Exit codes: 0 done, 1 failed, 2 wrong usage.
`

const text = { type: 'string' } as const
const texts = { type: 'string', multiple: true } as const

const OPTIONS = {
  realm: text,
  threshold: text,
  holders: text,
  epoch: text,
  'log-key': text,
  'record-per-hour': text,
  'record-total': text,
  'all-per-hour': text,
  'window-ms': text,
  into: text,
  name: text,
  days: text,
  folder: text,
  store: text,
  anchor: text,
  listen: text,
  'tls-key': text,
  'tls-cert': text,
  'client-pin': texts,
  'client-ca': text,
  out: text,
  refresh: text,
  statement: text,
  actor: text,
  'passphrase-file': texts,
  'passphrase-fd': texts,
  'key-file': texts,
  'key-fd': texts,
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const

const VERBS: ReadonlyMap<string, (request: Request, io: Io) => Promise<void>> = new Map([
  ['init', initVerb],
  ['certificate', certificateVerb],
  ['serve', serveVerb],
  ['status', statusVerb],
  ['accept', acceptVerb],
  ['refresh', refreshVerb],
])

/** Runs `guise holder …`; `argv` is what follows `holder`. Resolves with the exit code, `serve` after its end. */
export function holderCommand(argv: readonly string[], io: Io): Promise<number> {
  return runCommand(io, usage, async () => {
    const { values, positionals } = parseArgs({ args: [...argv], options: OPTIONS, allowPositionals: true })
    if (values.help) {
      io.out(usage.trimStart())
      return exitCode.ok
    }
    const [name = '', ...words] = positionals
    const verb = VERBS.get(name)
    if (verb === undefined) throw new UsageError(`the verb is one of ${[...VERBS.keys()].join(', ')}`)
    if (name !== 'refresh' && words.length > 0) throw new UsageError(`${name} takes no further words`)
    await verb({ values, words }, io)
    return exitCode.ok
  })
}
