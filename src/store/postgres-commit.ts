/** A commit as the arguments of the commit function: rows once each, in the order of their locks (SPEC §10.5). @module */

import { compareBytes, concatBytes, toHex } from '../base/bytes.ts'
import { conflict, keyText, type OwnedPlace, type OwnedStep } from './steps.ts'
import { TABLES } from './store.ts'

/** What the commit function does with a row; the number of its table times eight is added. */
export const OPERATION = { check: 0, absent: 1, insert: 2, update: 3, remove: 4, append: 5 } as const

/** Stands where no version is expected: no random UUID is zero. */
const NO_VERSION = '00000000-0000-0000-0000-000000000000'

/** A step and its place in the commit. */
export interface PlacedStep {
  readonly step: OwnedStep
  readonly index: number
}

/**
 * The steps that the server must see, in the order in which every commit takes its locks: by table, then by key,
 * and the appends, which lock nothing, last. So two commits never wait for each other.
 *
 * @throws {StoreError} `ERR_STORE_CONFLICT` when two steps expect different things of a row, or a version that no
 *   row of this store can have.
 */
export function orderSteps(steps: readonly OwnedStep[]): readonly PlacedStep[] {
  const rows = new Map<string, PlacedStep>()
  const appends: PlacedStep[] = []
  for (const [index, step] of steps.entries()) {
    if (step.step === 'append') {
      appends.push({ step, index })
      continue
    }
    if (step.expected !== null && !VERSION.test(step.expected)) throw conflict(step, index)
    const row = `${step.table}/${keyText(step.key)}`
    const other = rows.get(row)
    if (other !== undefined && other.step.expected !== step.expected) throw conflict(step, index)
    // A write expects at least what a check of the same row does.
    if (other === undefined || other.step.step === 'check') rows.set(row, { step, index })
  }
  return [...[...rows.values()].sort(byRow), ...appends]
}

/** The first arguments of the commit function. Texts and one block of bytes: every driver sends these alike. */
export function commitArguments(placed: readonly PlacedStep[]): unknown[] {
  const operations: number[] = []
  const lengths: number[] = []
  const versions: string[] = []
  const blocks: Uint8Array[] = []
  for (const { step } of placed) {
    operations.push(8 * TABLES.indexOf(step.table) + OPERATION[operationOf(step)])
    lengths.push(step.key.length, step.bytes.length)
    versions.push(step.expected ?? NO_VERSION)
    blocks.push(step.key, step.bytes)
  }
  const bytes = concatBytes(...blocks)
  return [`{${operations.join()}}`, `{${lengths.join()}}`, `{${versions.join()}}`, bytes, ringLock(placed)]
}

/** The arguments of the reading function. */
export function readArguments(places: readonly OwnedPlace[]): unknown[] {
  const tables = places.map(({ table }) => TABLES.indexOf(table))
  const pieces: number[] = []
  const blocks: Uint8Array[] = []
  for (const { parts } of places) {
    pieces.push(parts.length)
    for (const part of parts) {
      if (part instanceof Uint8Array) {
        pieces.push(0, 0, part.length)
        blocks.push(part)
      } else pieces.push(part.row + 1, part.at, part.length)
    }
  }
  return [`{${tables.join()}}`, `{${pieces.join()}}`, concatBytes(...blocks)]
}

/** Keys as the text of a bytea array. */
export function keyArray(keys: readonly Uint8Array[]): string {
  return `{${keys.map((key) => `"\\\\x${toHex(key)}"`).join()}}`
}

const VERSION = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

function byRow(a: PlacedStep, b: PlacedStep): number {
  const tables = TABLES.indexOf(a.step.table) - TABLES.indexOf(b.step.table)
  return tables === 0 ? compareBytes(a.step.key, b.step.key) : tables
}

function operationOf(step: OwnedStep): keyof typeof OPERATION {
  if (step.step === 'check') return step.expected === null ? 'absent' : 'check'
  if (step.step === 'put') return step.expected === null ? 'insert' : 'update'
  return step.step === 'delete' ? 'remove' : 'append'
}

/** 0: no row of the keyrings is touched; 1: some are checked; 2: some are written. */
function ringLock(placed: readonly PlacedStep[]): number {
  let lock = 0
  for (const { step } of placed) {
    if (step.table === 'keyrings') lock = Math.max(lock, step.step === 'check' ? 1 : 2)
  }
  return lock
}
