/** Where an import takes the legal basis of each subject from: one file for all, and a table of exceptions. @module */
/// <reference types="node" />

import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { fromHex } from '../base/bytes.ts'
import { splitFields } from '../dataset/fields.ts'
import { readLines } from '../dataset/lines.ts'
import { IntakeError } from '../intake/errors.ts'
import type { Basis, BasisKind } from '../policy/basis.ts'

/** Names of the fields, as file and table have them. */
export const BASIS_FIELDS = [
  'kind',
  'grantedAt',
  'expiresAt',
  'noticeVersion',
  'evidence',
  'separateConsent',
  'under14',
  'guardianEvidence',
] as const

/** A date, or an instant with its zone: without one it would mean another instant on another machine. */
const INSTANT = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d))?$/

type Fields = Partial<Record<(typeof BASIS_FIELDS)[number], string>>

/**
 * Gives the basis of a subject. The JSON file holds what is common; the table, a CSV with a heading and a column `subject`,
 * overrides its fields for the subjects that it names. Instants are ISO 8601, evidence 64 hexadecimal digits.
 */
export async function readBasis(
  purpose: string,
  file: string,
  table: string | undefined,
): Promise<(subject: string) => Basis> {
  const common = readCommon(file)
  const rows = table === undefined ? new Map<string, Fields>() : await readTable(table)
  return (subject) => makeBasis(purpose, { ...common, ...rows.get(subject) })
}

function readCommon(file: string): Fields {
  const name = basename(file)
  let value: unknown
  try {
    value = JSON.parse(readFileSync(file, 'utf8'))
  } catch (cause) {
    if (cause instanceof SyntaxError) throw refuse(`${name} is not JSON`)
    throw cause
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw refuse(`${name} does not hold an object`)
  }
  const fields: Fields = {}
  for (const [key, entry] of Object.entries(value)) {
    if (typeof entry !== 'string' && typeof entry !== 'boolean')
      throw refuse(`${name}: a field is not a text`)
    put(fields, key, String(entry), name)
  }
  return fields
}

async function readTable(file: string): Promise<Map<string, Fields>> {
  const name = basename(file)
  const rows = new Map<string, Fields>()
  let heading: readonly string[] | undefined
  for await (const { number, text } of readLines(file)) {
    const where = `${name}, line ${number}`
    const cells = splitFields(text, { file: name, line: number })
    if (heading === undefined) {
      heading = cells.map((cell) => cell.trim())
      if (!heading.includes('subject')) throw refuse(`${where}: there is no column subject`)
      continue
    }
    if (cells.length !== heading.length) throw refuse(`${where}: another number of fields than the heading`)
    const fields: Fields = {}
    let subject = ''
    for (const [index, column] of heading.entries()) {
      const cell = cells[index] as string
      if (column === 'subject') subject = cell
      else if (cell !== '') put(fields, column, cell, where)
    }
    if (rows.has(subject)) throw refuse(`${where}: the subject has a line already`)
    rows.set(subject, fields)
  }
  return rows
}

function put(fields: Fields, column: string, text: string, where: string): void {
  const known = BASIS_FIELDS.find((field) => field === column)
  if (known === undefined) throw refuse(`${where}: a basis has the fields ${BASIS_FIELDS.join(', ')}`)
  const logical = known === 'separateConsent' || known === 'under14'
  if (logical && text !== 'true' && text !== 'false') throw refuse(`${where}: ${known} is true or false`)
  const instant = known === 'grantedAt' || known === 'expiresAt'
  if (instant && !INSTANT.test(text)) throw refuse(`${where}: ${known} is no ISO 8601 instant with a zone`)
  fields[known] = text
}

/** Missing and malformed fields are left to the vault, whose error names them. */
function makeBasis(purpose: string, fields: Fields): Basis {
  const { separateConsent, under14, guardianEvidence } = fields
  return {
    kind: fields.kind as BasisKind,
    purpose,
    grantedAt: new Date(fields.grantedAt ?? Number.NaN),
    expiresAt: new Date(fields.expiresAt ?? Number.NaN),
    noticeVersion: fields.noticeVersion ?? '',
    evidence: hash(fields.evidence),
    ...(separateConsent !== undefined && { separateConsent: separateConsent === 'true' }),
    ...(under14 !== undefined && { under14: under14 === 'true' }),
    ...(guardianEvidence !== undefined && { guardianEvidence: hash(guardianEvidence) }),
  }
}

function hash(text = ''): Uint8Array {
  return fromHex(text) ?? new Uint8Array(0)
}

function refuse(why: string): IntakeError {
  return new IntakeError('ERR_INTAKE_BASIS', why)
}
