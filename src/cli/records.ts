/** `guise records`: a record of processing and the skeleton of an impact assessment, out of what is deployed (SPEC §12.7). @module */
/// <reference types="node" />

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { toHex } from '../base/bytes.ts'
import { sha256 } from '../crypto/hash.ts'
import type { Evaluation } from '../evaluate/figures.ts'
import { decodeOperatingPoint } from '../evaluate/operating-file.ts'
import type { RetentionPolicy } from '../policy/retention.ts'
import { type ProcessingRecords, processingRecords, type RecordsOptions } from '../report/records.ts'
import type { RecordsSettings } from '../report/records-form.ts'
import { recordMarkdown } from '../report/records-text.ts'
import { type Inspection, inspect } from './inspect.ts'
import { exitCode, type Io, runCommand, UsageError } from './io.ts'
import { checkOutputFile, checkOutputFolder, makeFolder, writeWhole } from './output.ts'
import { readJson } from './read-json.ts'
import { needed, secretOptions, secretSource, secretUsage } from './secret.ts'

const usage = `
Usage: guise records --realm NAME --store DIR --provider DIR <secret> --out DIR [options]

Writes record-of-processing.md, impact-assessment.md and both as records.json: purposes, bases, notices, custody, keys,
limits, retention, figures, each with where it comes from. What only the controller can say is a blank. The files say which
duties a section serves, never that one is fulfilled. Reads every state row, opens no template, writes nothing to the store.

Where
  --realm NAME             the realm
  --store DIR              LMDB store that holds keyring and codes
  --provider DIR           directory of the local key provider, or another as guise keys takes it

${secretUsage}

What is deployed; what is left out stands as a default or as a blank
  --policies FILE          JSON as guise purge takes it
  --settings FILE          JSON: { attempts, erasureBoundMs, anchor } as vaults are opened with; anchor in words
  --point FILE             an operating point of guise calibrate; may be given more than once
  --evaluation FILE        evaluation.json of guise evaluate

Options
  --at INSTANT             as of when, 2026-01-31T08:00:00Z; default now. The same state, files and instant give the same bytes
  --out DIR                where to; the folder is made when it is missing
  --force                  replace what is there
  --json                   print the JSON too

Exit codes: 0 done, 1 failed, 2 wrong usage.
`

const text = { type: 'string' } as const
const flag = { type: 'boolean', default: false } as const
const OPTIONS = {
  realm: text,
  store: text,
  provider: text,
  policies: text,
  settings: text,
  point: { type: 'string', multiple: true },
  evaluation: text,
  at: text,
  out: text,
  force: flag,
  json: flag,
  ...secretOptions,
} as const

interface Request extends Inspection {
  readonly out: string
  readonly force: boolean
  readonly given: Omit<RecordsOptions, 'keyring' | 'store'>
}

/** Runs `guise records …`. Resolves with the exit code. */
export function recordsCommand(argv: readonly string[], io: Io): Promise<number> {
  return runCommand(io, usage, async () => {
    if (argv.includes('--help')) {
      io.out(usage.trimStart())
      return exitCode.ok
    }
    const request = parse(argv)
    const { out, force, given } = request
    const paths = ['record-of-processing.md', 'impact-assessment.md', 'records.json'].map((name) =>
      join(out, name),
    )
    checkOutputFolder(out)
    makeFolder(out)
    for (const path of paths) checkOutputFile(path, force)
    const records = await inspect(request, io, ({ keyring, store }) =>
      processingRecords({ ...given, keyring, store }),
    )
    const texts = textsOf(records)
    writeWhole(
      paths.map((path, i) => ({ path, text: texts[i] as string })),
      force,
    )
    io.out(
      request.json
        ? (texts.at(-1) as string)
        : `${paths.join('\n')}\n${records.blanks} blanks for the controller\n`,
    )
    return exitCode.ok
  })
}

function textsOf(records: ProcessingRecords): readonly string[] {
  return [
    ...records.documents.map((document) => recordMarkdown(records, document)),
    `${JSON.stringify(records, undefined, 2)}\n`,
  ]
}

function parse(argv: readonly string[]): Request {
  const { values } = parseArgs({ args: [...argv], options: OPTIONS })
  const { point: _, ...secrets } = values
  return {
    realm: needed(values.realm, '--realm'),
    store: needed(values.store, '--store'),
    secrets: undefined,
    provider: needed(values.provider, '--provider'),
    secret: secretSource(secrets),
    json: values.json,
    out: needed(values.out, '--out'),
    force: values.force,
    given: givenBy(values),
  }
}

function givenBy({
  policies,
  settings,
  evaluation,
  point = [],
  at,
}: {
  readonly policies?: string | undefined
  readonly settings?: string | undefined
  readonly evaluation?: string | undefined
  readonly point?: readonly string[] | undefined
  readonly at?: string | undefined
}): Omit<RecordsOptions, 'keyring' | 'store'> {
  const files = [policies, settings, evaluation, ...point].filter((path) => path !== undefined)
  const inputs = Object.fromEntries(
    files.map((path) => [path, toHex(sha256(new Uint8Array(readFileSync(path))))]),
  )
  const points = point.map((path) => decodeOperatingPoint(readFileSync(path, 'utf8')))
  const said = settings === undefined ? {} : (readJson(settings, '--settings') as RecordsSettings)
  return {
    inputs,
    settings: points.length === 0 ? said : { ...said, operatingPoints: points },
    ...(policies === undefined
      ? {}
      : { policies: readJson(policies, '--policies') as readonly RetentionPolicy[] }),
    ...(evaluation === undefined ? {} : { evaluation: readJson(evaluation, '--evaluation') as Evaluation }),
    ...(at === undefined ? {} : { at: instantOf(at) }),
  }
}

function instantOf(at: string): number {
  const ms = /^\d{4}-\d{2}-\d{2}T[\d:.]+(?:Z|[+-]\d{2}:\d{2})$/.test(at) ? Date.parse(at) : Number.NaN
  if (Number.isNaN(ms)) throw new UsageError('--at must be a date and time with its zone')
  return ms
}
