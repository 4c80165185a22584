/** What a searched vault leaves, as files: which they are, how they are read (I-01). @module */
/// <reference types="node" />

import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { countInText } from './canary-text.ts'
import type { Pieces } from './memory-scan.ts'

export interface Artefact {
  readonly name: string
  /** A file or a folder. */
  readonly path: string
  /** Printed bytes and numbers are looked for as well. */
  readonly text?: boolean
  /** Folders below it that are artefacts of their own. */
  readonly without?: readonly string[]
  /** The control cannot come here by itself and is written here. */
  readonly bystander?: true
}

/** Counts pieces of every set in an artefact. */
export function countInArtefact(
  artefact: Artefact,
  all: readonly Pieces[],
): { readonly found: Readonly<Record<string, number>>; readonly scannedBytes: number } {
  const found = new Map<string, number>()
  let scannedBytes = 0
  for (const file of filesOf(artefact)) {
    const content = readFileSync(file)
    scannedBytes += content.length
    if (artefact.text === true) countInText(content, all, found)
    else for (const pieces of all) pieces.countIn(content, found)
  }
  return { found: Object.fromEntries(found), scannedBytes }
}

export function filesOf({ path, without = [] }: Artefact): readonly string[] {
  if (statSync(path).isFile()) return [path]
  return readdirSync(path, { withFileTypes: true }).flatMap((entry) => {
    const inner = join(path, entry.name)
    if (entry.isDirectory()) return without.includes(entry.name) ? [] : filesOf({ name: '', path: inner })
    return entry.isFile() ? [inner] : []
  })
}
