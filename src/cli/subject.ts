/** `guise subject`: what is held of one person, for that person, and the log of comparisons (SPEC §12.6). @module */
/// <reference types="node" />

import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import type { RetentionPolicy } from '../policy/retention.ts'
import { exportSubject, type SubjectExport } from '../vault/export-subject.ts'
import { comparisonsMarkdown, subjectMarkdown } from '../vault/subject-text.ts'
import { type Inspection, inspect } from './inspect.ts'
import { exitCode, type Io, runCommand, UsageError } from './io.ts'
import { type LogKeyFile, logKeyOptions, logKeyUsage, readLogKey, withLogKey } from './log-key.ts'
import { readJson } from './read-json.ts'
import { needed, secretOptions, secretSource, secretUsage } from './secret.ts'

const usage = `
Usage: guise subject export|log --realm NAME --store DIR [--secrets DIR] --provider DIR <secret>
         --subject-file FILE | --pseudonym NAME [options]

export says what is held of one person: why, since when, until when, in which custody, which comparisons were made, by whom
and how they ended, what an erasure left. log says the comparisons alone. Markdown, or JSON. No biometrics, no key, no
score, nobody else's data but the pseudonyms of who asked. That it was asked stands in the log.

Where
  --realm NAME             the realm
  --store DIR              LMDB store that holds keyring and codes
  --secrets DIR            LMDB store of the wraps, where they have their own
  --provider DIR           directory of the local key provider

${secretUsage}

Whom, one of the two
  --subject-file FILE      the external identifier: the first line of a file, so that it stands in no list of processes
  --pseudonym NAME         as describe, receipts and the log name the person: the way to who was erased

${logKeyUsage}

Options
  --policies FILE          JSON as guise purge takes it: says when the record is due
  --actor NAME             who answers for it, a pseudonym for the log
  --json                   print JSON

Exit codes: 0 something is held or was, 1 failed, 2 wrong usage, 3 nothing is held under this name.
`

const NOTHING = 3
const text = { type: 'string' } as const
const OPTIONS = {
  realm: text,
  store: text,
  secrets: text,
  provider: text,
  'subject-file': text,
  pseudonym: text,
  policies: text,
  actor: text,
  ...logKeyOptions,
  ...secretOptions,
  json: { type: 'boolean', default: false },
} as const

interface Request extends Inspection {
  readonly what: 'export' | 'log'
  readonly whom: { readonly subject: string } | { readonly pseudonym: string }
  readonly policies: readonly RetentionPolicy[] | undefined
  readonly actor: string | undefined
  readonly logKey: LogKeyFile
}

/** Runs `guise subject …`. Resolves with the exit code. */
export function subjectCommand(argv: readonly string[], io: Io): Promise<number> {
  return runCommand(io, usage, async () => {
    if (argv.includes('--help')) {
      io.out(usage.trimStart())
      return exitCode.ok
    }
    const request = parse(argv)
    const { whom, policies, actor } = request
    const told = await inspect(request, io, ({ keyring, store, secrets }) =>
      withLogKey(request.logKey, (signed) =>
        exportSubject({
          keyring,
          store,
          ...(secrets === undefined ? {} : { secrets }),
          ...signed,
          ...whom,
          ...(policies === undefined ? {} : { policies }),
          ...(actor === undefined ? {} : { actor }),
        }),
      ),
    )
    io.out(shown(request, told))
    return told.held === 'nothing' ? NOTHING : exitCode.ok
  })
}

function shown({ what, json }: Request, told: SubjectExport): string {
  if (what === 'export') return json ? `${JSON.stringify(told)}\n` : subjectMarkdown(told)
  const { format, realm, at, held, subject, comparisons } = told
  return json
    ? `${JSON.stringify({ format, realm, at, held, subject, comparisons })}\n`
    : comparisonsMarkdown(told)
}

function parse(argv: readonly string[]): Request {
  const { values, positionals } = parseArgs({ args: [...argv], options: OPTIONS, allowPositionals: true })
  const [what, ...rest] = positionals
  if ((what !== 'export' && what !== 'log') || rest.length > 0)
    throw new UsageError('say what: guise subject export, or guise subject log')
  const file = values['subject-file']
  const { pseudonym } = values
  if ((file === undefined) === (pseudonym === undefined))
    throw new UsageError('give --subject-file or --pseudonym, one of the two')
  return {
    what,
    realm: needed(values.realm, '--realm'),
    store: needed(values.store, '--store'),
    secrets: values.secrets,
    provider: needed(values.provider, '--provider'),
    secret: secretSource(values),
    json: values.json,
    whom: pseudonym === undefined ? { subject: firstLine(file as string) } : { pseudonym },
    policies:
      values.policies === undefined
        ? undefined
        : (readJson(values.policies, '--policies') as readonly RetentionPolicy[]),
    actor: values.actor,
    logKey: readLogKey(values),
  }
}

function firstLine(path: string): string {
  const [line = ''] = readFileSync(path, 'utf8').split(/\r?\n/)
  if (line === '') throw new UsageError('--subject-file must hold the identifier in its first line')
  return line
}
