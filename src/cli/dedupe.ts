/** `guise dedupe`: who of a batch resembles somebody that the realm's gallery knows under another name. @module */
/// <reference types="node" />

import { parseArgs } from 'node:util'
import type { Dataset } from '../dataset/dataset.ts'
import { type DedupedRow, dedupe } from '../intake/dedupe.ts'
import type { Vault } from '../vault/vault.ts'
import { count, exitCode, type Io, Progress, runCommand, table } from './io.ts'
import { meanUsage } from './model.ts'
import { galleryUsage, type VaultPlace, withVault } from './open-vault.ts'
import { needed, secretOptions, secretSource, secretUsage, wholeNumber } from './secret.ts'
import { columnsOptions, columnsUsage, openSource } from './source.ts'

const usage = `
Usage: guise dedupe --data PATH --realm NAME --store DIR --provider DIR <secret>
                    --purpose NAME --point FILE --gallery FILE [options]

Searches the realm's gallery for every row of a data set and prints the rows that resemble somebody under another
subject. Enrols nobody. Every row is a search: it counts in the gallery's budget and is logged.

  --data PATH        folder with embeddings.f32 or one .npy and labels.csv; or a .f32, .npy, .csv or .jsonl file
  --point FILE       operating point of the realm's vault; names the model
  --purpose NAME     what the realm's templates are for
  ${galleryUsage}

${secretUsage}

Options
  ${meanUsage}
  ${columnsUsage}
  --from ROW         row to begin with; default 0
  --json             print JSON, one line a row that is no unique one, then one with the counts

Exit codes: 0 all rows were searched for, 1 some were not, 2 wrong usage.
`

const text = { type: 'string' } as const
const flag = { type: 'boolean', default: false } as const
const OPTIONS = {
  data: text,
  point: text,
  gallery: text,
  mean: text,
  ...columnsOptions,
  realm: text,
  store: text,
  provider: text,
  purpose: text,
  from: text,
  json: flag,
  help: flag,
  ...secretOptions,
} as const

type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>['values']

/** Runs `guise dedupe …`; `argv` is what follows `dedupe`. Resolves with the exit code. */
export function dedupeCommand(argv: readonly string[], io: Io): Promise<number> {
  return runCommand(io, usage, async () => {
    const { values } = parseArgs({ args: [...argv], options: OPTIONS })
    if (values.help) {
      io.out(usage.trimStart())
      return exitCode.ok
    }
    const from = values.from === undefined ? 0 : wholeNumber(values.from, '--from')
    const { dataset, place } = await readRequest(values)
    return await withVault(place, (vault) =>
      searchAll(io, vault, { dataset, place, from, json: values.json }),
    )
  })
}

async function readRequest(
  values: Values,
): Promise<{ readonly dataset: Dataset; readonly place: VaultPlace }> {
  const { dataset, point, model } = await openSource(values)
  const place = {
    realm: needed(values.realm, '--realm'),
    store: needed(values.store, '--store'),
    provider: needed(values.provider, '--provider'),
    secret: secretSource(values),
    purpose: needed(values.purpose, '--purpose'),
    model,
    point,
    gallery: needed(values.gallery, '--gallery'),
    fillsOnly: false,
  }
  return { dataset, place }
}

async function searchAll(
  io: Io,
  vault: Vault,
  call: {
    readonly dataset: Dataset
    readonly place: VaultPlace
    readonly from: number
    readonly json: boolean
  },
): Promise<number> {
  const { dataset, place, from, json } = call
  const tally = { unique: 0, duplicate: 0, failed: 0, refused: 0 }
  const loading = new Progress(io, 'loading the gallery')
  await vault.loadGallery({ onProgress: ({ shards, of }) => loading.update(shards, of) })
  loading.finish()
  const progress = new Progress(io, 'searching')
  try {
    for await (const found of dedupe(vault, dataset, { model: place.model, from })) {
      tally[found.outcome] += 1
      progress.update(found.row + 1 - from, dataset.rows === undefined ? undefined : dataset.rows - from)
      if (found.outcome === 'unique') continue
      progress.finish()
      print(io, found, json)
    }
  } finally {
    progress.finish()
  }
  if (json) io.out(`${JSON.stringify(tally)}\n`)
  else io.out(table([['outcome', 'n'], ...Object.entries(tally).map(([name, n]) => [name, count(n)])]))
  return tally.failed + tally.refused === 0 ? exitCode.ok : exitCode.failure
}

function print(io: Io, found: Exclude<DedupedRow, { outcome: 'unique' }>, json: boolean): void {
  const { row } = found
  if (json) {
    const { outcome } = found
    const said =
      found.outcome === 'failed'
        ? { row, outcome, code: found.error.code, message: found.error.message }
        : found
    io.out(`${JSON.stringify(said)}\n`)
    return
  }
  if (found.outcome === 'failed') io.err(`row ${row}: ${found.error.code}: ${found.error.message}\n`)
  else if (found.outcome === 'refused')
    io.err(`row ${row}: ${found.reason}; begin again with --from ${row}\n`)
  else io.out(`row ${row}: ${found.candidates.map(({ subject }) => subject).join(' ')}\n`)
}
