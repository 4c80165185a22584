/** `guise import`: existing plaintext embeddings become templates of a vault. @module */
/// <reference types="node" />

import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import type { GuiseError } from '../base/errors.ts'
import type { Dataset } from '../dataset/dataset.ts'
import { importEmbeddings } from '../intake/import.ts'
import type { Vault } from '../vault/vault.ts'
import { Checkpoint } from './checkpoint.ts'
import { BASIS_FIELDS, readBasis } from './import-basis.ts'
import { compareDecisions } from './import-parity.ts'
import { count, exitCode, type Io, Progress, runCommand, table } from './io.ts'
import { meanUsage } from './model.ts'
import { galleryUsage, withVault } from './open-vault.ts'
import { needed, type SecretSource, secretOptions, secretSource, secretUsage } from './secret.ts'
import { columnsOptions, columnsUsage, openSource, type Source } from './source.ts'

const usage = `
Usage: guise import --data PATH --realm NAME --store DIR --provider DIR <secret>
                    --purpose NAME --point FILE --basis FILE [options]
       guise import --data PATH --point FILE --parity COSINE [options]

Enrols the people of a data set. An import that was stopped is run again with the same --name: nobody is enrolled twice.

  --data PATH        folder with embeddings.f32 or one .npy and labels.csv; or a .f32, .npy, .csv or .jsonl file
  --point FILE       operating point, as guise calibrate writes it; names the model
  --purpose NAME     what the templates are for
  --basis FILE       JSON with ${BASIS_FIELDS.slice(0, 6).join(', ')},
                     ${BASIS_FIELDS.slice(6).join(', ')}; evidence is a hash of 64 hexadecimal digits
  ${galleryUsage};
                     fills it
  --basis-table FILE CSV with the column subject and any of these fields, for subjects that differ

${secretUsage}

Options
  ${meanUsage}
  ${columnsUsage}
  --fuse             fuses neighbouring rows of one subject; otherwise the first row counts
  --name TEXT        names the import; default "import"
  --checkpoint FILE  remembers how far the import came; a later run begins there
  --dry-run          checks every row and writes nothing
  --parity COSINE    compares decisions at this cosine threshold with those of the operating point; imports nothing
  --json             print JSON
`

const text = { type: 'string' } as const
const flag = { type: 'boolean', default: false } as const
const OPTIONS = {
  data: text,
  point: text,
  mean: text,
  ...columnsOptions,
  realm: text,
  store: text,
  provider: text,
  purpose: text,
  basis: text,
  'basis-table': text,
  gallery: text,
  name: { type: 'string', default: 'import' },
  fuse: flag,
  checkpoint: text,
  'dry-run': flag,
  parity: text,
  json: flag,
  help: flag,
  ...secretOptions,
} as const

type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>['values']

/** What an import works with; everything is there before a store is opened. */
interface Request {
  readonly data: string
  readonly realm: string
  readonly store: string
  readonly provider: string
  readonly secret: SecretSource
  readonly purpose: string
  readonly basis: string
  readonly basisTable: string | undefined
  readonly gallery: string | undefined
  readonly name: string
  readonly fuse: boolean
  readonly checkpoint: string | undefined
  readonly dryRun: boolean
  readonly json: boolean
}

/** Runs `guise import …`; `argv` is what follows `import`. Resolves with the exit code. */
export function importCommand(argv: readonly string[], io: Io): Promise<number> {
  return runCommand(io, usage, async () => {
    const { values } = parseArgs({ args: [...argv], options: OPTIONS })
    if (values.help) {
      io.out(usage.trimStart())
      return exitCode.ok
    }
    if (values.parity !== undefined)
      return compareDecisions(io, await openSource(values), values.parity, values)
    const request = readRequest(values)
    const source = await openSource(values)
    const place = { ...request, ...source, fillsOnly: true }
    return withVault(place, (vault) => importAll(io, vault, source, request))
  })
}

function readRequest(values: Values): Request {
  return {
    data: needed(values.data, '--data'),
    realm: needed(values.realm, '--realm'),
    store: needed(values.store, '--store'),
    provider: needed(values.provider, '--provider'),
    secret: secretSource(values),
    purpose: needed(values.purpose, '--purpose'),
    basis: needed(values.basis, '--basis'),
    basisTable: values['basis-table'],
    gallery: values.gallery,
    name: values.name,
    fuse: values.fuse,
    checkpoint: values.checkpoint,
    dryRun: values['dry-run'],
    json: values.json,
  }
}

async function importAll(io: Io, vault: Vault, source: Source, request: Request): Promise<number> {
  const { name, fuse, dryRun } = request
  const { dataset, model } = source
  const basis = await readBasis(request.purpose, request.basis, request.basisTable)
  const checkpoint = openCheckpoint(request, dataset)
  const progress = new Progress(io, dryRun ? 'checking' : 'importing')
  const tally = new Tally()
  const from = checkpoint?.from ?? 0
  let reached = from
  try {
    const options = { name, model, basis, rows: fuse ? 'fuse' : 'first', dryRun, from } as const
    for await (const { row, outcome, error, doneTo } of importEmbeddings(vault, dataset, options)) {
      tally.add(outcome, row, error)
      reached = Math.max(reached, row)
      if (!dryRun) checkpoint?.reach(doneTo)
      progress.update(reached - from, dataset.rows === undefined ? undefined : dataset.rows - from)
    }
  } finally {
    // What is done stays done, whatever ended the import.
    progress.finish()
    if (!dryRun) checkpoint?.write()
  }
  tally.print(io, request, from)
  return tally.outcomes.failed === 0 ? exitCode.ok : exitCode.failure
}

function openCheckpoint(request: Request, dataset: Dataset): Checkpoint | undefined {
  const { checkpoint, name, realm, store, data, fuse } = request
  if (checkpoint === undefined) return undefined
  return new Checkpoint(checkpoint, [name, realm, resolve(store), resolve(data), fuse, dataset.dimensions])
}

const MOST_LISTED = 20

/** Counts outcomes and keeps the first failures. */
class Tally {
  readonly outcomes = { enrolled: 0, valid: 0, present: 0, failed: 0 }
  readonly #codes = new Map<string, number>()
  readonly #failures: { readonly row: number; readonly error: GuiseError }[] = []

  add(outcome: keyof Tally['outcomes'], row: number, error: GuiseError | undefined): void {
    this.outcomes[outcome]++
    if (error === undefined) return
    this.#codes.set(error.code, (this.#codes.get(error.code) ?? 0) + 1)
    if (this.#failures.length < MOST_LISTED) this.#failures.push({ row, error })
  }

  print(io: Io, { dryRun, json }: Request, from: number): void {
    const { outcomes } = this
    if (json) {
      const errors = Object.fromEntries(this.#codes)
      const failures = this.#failures.map(({ row, error }) => ({
        row,
        code: error.code,
        message: error.message,
      }))
      io.out(`${JSON.stringify({ ...outcomes, dryRun, from, errors, failures })}\n`)
      return
    }
    if (from > 0) io.out(`Rows below ${count(from)} were done before.\n\n`)
    io.out(table([['outcome', 'n'], ...Object.entries(outcomes).map(([name, n]) => [name, count(n)])]))
    for (const { row, error } of this.#failures) io.err(`row ${row}: ${error.code}: ${error.message}\n`)
    for (const [code, n] of this.#codes) io.err(`${count(n)} × ${code}\n`)
    if (!dryRun && outcomes.failed === 0) io.out(CHECKLIST)
  }
}

const CHECKLIST = `
Before the plaintext is removed:
  1. Run the import again without --checkpoint: every subject must be enrolled or present, none failed.
  2. Run it with --parity and the threshold that was in force, and look at the decisions that change.
  3. Verify some people through the application, with fresh samples.
  4. Then remove the vectors where they lie: tables, replicas, backups, caches, exports, logs, developers' copies.
  5. Remove images kept for a change of model, unless another basis demands them.
  6. Write down when the last copy went: until then a thief of that copy needs no key.
`
