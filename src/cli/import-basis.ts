/** Where an import takes the legal basis of each subject from: one file for all, and a table of exceptions. @module */
/// <reference types="node" />

import { readFileSync } from 'node:fs'
import { fromHex } from '../base/bytes.ts'
import type { Basis, BasisKind } from '../policy/basis.ts'
import { UsageError } from './io.ts'

const FIELDS = ['kind', 'grantedAt', 'expiresAt', 'noticeVersion', 'evidence', 'separateConsent'] as const
type Fields = Partial<Record<(typeof FIELDS)[number], string>>

/**
 * Gives the basis of a subject. The JSON file holds what is common; the table, a CSV with a heading and a column
 * `subject`, overrides its fields for the subjects that it names. Instants are ISO 8601, `evidence` 64 hexadecimal digits.
 */
export function readBasis(
  purpose: string,
  file: string,
  table: string | undefined,
): (subject: string) => Basis {
  const common = readCommon(file)
  const rows = table === undefined ? new Map<string, Fields>() : readTable(table)
  return (subject) => makeBasis(purpose, { ...common, ...rows.get(subject) })
}

function readCommon(file: string): Fields {
  let value: unknown
  try {
    value = JSON.parse(readFileSync(file, 'utf8'))
  } catch (cause) {
    if (cause instanceof SyntaxError) throw new UsageError('the basis file is not JSON')
    throw cause
  }
  if (typeof value !== 'object' || value === null) throw new UsageError('the basis file must hold an object')
  return Object.fromEntries(Object.entries(value).map(([name, entry]) => [knownField(name), String(entry)]))
}

function readTable(file: string): Map<string, Fields> {
  const [heading = '', ...lines] = readFileSync(file, 'utf8').split(/\r?\n/)
  const names = heading.split(',')
  const subjectAt = names.indexOf('subject')
  if (subjectAt < 0) throw new UsageError('the table of bases has no column subject')
  const rows = new Map<string, Fields>()
  for (const line of lines) {
    if (line === '') continue
    const cells = line.split(',')
    if (cells.length !== names.length)
      throw new UsageError('a line of the table of bases has the wrong number of fields')
    const fields = names.flatMap((name, i) =>
      i === subjectAt || cells[i] === '' ? [] : [[knownField(name), cells[i]]],
    )
    rows.set(cells[subjectAt] ?? '', Object.fromEntries(fields) as Fields)
  }
  return rows
}

function knownField(name: string): string {
  if ((FIELDS as readonly string[]).includes(name)) return name
  throw new UsageError(`a basis has the fields ${FIELDS.join(', ')}`)
}

/** Missing and malformed fields are left to the vault, whose error names them. */
function makeBasis(purpose: string, fields: Fields): Basis {
  return {
    kind: fields.kind as BasisKind,
    purpose,
    grantedAt: new Date(fields.grantedAt ?? Number.NaN),
    expiresAt: new Date(fields.expiresAt ?? Number.NaN),
    noticeVersion: fields.noticeVersion ?? '',
    evidence: fromHex(fields.evidence ?? '') ?? new Uint8Array(0),
    ...(fields.separateConsent === undefined ? {} : { separateConsent: fields.separateConsent === 'true' }),
  }
}
