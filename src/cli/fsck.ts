/** `guise fsck`: reads every row of a realm and says what does not fit together (SPEC §11.8). @module */
/// <reference types="node" />

import { type FsckOptions, type FsckSummary, fsck } from '../vault/fsck.ts'
import type { Fault } from '../vault/fsck-fault.ts'
import { inspect, inspectionUsage, parseInspection } from './inspect.ts'
import { count, exitCode, type Io, runCommand, table } from './io.ts'

export const fsckUsage: string = `
Usage: guise fsck --realm NAME --store DIR [--secrets DIR] --provider DIR <secret> [options]

Reads every row of a realm, opens what the operator's keys open, and prints what is damaged, forged, misplaced,
missing, orphaned, older than the log says, or does not open; and whether the log holds. Writes nothing; vaults may
be at work meanwhile. An older wrap of the same secret opens the same template and is not found.

${inspectionUsage}

Exit codes: 0 nothing found, 1 faults found or the check failed, 2 wrong usage.
`

/** So many faults are printed one by one; the rest is counted. */
const MOST_LINES = 100

/** Runs `guise fsck …`; `argv` is what follows `fsck`. Resolves with the exit code. */
export function fsckCommand(argv: readonly string[], io: Io): Promise<number> {
  return runCommand(io, fsckUsage, async () => {
    if (argv.includes('--help')) {
      io.out(fsckUsage.trimStart())
      return exitCode.ok
    }
    const request = parseInspection(argv)
    const result = await inspect(request, io, collect)
    print(result, request.json, io)
    return result.summary.faults === 0 ? exitCode.ok : exitCode.failure
  })
}

interface Result {
  /** At most `MOST_LINES`. */
  readonly faults: readonly Fault[]
  readonly summary: FsckSummary
}

async function collect(options: FsckOptions): Promise<Result> {
  const faults: Fault[] = []
  const walk = fsck(options)
  for (;;) {
    const next = await walk.next()
    if (next.done === true) return { faults, summary: next.value }
    if (faults.length < MOST_LINES) faults.push(next.value)
  }
}

function print({ faults, summary }: Result, json: boolean, io: Io): void {
  if (json) {
    io.out(`${JSON.stringify({ ...summary, listed: faults })}\n`)
    return
  }
  const { rows, records, unfinished } = summary
  io.out(`${count(rows)} rows, ${count(records)} records, ${count(unfinished)} notes of unfinished work\n`)
  if (summary.faults === 0) io.out('no fault\n')
  else {
    io.out(`${count(summary.faults)} faults\n\n`)
    io.out(table([['fault', 'table', 'row'], ...faults.map((fault) => [fault.kind, fault.table, fault.row])]))
    if (summary.faults > faults.length) io.out(`and ${count(summary.faults - faults.length)} more\n`)
  }
}
