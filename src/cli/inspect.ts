/** What commands share that look at a whole realm and write nothing: their options, and everything opened. @module */
/// <reference types="node" />

import { parseArgs } from 'node:util'
import { type Keyring, openKeyring } from '../keys/keyring.ts'
import { lmdbStore } from '../store/lmdb.ts'
import type { Store } from '../store/store.ts'
import { type Io, Progress } from './io.ts'
import { needStore } from './needed-store.ts'
import {
  needed,
  openProvider,
  type SecretSource,
  secretOptions,
  secretSource,
  secretUsage,
} from './secret.ts'

/** Where a realm lies. */
export interface Inspection {
  readonly realm: string
  readonly store: string
  readonly secrets: string | undefined
  readonly provider: string
  readonly secret: SecretSource
  readonly json: boolean
}

/** What is lent while a realm is looked at. */
export interface Inspected {
  readonly keyring: Keyring
  readonly store: Store
  readonly secrets?: Store
  readonly onProgress: (rows: number) => void
}

/** How a usage text says it. */
export const inspectionUsage: string = `Where
  --realm NAME             the realm
  --store DIR              LMDB store that holds keyring and codes
  --secrets DIR            LMDB store of the wraps, where they have their own
  --provider DIR           directory of the local key provider, or another as guise keys takes it

${secretUsage}

Options
  --json                   print JSON`

export function parseInspection(argv: readonly string[]): Inspection {
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

/** Opens provider, stores and keyring, lends them, and closes them whatever happens. */
export async function inspect<Result>(
  request: Inspection,
  io: Io,
  look: (inspected: Inspected) => Promise<Result>,
): Promise<Result> {
  needStore(request.store, request.secrets)
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
    return await look({ keyring, store, ...(secrets === undefined ? {} : { secrets }), onProgress })
  } finally {
    for (const close of open.toReversed()) await close()
  }
}

async function openStore(path: string, open: (() => Promise<void> | void)[]): Promise<Store> {
  const store = await lmdbStore({ path })
  open.push(() => store.close())
  return store
}
