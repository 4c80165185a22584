/** What the verbs of `guise holder` share: their options, the folder, its store and its anchor (SPEC §13.8). @module */
/// <reference types="node" />

import { accessSync } from 'node:fs'
import { join } from 'node:path'
import type { Anchor } from '../audit/anchor.ts'
import { fileAnchor } from '../audit/file-anchor.ts'
import { type HolderFolder, openHolderFolder } from '../quorum/local-holder.ts'
import { lmdbStore } from '../store/lmdb.ts'
import type { Store } from '../store/store.ts'
import { UsageError } from './io.ts'
import { needed, openProvider, type SecretSource, secretSource } from './secret.ts'

/** Options that are given once. */
type TextName =
  | 'realm'
  | 'threshold'
  | 'holders'
  | 'epoch'
  | 'log-key'
  | 'record-per-hour'
  | 'record-total'
  | 'all-per-hour'
  | 'window-ms'
  | 'into'
  | 'name'
  | 'days'
  | 'folder'
  | 'store'
  | 'anchor'
  | 'listen'
  | 'tls-key'
  | 'tls-cert'
  | 'client-ca'
  | 'out'
  | 'refresh'
  | 'statement'
  | 'actor'
/** Options that may be repeated. */
type ListName = 'client-pin' | SecretSource['option']

export type Values = { readonly [Name in TextName]?: string | undefined } & {
  readonly [Name in ListName]?: string[] | undefined
} & { readonly json?: boolean | undefined }

/** A command line: its options, and the words behind the verb. */
export interface Request {
  readonly values: Values
  readonly words: readonly string[]
}

const SECRETS = ['passphrase-file', 'passphrase-fd', 'key-file', 'key-fd'] as const

/** The secrets in the order in which they were given; all of one kind. */
export function secretSources(values: Values, count: number): readonly SecretSource[] {
  const kinds = SECRETS.filter((option) => values[option] !== undefined)
  const [option] = kinds
  const given = option === undefined ? [] : (values[option] ?? [])
  if (option === undefined || kinds.length > 1 || given.length !== count) {
    const often = count === 1 ? 'once' : `${count} times`
    throw new UsageError(
      `give exactly one of ${SECRETS.map((name) => `--${name}`).join(', ')}, and that ${often}`,
    )
  }
  return given.map((value) => secretSource({ [option]: value }))
}

/** An open holder: its folder, its store, its anchor. */
export interface OpenFolder {
  readonly folder: HolderFolder
  readonly store: Store
  readonly anchor: Anchor
}

/** Opens what `--folder` names, and closes it when the task is over. */
export async function withFolder<Result>(
  { values }: Request,
  task: (open: OpenFolder) => Promise<Result>,
): Promise<Result> {
  const path = needed(values.folder, '--folder')
  const [secret] = secretSources(values, 1)
  accessSync(path)
  const provider = openProvider(join(path, 'keys'), secret as SecretSource)
  try {
    using folder = await openHolderFolder(path, provider)
    const at = values.store ?? join(path, 'store')
    // A store that is looked for is not made on the way: a mistyped path shows as one.
    accessSync(at)
    const store = await lmdbStore({ path: at })
    try {
      return await task({ folder, store, anchor: fileAnchor(values.anchor ?? join(path, 'anchor')) })
    } finally {
      await store.close()
    }
  } finally {
    provider.close()
  }
}
