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

const text = { type: 'string' } as const
const texts = { type: 'string', multiple: true } as const

export const options = {
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
  'passphrase-file': texts,
  'passphrase-fd': texts,
  'key-file': texts,
  'key-fd': texts,
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const

type OptionName = keyof typeof options
export type Values = {
  readonly [Name in OptionName]?: (typeof options)[Name] extends { readonly multiple: true }
    ? string[]
    : (typeof options)[Name]['type'] extends 'boolean'
      ? boolean
      : string
}

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
