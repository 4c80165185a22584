#!/usr/bin/env node
/** The `guise` command: finds the verb and hands it the rest of the line. @module */
/// <reference types="node" />

import { calibrateCommand } from './calibrate.ts'
import { demoCommand } from './demo.ts'
import { importCommand } from './import.ts'
import { exitCode, type Io, processIo } from './io.ts'
import { keysCommand } from './keys.ts'

const usage = `Usage: guise <command> [options]

Commands
  demo        the main job on a temporary store, or accuracy on your embeddings
  keys        make and rotate the keyring of a realm
  calibrate   from labelled embeddings to an operating point
  import      bring existing embeddings into a vault

guise <command> --help says more. Exit codes: 0 done, 1 failed, 2 wrong usage.
`

const COMMANDS: ReadonlyMap<string, (argv: readonly string[], io: Io) => Promise<number>> = new Map([
  ['demo', demoCommand],
  ['keys', keysCommand],
  ['calibrate', calibrateCommand],
  ['import', importCommand],
])

async function main(argv: readonly string[], io: Io): Promise<number> {
  const [name = '--help', ...rest] = argv
  if (name === '--help' || name === 'help') {
    io.out(usage)
    return exitCode.ok
  }
  const command = COMMANDS.get(name)
  if (command !== undefined) return command(rest, io)
  io.err(`unknown command\n\n${usage}`)
  return exitCode.usage
}

process.exitCode = await main(process.argv.slice(2), processIo())
