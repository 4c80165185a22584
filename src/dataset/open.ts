/** Opens labelled embeddings by what lies at a path (SPEC §3). @module */
/// <reference types="node" />

import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { type Column, openCsv } from './csv.ts'
import { checkDimensions, type Dataset } from './dataset.ts'
import { DatasetError } from './errors.ts'
import { openJsonLines } from './json-lines.ts'
import { openFile } from './lines.ts'
import { openMatrix } from './matrix.ts'

export type DatasetFormat = 'f32' | 'npy' | 'csv' | 'jsonl'

export interface OpenDatasetOptions {
  /** Default: by the end of the file's name. */
  readonly format?: DatasetFormat
  /** Labels of a matrix. Default: `labels.csv` beside it. */
  readonly labels?: string
  /** Column or field that says whose vector it is. Default `subject`. */
  readonly subject?: Column
  /** Column or field with the group. Default `group`, where there is one; when it is named, every row must have it. */
  readonly group?: Column
  /** Column or field where the vector begins (CSV, JSON lines). */
  readonly vector?: Column
  readonly dimensions?: number
  /** Whether a CSV begins with a heading. Default: found out. */
  readonly header?: boolean
}

const META_BYTES = 64 * 1024

/**
 * Opens a folder with `embeddings.f32` (or one `.npy` file), `labels.csv` and perhaps `meta.json`; a `.f32` or
 * `.npy` file with labels beside it; a `.csv`; or a `.jsonl` file. Nothing is held open between reads.
 *
 * @example
 * ```ts
 * const people = await openDataset('people.jsonl', { vector: 'embedding' })
 * for await (const { row, subject, vector } of people.read()) console.log(row, subject, vector.length)
 * ```
 */
export async function openDataset(path: string, options: OpenDatasetOptions = {}): Promise<Dataset> {
  if (options.dimensions !== undefined) checkDimensions(options.dimensions, {})
  const names = await listFolder(path)
  const file = names === undefined ? path : join(path, findMatrix(names, path))
  const format = options.format ?? formatOf(file)
  if (format === 'csv') return openCsv(file, options)
  if (format === 'jsonl') {
    const { subject, group, vector, dimensions } = options
    return openJsonLines(file, {
      subject: fieldName(subject),
      group: fieldName(group),
      vector: fieldName(vector),
      dimensions,
    })
  }
  const folder = dirname(file)
  const meta = await readMeta(join(folder, 'meta.json'))
  return openMatrix({
    name: meta.name ?? (file === path ? basename(file) : basename(folder)),
    matrix: file,
    format,
    labels: options.labels ?? join(folder, 'labels.csv'),
    columns: { subject: fieldName(options.subject) ?? 'subject', group: fieldName(options.group) },
    dimensions: options.dimensions ?? meta.dimensions,
  })
}

/** Names in a folder; `undefined` for a file. */
async function listFolder(path: string): Promise<readonly string[] | undefined> {
  try {
    return await readdir(path)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOTDIR') return undefined
    throw new DatasetError('ERR_DATASET_FILE', 'there is nothing to read', { file: basename(path), cause })
  }
}

function findMatrix(names: readonly string[], folder: string): string {
  if (names.includes('embeddings.f32')) return 'embeddings.f32'
  const arrays = names.filter((name) => name.endsWith('.npy'))
  const [only] = arrays
  if (only !== undefined && arrays.length === 1) return only
  throw new DatasetError('ERR_DATASET_FILE', 'the folder holds neither embeddings.f32 nor one .npy file', {
    file: basename(folder),
  })
}

function formatOf(file: string): DatasetFormat {
  if (file.endsWith('.f32')) return 'f32'
  if (file.endsWith('.npy')) return 'npy'
  if (file.endsWith('.csv')) return 'csv'
  if (file.endsWith('.jsonl') || file.endsWith('.ndjson')) return 'jsonl'
  throw new DatasetError('ERR_DATASET_FORMAT', 'the name of the file does not tell its format', {
    file: basename(file),
  })
}

function fieldName(column: Column | undefined): string | undefined {
  if (typeof column !== 'number') return column
  throw new DatasetError('ERR_DATASET_OPTIONS', 'only a CSV has columns by number')
}

/** Reads `dims` and `name`; everything else in the file is for people. A file that is not there says nothing. */
async function readMeta(path: string): Promise<{ name?: string; dimensions?: number }> {
  const place = { file: basename(path) }
  if (!(await exists(path))) return {}
  const { handle, sizeBytes } = await openFile(path)
  try {
    if (sizeBytes > META_BYTES) throw new DatasetError('ERR_DATASET_FORMAT', 'the file is too long', place)
    const parsed: unknown = JSON.parse(await handle.readFile('utf8'))
    const { name, dims } = Object(parsed) as { readonly name?: unknown; readonly dims?: unknown }
    return {
      ...(typeof name === 'string' && name !== '' && { name }),
      ...(dims !== undefined && { dimensions: checkDimensions(dims, place) }),
    }
  } catch (cause) {
    if (cause instanceof DatasetError) throw cause
    throw new DatasetError('ERR_DATASET_FORMAT', 'the file is not JSON', { ...place, cause })
  } finally {
    await handle.close()
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch {
    return false
  }
}
