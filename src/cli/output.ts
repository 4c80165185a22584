/** Files that commands write: refused before the work where they cannot be, and whole or not at all. @module */
/// <reference types="node" />

import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'

export interface OutputFile {
  readonly path: string
  readonly text: string
}

/** Before minutes are spent on what cannot be written. */
export function checkOutputFile(path: string, force: boolean): void {
  if (existsSync(path)) {
    if (statSync(path).isDirectory()) throw systemError('EISDIR', `a folder, where a file is to be: ${path}`)
    if (!force) throw systemError('EEXIST', `file already exists: ${path}; --force replaces it`)
  }
  checkWritable(dirname(path))
}

/** A folder that is made when it is missing: the nearest that exists must be one, and must take new entries. */
export function checkOutputFolder(path: string): void {
  let nearest = resolve(path)
  while (!existsSync(nearest) && dirname(nearest) !== nearest) nearest = dirname(nearest)
  checkWritable(nearest)
}

/**
 * Makes a folder and those above it that are missing, one after the other: where the system lets none be made and says that the
 * one above is missing (`/proc`), Node's own way of doing it never ends.
 */
export function makeFolder(path: string): void {
  const missing: string[] = []
  for (let folder = resolve(path); !existsSync(folder); folder = dirname(folder)) missing.push(folder)
  for (const folder of missing.toReversed()) mkdirSync(folder)
}

/** Writes all beside their places and moves them there when all are whole. Without `force` a file that came meanwhile stays. */
export function writeWhole(files: readonly OutputFile[], force: boolean): void {
  const drafts = files.map(({ path, text }) => ({
    path,
    text,
    draft: join(dirname(path), `.${basename(path)}.${process.pid}`),
  }))
  const taken: string[] = []
  try {
    for (const { draft, text } of drafts) writeFileSync(draft, text, { flush: true, flag: 'wx' })
    if (!force) {
      for (const { path } of drafts) {
        closeSync(openSync(path, 'wx'))
        taken.push(path)
      }
    }
    for (const { draft, path } of drafts) {
      renameSync(draft, path)
      taken.splice(0, 1)
    }
  } finally {
    for (const path of taken) rmSync(path, { force: true })
    for (const { draft } of drafts) rmSync(draft, { force: true })
  }
}

function checkWritable(folder: string): void {
  if (!statSync(folder).isDirectory()) throw systemError('ENOTDIR', `not a folder: ${folder}`)
  accessSync(folder, constants.W_OK)
}

/** As Node's own, which `runCommand` prints by its message. */
function systemError(code: string, message: string): Error {
  return Object.assign(new Error(message), { code, syscall: 'open' })
}
