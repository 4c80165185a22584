/** `guise fsck`: reads every row of a realm and says what does not fit together (SPEC §11.8). @module */
/// <reference types="node" />

import { accessSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { openKeyring } from '../keys/keyring.ts'
import { lmdbStore } from '../store/lmdb.ts'
import type { Store } from '../store/store.ts'
import { type FsckOptions, type FsckSummary, fsck } from '../vault/fsck.ts'
import type { Fault } from '../vault/fsck-fault.ts'
import { count, exitCode, type Io, Progress, runCommand, table } from './io.ts'
import {
  needed,
  openProvider,
  type SecretSource,
  secretOptions,
  secretSource,
  secretUsage,
} from './secret.ts'

export const fsckUsage: string = `
Usage: guise fsck --realm NAME --store DIR [--secrets DIR] --provider DIR <secret> [options]

Reads every row of a realm, opens what the operator's keys open, and prints what is damaged, forged, misplaced, missing,
orphaned or does not open. Writes nothing; vaults may be at work meanwhile. An old row that was put back in its own place
fits and is not found.

Where
  --realm NAME             the realm
  --store DIR              LMDB store that holds keyring and codes
  --secrets DIR            LMDB store of the wraps, where they have their own
  --provider DIR           directory of the local key provider

${secretUsage}

Options
  --json                   print JSON

Exit codes: 0 nothing found, 1 faults found or the check failed, 2 wrong usage.
`

/** So many faults are printed one by one; the rest is counted. */
const MOST_LINES = 100

interface Request {
  readonly realm: string
  readonly store: string
  readonly secrets: string | undefined
  readonly provider: string
  readonly secret: SecretSource
  readonly json: boolean
}

/** Runs `guise fsck …`; `argv` is what follows `fsck`. Resolves with the exit code. */
export function fsckCommand(argv: readonly string[], io: Io): Promise<number> {
  return runCommand(io, fsckUsage, async () => {
    if (argv.includes('--help')) {
      io.out(fsckUsage.trimStart())
      return exitCode.ok
    }
    const { summary } = await check(parse(argv), io)
    return summary.faults === 0 ? exitCode.ok : exitCode.failure
  })
}

interface Result {
  /** At most `MOST_LINES`. */
  readonly faults: readonly Fault[]
  readonly summary: FsckSummary
}

/** Reads and prints. */
async function check(request: Request, io: Io): Promise<Result> {
  // A store that is looked for is not made on the way: a mistyped path shows as one.
  for (const path of [request.store, request.secrets ?? request.store]) accessSync(path)
  const open: (() => Promise<void> | void)[] = []
  try {
    const provider = openProvider(request.provider, request.secret)
    open.push(() => provider.close())
    const store = await openStore(request.store, open)
    const secrets = request.secrets === undefined ? undefined : await openStore(request.secrets, open)
    const keyring = await openKeyring({ realm: request.realm, provider, store })
    open.push(() => keyring.close())
    const progress = new Progress(io, 'rows')
    open.push(() => progress.finish())
    const onProgress = (rows: number): void => progress.update(rows)
    const result = await collect({
      keyring,
      store,
      ...(secrets === undefined ? {} : { secrets }),
      onProgress,
    })
    progress.finish()
    print(result, request.json, io)
    return result
  } finally {
    for (const close of open.toReversed()) await close()
  }
}

async function openStore(path: string, open: (() => Promise<void> | void)[]): Promise<Store> {
  const store = await lmdbStore({ path })
  open.push(() => store.close())
  return store
}

async function collect(options: FsckOptions): Promise<Result> {
  const faults: Fault[] = []
  const walk = fsck(options)
  for (;;) {
    const next = await walk.next()
    if (next.done === true) return { faults, summary: next.value }
    if (faults.length < MOST_LINES) faults.push(next.value)
  }
}

function print({ faults, summary }: Result, json: boolean, io: Io): void {
  if (json) {
    io.out(`${JSON.stringify({ ...summary, listed: faults })}\n`)
    return
  }
  const { rows, records, unfinished } = summary
  io.out(`${count(rows)} rows, ${count(records)} records, ${count(unfinished)} notes of unfinished work\n`)
  if (summary.faults === 0) io.out('no fault\n')
  else {
    io.out(`${count(summary.faults)} faults\n\n`)
    io.out(table([['fault', 'table', 'row'], ...faults.map((fault) => [fault.kind, fault.table, fault.row])]))
    if (summary.faults > faults.length) io.out(`and ${count(summary.faults - faults.length)} more\n`)
  }
}

function parse(argv: readonly string[]): Request {
  const text = { type: 'string' } as const
  const { values } = parseArgs({
    args: [...argv],
    options: {
      realm: text,
      store: text,
      secrets: text,
      provider: text,
      ...secretOptions,
      json: { type: 'boolean', default: false },
    },
  })
  return {
    realm: needed(values.realm, '--realm'),
    store: needed(values.store, '--store'),
    secrets: values.secrets,
    provider: needed(values.provider, '--provider'),
    secret: secretSource(values),
    json: values.json,
  }
}
