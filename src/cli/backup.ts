/** `guise backup` and `guise restore`: copies of the stores of a vault (SPEC §10.4). @module */
/// <reference types="node" />

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { StoreError } from '../store/errors.ts'
import { lmdbStore } from '../store/lmdb.ts'
import { restoreLmdb } from '../store/lmdb-backup.ts'
import { exitCode, type Io, runCommand, UsageError } from './io.ts'
import { needStore } from './needed-store.ts'
import { needed } from './secret.ts'

const backupUsage = `
Usage: guise backup --store DIR [--secrets DIR] --out DIR [--json]

Copies the stores of a vault while it is at work: first codes and state (--store), then wraps (--secrets, where they have a
store of their own). A template that changed in between is refused after a restore, never matched wrongly. The key
provider's keys are not part of it, and do not belong into the same place.

--out must not exist yet. Exit codes: 0 copied, 1 failed, 2 wrong usage.
`

const restoreUsage = `
Usage: guise restore --from DIR --store DIR [--secrets DIR] [--json]

Puts what guise backup copied into new directories. What happened since the backup is undone by it: revocations,
suspensions, erasures and failed attempts included. Run guise fsck, repeat the revocations and erasures since, and rotate.

Exit codes: 0 restored, 1 failed, 2 wrong usage.
`

const STORE = 'store'
const SECRETS = 'secrets'

/** Runs `guise backup …`. Resolves with the exit code. */
export function backupCommand(argv: readonly string[], io: Io): Promise<number> {
  return command(argv, io, { usage: backupUsage, other: 'out' }, async ({ store, secrets, other }) => {
    needStore(store, secrets)
    await copyStore(store, join(other, STORE))
    if (secrets !== undefined) await copyStore(secrets, join(other, SECRETS))
    return secrets === undefined ? [STORE] : [STORE, SECRETS]
  })
}

/** Runs `guise restore …`. Resolves with the exit code. */
export function restoreCommand(argv: readonly string[], io: Io): Promise<number> {
  return command(argv, io, { usage: restoreUsage, other: 'from' }, async ({ store, secrets, other }) => {
    // All or nothing, and no store without the wraps that belong to it.
    const holdsSecrets = existsSync(join(other, SECRETS))
    if (holdsSecrets !== (secrets !== undefined)) {
      throw new UsageError(
        holdsSecrets ? 'the copy holds wraps too: give --secrets' : 'the copy holds no wraps',
      )
    }
    const taken = [store, secrets].find((path) => path !== undefined && existsSync(path))
    if (taken !== undefined) throw new StoreError('ERR_STORE_INPUT', 'a place to restore into exists already')
    await restoreLmdb(join(other, STORE), store)
    if (secrets !== undefined) await restoreLmdb(join(other, SECRETS), secrets)
    return secrets === undefined ? [STORE] : [STORE, SECRETS]
  })
}

interface Places {
  readonly store: string
  readonly secrets: string | undefined
  /** Where copies go or come from. */
  readonly other: string
}

function command(
  argv: readonly string[],
  io: Io,
  kind: { readonly usage: string; readonly other: 'out' | 'from' },
  task: (places: Places) => Promise<readonly string[]>,
): Promise<number> {
  return runCommand(io, kind.usage, async () => {
    const text = { type: 'string' } as const
    const flag = { type: 'boolean', default: false } as const
    const { values } = parseArgs({
      args: [...argv],
      options: { store: text, secrets: text, [kind.other]: text, json: flag, help: flag },
    })
    if (values.help) {
      io.out(kind.usage.trimStart())
      return exitCode.ok
    }
    const value = (name: string): string | undefined => values[name] as string | undefined
    const places = {
      store: needed(value('store'), '--store'),
      secrets: value('secrets'),
      other: needed(value(kind.other), `--${kind.other}`),
    }
    const done = await task(places)
    const word = kind.other === 'out' ? 'copied' : 'restored'
    io.out(values.json ? `${JSON.stringify({ [word]: done })}\n` : `${word}: ${done.join(', ')}\n`)
    return exitCode.ok
  })
}

async function copyStore(path: string, to: string): Promise<void> {
  const store = await lmdbStore({ path })
  try {
    await store.backup(to)
  } finally {
    await store.close()
  }
}
