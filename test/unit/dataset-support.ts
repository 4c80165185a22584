/** Counted vectors and folders for the tests of src/dataset. @module */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect } from 'vitest'
import type { Dataset, LabelledVector, ReadOptions } from '../../src/dataset/dataset.ts'
import { DatasetError } from '../../src/dataset/errors.ts'
import { type OpenDatasetOptions, openDataset } from '../../src/dataset/open.ts'

/** All vectors are counted out: nothing here comes from a face. */
export const D = 64
export let folder: string
let made = 0

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'guise-dataset-'))
})
afterAll(() => {
  rmSync(folder, { recursive: true })
})

export async function newFolder(files: Readonly<Record<string, string | Uint8Array>>): Promise<string> {
  const path = join(folder, String(made++))
  await mkdir(path)
  for (const [name, content] of Object.entries(files)) writeFileSync(join(path, name), content)
  return path
}

export async function newFile(name: string, content: string | Uint8Array): Promise<string> {
  return join(await newFolder({ [name]: content }), name)
}

/** Value i of row r is r + i/64: exact in every float format. */
export function valueAt(row: number, i: number): number {
  return row + i / 64
}

export function values(row: number, dimensions = D): number[] {
  return Array.from({ length: dimensions }, (_, i) => valueAt(row, i))
}

export function f32(rows: number, dimensions = D): Uint8Array {
  const view = new DataView(new ArrayBuffer(4 * rows * dimensions))
  for (let r = 0; r < rows; r++) {
    for (let i = 0; i < dimensions; i++) view.setFloat32(4 * (r * dimensions + i), valueAt(r, i), true)
  }
  return new Uint8Array(view.buffer)
}

export function labels(rows: number): string {
  return `row,subject,image\n${Array.from({ length: rows }, (_, r) => `${r},s${r >> 1},${r & 1}\n`).join('')}`
}

export async function rowsOf(dataset: Dataset, options?: ReadOptions): Promise<LabelledVector[]> {
  const rows: LabelledVector[] = []
  for await (const row of dataset.read(options)) rows.push(row)
  return rows
}

export function plain(rows: readonly LabelledVector[]): unknown {
  return rows.map(({ row, subject, vector }) => ({ row, subject, vector: [...vector] }))
}

export function expected(rows: number, from = 0): unknown {
  return Array.from({ length: rows - from }, (_, k) => ({
    row: from + k,
    subject: `s${(from + k) >> 1}`,
    vector: values(from + k),
  }))
}

/** Opens and reads; resolves with the error. */
export async function failure(path: string, options?: OpenDatasetOptions): Promise<DatasetError> {
  try {
    await rowsOf(await openDataset(path, options))
  } catch (error) {
    expect(error).toBeInstanceOf(DatasetError)
    return error as DatasetError
  }
  throw new Error('nothing was refused')
}
