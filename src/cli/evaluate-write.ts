/** The files of an evaluation: whole or not at all, and never over others by accident (SPEC §15.8). @module */
/// <reference types="node" />

import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Evaluation } from '../evaluate/figures.ts'
import { UsageError } from './io.ts'
import { makeFolder } from './output.ts'

export const FILES = ['evaluation.json', 'index.html'] as const

/** Refuses a folder that has such files already. */
export function refuseOverwriting(folder: string, force: boolean): void {
  const there = FILES.find((name) => existsSync(join(folder, name)))
  if (there !== undefined && !force) throw new UsageError(`--out has ${there} already; --force replaces it`)
}

/** JSON, two spaces deep, ended by a newline. Fields come in the order of SPEC §15.8; those that are undefined are left out. */
export function encodeEvaluation(evaluation: Evaluation): string {
  const {
    format,
    guise,
    runtime,
    command,
    startedAt,
    durationMs,
    dataset,
    synthetic,
    model,
    dimensions,
    subjects,
    samples,
    suite,
    seed,
    protocol,
    verification,
    linkage,
    inversion,
    drill,
    cost,
  } = evaluation
  const file: Evaluation = {
    format,
    guise,
    runtime,
    command,
    startedAt,
    durationMs,
    dataset,
    synthetic,
    model,
    dimensions,
    subjects,
    samples,
    suite,
    seed,
    protocol,
    verification,
    linkage,
    inversion,
    drill,
    cost,
  }
  return `${JSON.stringify(file, undefined, 2)}\n`
}

/** Writes both beside their places, and moves them there when both are whole; the figures last, so that who finds them finds all. */
export function writeFiles(folder: string, contents: Readonly<Record<(typeof FILES)[number], string>>): void {
  makeFolder(folder)
  const drafts = FILES.map((name) => ({
    name,
    draft: join(folder, `.${name}.${process.pid}`),
  }))
  try {
    for (const { name, draft } of drafts) writeFileSync(draft, contents[name], { flush: true, flag: 'wx' })
    for (const { name, draft } of drafts.toReversed()) renameSync(draft, join(folder, name))
  } finally {
    for (const { draft } of drafts) rmSync(draft, { force: true })
  }
}
