#!/usr/bin/env node
/** The `guise` command: finds the verb and hands it the rest of the line. @module */
/// <reference types="node" />

import { exitCode, type Io, processIo } from './io.ts'
import { version } from './version.ts'

const usage = `Usage: guise <command> [options]

Commands
  demo        the main job on a temporary store, or accuracy on your embeddings
  keys        make and rotate the keyring of a realm
  campaign    rotate, re-wrap, keep the bound of erasures, beside traffic
  migrate     move a realm's people from one model to another
  breach-report  say whose templates a theft reaches, and mark them
  calibrate   from labelled embeddings to an operating point
  drill       what each stolen set yields, from real vaults in a temporary folder
  evaluate    measure accuracy, linkage, inversion and thefts, and write a report
  import      bring existing embeddings into a vault
  dedupe      say who of a batch resembles somebody in the realm's gallery
  status      count people, keys and unfinished work of a realm, and say what is due
  people      count people exactly, and log it when they are as many as some laws ask about
  purge       erase every record whose time is over, with receipts
  subject     what is held of one person, for that person, and the comparisons
  records     a record of processing and an impact assessment's skeleton, out of what is deployed
  fsck        read every row of a realm and say what does not fit together
  backup      copy the stores of a vault while it is at work
  restore     put such a copy into new directories
  audit       export a log from a store, verify an exported one
  anchor      accept a store whose log is not the anchored one
  holder      one share holder of a quorum: its folder, its server, new shares

guise <command> --help says more. Exit codes: 0 done, 1 failed, 2 wrong usage.
`

type Command = (argv: readonly string[], io: Io) => Promise<number>

/** Loaded when they are called: without the optional peers `lmdb`, `d3-scale` and `d3-shape` the others still work. */
const COMMANDS: ReadonlyMap<string, () => Promise<Command>> = new Map([
  ['demo', async (): Promise<Command> => (await import('./demo.ts')).demoCommand],
  ['keys', keys],
  ['calibrate', async (): Promise<Command> => (await import('./calibrate.ts')).calibrateCommand],
  ['drill', async (): Promise<Command> => (await import('./drill.ts')).drillCommand],
  ['evaluate', async (): Promise<Command> => (await import('./evaluate.ts')).evaluateCommand],
  ['import', async (): Promise<Command> => (await import('./import.ts')).importCommand],
  ['dedupe', async (): Promise<Command> => (await import('./dedupe.ts')).dedupeCommand],
  ['backup', async (): Promise<Command> => (await import('./backup.ts')).backupCommand],
  ['restore', async (): Promise<Command> => (await import('./backup.ts')).restoreCommand],
  ['audit', async (): Promise<Command> => (await import('./audit.ts')).auditCommand],
  ['anchor', async (): Promise<Command> => (await import('./anchor.ts')).anchorCommand],
  ['holder', async (): Promise<Command> => (await import('./holder.ts')).holderCommand],
  ['status', async (): Promise<Command> => (await import('./status.ts')).statusCommand],
  ['campaign', async (): Promise<Command> => (await import('./campaign.ts')).campaignCommand],
  ['migrate', async (): Promise<Command> => (await import('./migrate.ts')).migrateCommand],
  ['breach-report', async (): Promise<Command> => (await import('./breach-report.ts')).breachReportCommand],
  ['people', async (): Promise<Command> => (await import('./people.ts')).peopleCommand],
  ['purge', async (): Promise<Command> => (await import('./purge.ts')).purgeCommand],
  ['subject', async (): Promise<Command> => (await import('./subject.ts')).subjectCommand],
  ['records', async (): Promise<Command> => (await import('./records.ts')).recordsCommand],
  ['fsck', async (): Promise<Command> => (await import('./fsck.ts')).fsckCommand],
])

async function keys(): Promise<Command> {
  const { keysCommand, keysUsage } = await import('./keys.ts')
  return async (argv, io) => {
    if (!argv.includes('--help')) return keysCommand(argv, io)
    io.out(keysUsage.trimStart())
    return exitCode.ok
  }
}

async function main(argv: readonly string[], io: Io): Promise<number> {
  const [name = '--help', ...rest] = argv
  if (name === '--help' || name === '-h' || name === 'help') {
    io.out(usage)
    return exitCode.ok
  }
  if (name === '--version') {
    io.out(`${version()}\n`)
    return exitCode.ok
  }
  const load = COMMANDS.get(name)
  if (load === undefined) {
    io.err(`unknown command ${name}\n\n${usage}`)
    return exitCode.usage
  }
  let command: Command
  try {
    command = await load()
  } catch (error) {
    const missing = missingPeer(error)
    if (missing === undefined) throw error
    io.err(`This command needs the package ${missing} beside guise: npm install ${missing}\n`)
    return exitCode.failure
  }
  return command(rest, io)
}

/** Optional peers that some command needs. */
function missingPeer(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  return /^Cannot find (?:package|module) '(lmdb|d3-scale|d3-shape)'/.exec(error.message)?.[1]
}

process.exitCode = await main(process.argv.slice(2), processIo())
