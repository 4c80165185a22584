/** The receipts of purges: JSON lines that say who is due before anybody is erased, and what became of each (SPEC §12.4). @module */
/// <reference types="node" />

import { closeSync, existsSync, fsyncSync, openSync, readFileSync, truncateSync, writeSync } from 'node:fs'
import type { SubjectId } from '../base/brand.ts'
import { toBase64Url } from '../base/bytes.ts'
import type { Purged } from '../vault/purge.ts'
import { UsageError } from './io.ts'

/** One file, added to by one purge after another. */
export class Receipts {
  readonly #fd: number
  /** Who was announced by purges before, and has no line that says what came of it. */
  readonly open: readonly SubjectId[]

  constructor(path: string) {
    this.open = existsSync(path) ? readOpen(path) : []
    this.#fd = openSync(path, 'a', 0o600)
  }

  /** Durable when it returns. */
  write(page: readonly Purged[]): void {
    const bytes = Buffer.from(page.map((one) => `${JSON.stringify(lineOf(one))}\n`).join(''))
    for (let from = 0; from < bytes.length; ) from += writeSync(this.#fd, bytes, from)
    fsyncSync(this.#fd)
  }

  close(): void {
    closeSync(this.#fd)
  }
}

/** What a crash left of a last line goes. */
function readOpen(path: string): readonly SubjectId[] {
  const bytes = readFileSync(path)
  const whole = bytes.lastIndexOf(0x0a) + 1
  if (whole < bytes.length) truncateSync(path, whole)
  const open = new Set<SubjectId>()
  for (const line of bytes.subarray(0, whole).toString('utf8').split('\n').slice(0, -1)) {
    const { outcome, subject } = readLine(line)
    if (outcome === 'due') open.add(subject)
    // What failed may be erased all the same: an answer that got lost, a wrap that was left.
    else if (outcome !== 'failed') open.delete(subject)
  }
  return [...open]
}

function readLine(line: string): Pick<Purged, 'outcome' | 'subject'> {
  try {
    const { outcome, subject } = JSON.parse(line) as Partial<Purged>
    if (outcome !== undefined && subject !== undefined) return { outcome, subject }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
  }
  throw new UsageError('--receipts names a file that no purge wrote')
}

function lineOf(one: Purged): object {
  if (one.outcome === 'failed') {
    return { outcome: one.outcome, subject: one.subject, error: one.error.code }
  }
  if (one.outcome !== 'erased') return one
  const { record, unreachableAt, irrecoverable, statement, signature } = one.receipt
  return {
    outcome: one.outcome,
    subject: one.subject,
    record,
    unreachableAt,
    irrecoverable,
    statement: toBase64Url(statement),
    signature: toBase64Url(signature),
  }
}
