/** `guise import`: existing plaintext embeddings become templates of a vault. @module */
/// <reference types="node" />

import { accessSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { GuiseError } from '../base/errors.ts'
import { openDataset } from '../dataset/open.ts'
import type { Dataset } from '../dataset/dataset.ts'
import { decodeOperatingPoint } from '../evaluate/calibrate.ts'
import { IntakeError } from '../intake/errors.ts'
import { importEmbeddings } from '../intake/import.ts'
import { type ParityCounts, parityReport } from '../intake/parity.ts'
import { openKeyring } from '../keys/keyring.ts'
import type { OperatingPoint } from '../policy/operating-point.ts'
import { lmdbStore } from '../store/lmdb.ts'
import { openVault } from '../vault/open.ts'
import { allowHighFalseMatchRate, allowOvercomplete } from '../vault/symbols.ts'
import type { Vault } from '../vault/vault.ts'
import { readBasis } from './import-basis.ts'
import { count, exitCode, type Io, Progress, percent, runCommand, table, UsageError } from './io.ts'
import { needed, openProvider, secretOptions, secretSource, secretUsage } from './secret.ts'

const usage = `
Usage: guise import --data PATH --realm NAME --store DIR --provider DIR <secret>
                    --purpose NAME --point FILE --basis FILE [options]

Enrols the people of a data set. An import that was stopped is run again with the same --name: nobody is enrolled twice.

  --data PATH        folder with embeddings.f32 or one .npy and labels.csv; or a .f32, .npy, .csv or .jsonl file
  --point FILE       operating point, as guise calibrate writes it; names the model
  --purpose NAME     what the templates are for
  --basis FILE       JSON: kind, grantedAt, expiresAt, noticeVersion, evidence (64 hexadecimal digits), separateConsent
  --basis-table FILE CSV with the column subject and any of these fields, for subjects that differ

${secretUsage}

Options
  --name TEXT        names the import; default "import"
  --subject COLUMN   column or field of the subject; default subject
  --vector COLUMN    column or field where the vector begins (CSV, JSON lines)
  --fuse             fuses neighbouring rows of one subject; otherwise the first row counts
  --checkpoint FILE  remembers how far the import came; a later run begins there
  --dry-run          checks every row and writes nothing
  --parity COSINE    compares decisions at this cosine threshold with those of the operating point, and imports nothing
  --json             print JSON
`

const text = { type: 'string' } as const
const flag = { type: 'boolean', default: false } as const
const OPTIONS = {
  data: text,
  realm: text,
  store: text,
  provider: text,
  purpose: text,
  point: text,
  basis: text,
  'basis-table': text,
  name: { type: 'string', default: 'import' },
  subject: text,
  vector: text,
  fuse: flag,
  checkpoint: text,
  'dry-run': flag,
  parity: text,
  json: flag,
  help: flag,
  ...secretOptions,
} as const

type Values = ReturnType<typeof parse>

/** Runs `guise import …`; `argv` is what follows `import`. Resolves with the exit code. */
export function importCommand(argv: readonly string[], io: Io): Promise<number> {
  return runCommand(io, usage, async () => {
    const values = parse(argv)
    if (values.help) {
      io.out(usage.trimStart())
      return exitCode.ok
    }
    const point = decodeOperatingPoint(readFileSync(needed(values.point, '--point'), 'utf8'))
    const dataset = await openDataset(needed(values.data, '--data'), {
      ...(values.subject !== undefined && { subject: values.subject }),
      ...(values.vector !== undefined && { vector: values.vector }),
    })
    if (values.parity !== undefined) return compareDecisions(io, dataset, point, values)
    return withVault(values, point, dataset, (vault) => importAll(io, vault, dataset, values, point))
  })
}

function parse(argv: readonly string[]) {
  return parseArgs({ args: [...argv], options: OPTIONS }).values
}

async function withVault(
  values: Values,
  point: OperatingPoint,
  dataset: Dataset,
  task: (vault: Vault) => Promise<number>,
): Promise<number> {
  const path = needed(values.store, '--store')
  accessSync(path)
  const provider = openProvider(needed(values.provider, '--provider'), secretSource(values))
  const store = await lmdbStore({ path })
  try {
    const keyring = await openKeyring({ realm: needed(values.realm, '--realm'), provider, store })
    const vault = await openVault({
      keyring,
      store,
      model: modelOf(point, dataset),
      purpose: needed(values.purpose, '--purpose'),
      operatingPoints: [point],
      bits: point.bits,
      custody: { profile: 'operator' },
      // An import compares nothing: what the point allows is decided where the vault is opened to verify.
      [allowHighFalseMatchRate]: true,
      [allowOvercomplete]: true,
    })
    try {
      return await task(vault)
    } finally {
      await vault.close()
      keyring.close()
    }
  } finally {
    await store.close()
    provider.close()
  }
}

async function importAll(
  io: Io,
  vault: Vault,
  dataset: Dataset,
  values: Values,
  point: OperatingPoint,
): Promise<number> {
  const basis = readBasis(
    needed(values.purpose, '--purpose'),
    needed(values.basis, '--basis'),
    values['basis-table'],
  )
  const checkpoint =
    values.checkpoint === undefined ? undefined : new Checkpoint(values.checkpoint, values.name)
  const progress = new Progress(io, values['dry-run'] ? 'checking' : 'importing')
  const outcomes = { enrolled: 0, valid: 0, present: 0, failed: 0 }
  const failures = new Map<string, number>()
  for await (const row of importEmbeddings(vault, dataset, {
    name: values.name,
    model: modelOf(point, dataset),
    basis,
    rows: values.fuse ? 'fuse' : 'first',
    dryRun: values['dry-run'],
    ...(checkpoint !== undefined && { from: checkpoint.from }),
  })) {
    outcomes[row.outcome]++
    if (row.error instanceof GuiseError) failures.set(row.error.code, (failures.get(row.error.code) ?? 0) + 1)
    if (!values['dry-run']) checkpoint?.reach(row.doneTo)
    progress.update(row.doneTo, dataset.rows)
  }
  progress.finish()
  if (!values['dry-run'] && outcomes.failed === 0) checkpoint?.write()
  if (values.json) {
    io.out(
      `${JSON.stringify({ ...outcomes, errors: Object.fromEntries(failures), dryRun: values['dry-run'] })}\n`,
    )
  } else {
    io.out(table([['outcome', 'subjects'], ...Object.entries(outcomes).map(([name, n]) => [name, count(n)])]))
    for (const [code, n] of failures) io.err(`${count(n)} × ${code}\n`)
    if (!values['dry-run'] && outcomes.failed === 0) io.out(CHECKLIST)
  }
  return outcomes.failed === 0 ? exitCode.ok : exitCode.failure
}

const CHECKLIST = `
Before the plaintext is removed:
  1. Run the import again: every subject must be reported as enrolled or present, none as failed.
  2. Run it with --parity and the threshold that was in force, and look at the decisions that change.
  3. Verify some people through the application, with fresh samples.
  4. Then remove the vectors where they lie: tables, replicas, backups, caches, exports, logs, developers' copies.
  5. Remove images kept for a change of model, unless another basis demands them.
  6. Write down when the last copy went: until then a thief of that copy needs no key.
`

/** The row to begin with, kept beside the data; written rarely, and never ahead of what is durable. */
class Checkpoint {
  readonly from: number
  readonly #path: string
  readonly #name: string
  #row: number
  #written: number

  constructor(path: string, name: string) {
    this.#path = path
    this.#name = name
    this.from = existsSync(path) ? this.#read() : 0
    this.#row = this.from
    this.#written = this.from
  }

  reach(row: number): void {
    this.#row = row
    if (row - this.#written >= 1000) this.write()
  }

  write(): void {
    const temporary = `${this.#path}.tmp`
    writeFileSync(temporary, `${JSON.stringify({ import: this.#name, row: this.#row })}\n`)
    renameSync(temporary, this.#path)
    this.#written = this.#row
  }

  #read(): number {
    let value: { readonly import?: unknown; readonly row?: unknown }
    try {
      value = JSON.parse(readFileSync(this.#path, 'utf8'))
    } catch {
      throw new IntakeError('ERR_INTAKE_CHECKPOINT', 'the checkpoint is not readable')
    }
    if (value.import !== this.#name || !Number.isSafeInteger(value.row)) {
      throw new IntakeError('ERR_INTAKE_CHECKPOINT', 'the checkpoint is of another import')
    }
    return value.row as number
  }
}

async function compareDecisions(
  io: Io,
  dataset: Dataset,
  point: OperatingPoint,
  values: Values,
): Promise<number> {
  const cosineThreshold = Number(values.parity)
  if (!(cosineThreshold > 0 && cosineThreshold <= 1))
    throw new UsageError('--parity takes a cosine above 0 and at most 1')
  const progress = new Progress(io, 'comparing decisions')
  const report = await parityReport(dataset, {
    model: modelOf(point, dataset),
    cosineThreshold,
    operatingPoint: point,
    onProgress: (done, total) => progress.update(done, total),
  })
  progress.finish()
  if (values.json) {
    io.out(`${JSON.stringify({ cosineThreshold, threshold: point.threshold, ...report })}\n`)
    return exitCode.ok
  }
  const row = (name: string, counts: ParityCounts): readonly string[] => [
    name,
    count(counts.pairs),
    ...[counts.bothAccept, counts.bothReject, counts.onlyBefore, counts.onlyAfter].map((n) =>
      counts.pairs === 0 ? '–' : percent(n / counts.pairs, 3),
    ),
  ]
  io.out(
    table([
      ['pairs', 'n', 'both accept', 'both reject', 'only before', 'only after'],
      row('of one person', report.mated),
      row('of two people', report.nonMated),
    ]),
  )
  return exitCode.ok
}

/** The point names the model; a mean would have to come with it. */
function modelOf(
  point: OperatingPoint,
  dataset: Dataset,
): { id: string; dimensions: number; metric: 'cosine' } {
  return { id: point.model, dimensions: dataset.dimensions, metric: 'cosine' }
}
