/** `guise status`: people, keys and unfinished work of a realm, and what an operator should do (SPEC §11.10). @module */
/// <reference types="node" />

import { type EpochUse, type VaultStatus, vaultStatus } from '../vault/status.ts'
import { inspect, inspectionUsage, parseInspection } from './inspect.ts'
import { count, exitCode, type Io, runCommand, table } from './io.ts'

export const statusUsage: string = `
Usage: guise status --realm NAME --store DIR [--secrets DIR] --provider DIR <secret> [options]

Counts the records of a realm by state and its wraps by epoch, and says what needs an operator: rows that cannot be
read, wraps under epochs that are not open, keys in use for 80 % of two years or more (SP 800-57), 90 % of 100,000
people or more, work that a crash left. Reads every state and wrap, opens no template, writes nothing; vaults may be
at work meanwhile.

${inspectionUsage}

Exit codes: 0 no fault, 1 a fault or the count failed, 2 wrong usage. Warnings and notes are no faults.
`

/** Runs `guise status …`; `argv` is what follows `status`. Resolves with the exit code. */
export function statusCommand(argv: readonly string[], io: Io): Promise<number> {
  return runCommand(io, statusUsage, async () => {
    if (argv.includes('--help')) {
      io.out(statusUsage.trimStart())
      return exitCode.ok
    }
    const request = parseInspection(argv)
    const status = await inspect(request, io, vaultStatus)
    io.out(request.json ? `${JSON.stringify(status)}\n` : asText(status))
    return status.ok ? exitCode.ok : exitCode.failure
  })
}

function asText({ realm, epochs, states, people, unfinished, log, notices, at }: VaultStatus): string {
  const shown = Object.entries(states).filter(([, records]) => records > 0)
  return [
    `realm ${realm}: ${count(people)} people, ${count(unfinished)} notes of unfinished work\n`,
    `log of ${count(log.entries)} entries, ${count(log.signed)} of them signed, ${count(log.queued)} waiting\n\n`,
    ...(shown.length === 0
      ? []
      : [table([['state', 'records'], ...shown.map(([state, n]) => [state, count(n)])]), '\n']),
    table([['epoch', 'status', 'days', 'wraps'], ...epochs.map((epoch) => row(epoch, at))]),
    '\n',
    notices.length === 0
      ? 'nothing to do\n'
      : notices.map(({ level, text }) => `${level}: ${text}\n`).join(''),
  ].join('')
}

function row({ epoch, status, createdAt, wraps }: EpochUse, at: number): readonly string[] {
  return [String(epoch), status, String(Math.floor((at - createdAt) / 86_400_000)), count(wraps)]
}
