/** What every command shares: output, progress, tables, exit codes. @module */
/// <reference types="node" />

import { type Clock, systemClock } from '../base/clock.ts'
import { GuiseError } from '../base/errors.ts'

/**
 * Where a command writes. Text is written as it is: the caller ends its lines. Results go to `out`; notes,
 * progress and errors go to `err`. No command writes colours, so NO_COLOR holds without being asked for.
 */
export interface Io {
  out(text: string): void
  err(text: string): void
  /** True when `err` is a terminal that can rewrite its line. */
  readonly interactive: boolean
}

export const exitCode = { ok: 0, failure: 1, usage: 2 } as const

/** The command line asks for something that the command does not offer; ends with exit code 2. */
export class UsageError extends Error {}

/** The streams of this process. A reader that goes away (`guise … | head`) ends the process quietly. */
export function processIo(): Io {
  const { stdout, stderr } = process
  // Absent, against its type, when the stream is no terminal.
  const { isTTY = false } = stderr as { readonly isTTY?: boolean }
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    process.exit(error.code === 'EPIPE' ? exitCode.ok : exitCode.failure)
  })
  return {
    out: (text) => void stdout.write(text),
    err: (text) => void stderr.write(text),
    interactive: isTTY && process.env['TERM'] !== 'dumb',
  }
}

/**
 * Runs a command and turns how it ended into an exit code: usage errors print `usage` and give 2, typed errors
 * print their code and message and give 1. Anything else is a fault of the program and is thrown on.
 */
export async function runCommand(io: Io, usage: string, command: () => Promise<number>): Promise<number> {
  try {
    return await command()
  } catch (error) {
    if (isUsageError(error)) {
      io.err(`${error.message}\n\n${usage.trim()}\n`)
      return exitCode.usage
    }
    if (error instanceof GuiseError) {
      io.err(`${error.code}: ${error.message}\n`)
      return exitCode.failure
    }
    if (isSystemError(error)) {
      io.err(`${error.message}\n`)
      return exitCode.failure
    }
    throw error
  }
}

/** One line on the terminal that tells how far a task is and how long it will take; nothing elsewhere. */
export class Progress {
  readonly #io: Io
  readonly #label: string
  readonly #clock: Clock
  readonly #startedMs: number
  #shownMs = Number.NEGATIVE_INFINITY
  #visible = false

  constructor(io: Io, label: string, clock: Clock = systemClock) {
    this.#io = io
    this.#label = label
    this.#clock = clock
    this.#startedMs = clock.steady().ms
  }

  /** `total` may be unknown. Cheap to call often: the line changes at most ten times a second. */
  update(done: number, total?: number): void {
    if (!this.#io.interactive) return
    const nowMs = this.#clock.steady().ms
    if (nowMs - this.#shownMs < 100) return
    this.#shownMs = nowMs
    this.#visible = true
    this.#io.err(`\r\u001b[K${this.#label} ${state(done, total, nowMs - this.#startedMs)}`)
  }

  /** Removes the line, so that what follows starts on an empty one. */
  finish(): void {
    if (this.#visible) this.#io.err('\r\u001b[K')
    this.#visible = false
  }
}

/**
 * Columns of equal width, two spaces apart; the first row is the heading; columns of figures are set right. Cells longer than
 * `widest` are wrapped between words.
 */
export function table(
  rows: readonly (readonly string[])[],
  widest: number = Number.POSITIVE_INFINITY,
): string {
  const [heading = [], ...body] = rows
  const columns = heading.map((name, column) => {
    const cells = body.map((row) => row[column] ?? '')
    const pieces = [name, ...cells.flatMap((cell) => wrap(cell, widest))]
    return {
      width: Math.max(...pieces.map((piece) => piece.length)),
      right: cells.length > 0 && cells.every((cell) => /^[-+−±<≤~]?\d|^[–-]?$/.test(cell)),
    }
  })
  const line = (row: readonly string[]): string =>
    columns
      .map(({ width, right }, column) => {
        const cell = row[column] ?? ''
        return right ? cell.padStart(width) : cell.padEnd(width)
      })
      .join('  ')
      .trimEnd()
  const lines = (row: readonly string[]): readonly string[] => {
    const cells = row.map((cell) => wrap(cell, widest))
    const height = Math.max(1, ...cells.map((pieces) => pieces.length))
    return Array.from({ length: height }, (_, i) => line(cells.map((pieces) => pieces[i] ?? '')))
  }
  const rule = columns.map(({ width }) => '─'.repeat(width)).join('  ')
  return `${[line(heading), rule, ...body.flatMap(lines)].join('\n')}\n`
}

/** A text in lines of at most `width`; a word that is longer stays whole. */
export function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line]
}

/** Whole numbers with thin groups: 308,100. */
export function count(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ',')
}

/** `0.00452` as `0.452 %`. */
export function percent(fraction: number, digits = 2): string {
  return `${(fraction * 100).toFixed(digits)} %`
}

function state(done: number, total: number | undefined, elapsedMs: number): string {
  if (total === undefined || total <= 0) return count(done)
  const share = Math.min(1, done / total)
  const text = `${Math.floor(share * 100)} %`
  // Before a fiftieth is done or a second has passed the estimate is a guess.
  if (share < 0.02 || elapsedMs < 1000) return text
  return `${text}, ${duration((elapsedMs * (1 - share)) / share)} left`
}

function duration(ms: number): string {
  const seconds = Math.ceil(ms / 1000)
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`
}

/** `parseArgs` of Node reports unknown and malformed options by these codes. */
function isUsageError(error: unknown): error is Error {
  if (error instanceof UsageError) return true
  return error instanceof Error && /_PARSE_ARGS_/.test(String((error as NodeJS.ErrnoException).code))
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && typeof (error as NodeJS.ErrnoException).syscall === 'string'
}
