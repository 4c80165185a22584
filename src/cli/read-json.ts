/** A file that an option names and that holds JSON. @module */
/// <reference types="node" />

import { readFileSync } from 'node:fs'
import { UsageError } from './io.ts'

/** What the file says; whoever takes it checks it. */
export function readJson(path: string, option: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    if (error instanceof SyntaxError) throw new UsageError(`${option} must name a JSON file`)
    throw error
  }
}
