/** A matrix of floats beside a list of labels: `embeddings.f32` or `.npy` with `labels.csv` (SPEC §3). @module */
/// <reference types="node" />

import { basename } from 'node:path'
import { wipe } from '../base/bytes.ts'
import {
  checkDimensions,
  checkFinite,
  checkFrom,
  type Dataset,
  type LabelledVector,
  type ReadOptions,
} from './dataset.ts'
import { DatasetError } from './errors.ts'
import { countLabels, type LabelColumns, readLabels } from './labels.ts'
import { openFile } from './lines.ts'
import { type ElementType, elementBytes, NPY_HEADER_BYTES, parseNpyHeader, readElements } from './npy.ts'

export interface MatrixFiles {
  readonly name: string
  /** Little-endian 32-bit floats, row after row; or a NumPy array file. */
  readonly matrix: string
  readonly format: 'f32' | 'npy'
  readonly labels: string
  /** Columns of the labels that name the subject and the group. */
  readonly columns: LabelColumns
  /** For `.f32`; when absent it follows from the size of the file and the number of labels. */
  readonly dimensions: number | undefined
}

interface Shape {
  readonly element: ElementType
  readonly rows: number
  readonly dimensions: number
  readonly offsetBytes: number
}

const BLOCK_BYTES = 1 << 20

/** Opens both files, checks that they fit, and closes them again. */
export async function openMatrix(files: MatrixFiles): Promise<Dataset> {
  const labels = await countLabels(files.labels, files.columns)
  const shape = await readShape(files, labels)
  if (labels !== shape.rows) {
    throw new DatasetError('ERR_DATASET_LENGTH', 'there are not as many labels as vectors', {
      file: basename(files.labels),
    })
  }
  return {
    name: files.name,
    dimensions: shape.dimensions,
    rows: shape.rows,
    synthetic: false,
    read: (options = {}) => readMatrix(files, shape, options),
  }
}

async function readShape(files: MatrixFiles, labels: number): Promise<Shape> {
  const place = { file: basename(files.matrix) }
  const { handle, sizeBytes } = await openFile(files.matrix)
  try {
    if (files.format === 'f32') {
      const dimensions = checkDimensions(files.dimensions ?? sizeBytes / (4 * labels), place)
      return checkSize(
        { element: 'f4', rows: sizeBytes / (4 * dimensions), dimensions, offsetBytes: 0 },
        sizeBytes,
      )
    }
    const head = new Uint8Array(NPY_HEADER_BYTES)
    const { bytesRead } = await handle.read(head, 0, head.length, 0)
    const header = parseNpyHeader(head.subarray(0, bytesRead), place)
    wipe(head)
    checkDimensions(header.dimensions, place)
    return checkSize(header, sizeBytes)
  } finally {
    await handle.close()
  }

  function checkSize(shape: Shape, expectedBytes: number): Shape {
    const bytes = shape.offsetBytes + shape.rows * shape.dimensions * elementBytes(shape.element)
    if (Number.isInteger(shape.rows) && bytes === expectedBytes) return shape
    throw new DatasetError('ERR_DATASET_LENGTH', 'the size of the file is not a whole number of rows', place)
  }
}

async function* readMatrix(
  files: MatrixFiles,
  shape: Shape,
  options: ReadOptions,
): AsyncGenerator<LabelledVector> {
  const from = checkFrom(options)
  const file = basename(files.matrix)
  const rowBytes = shape.dimensions * elementBytes(shape.element)
  const blockRows = Math.max(1, Math.floor(BLOCK_BYTES / rowBytes))
  const block = new Uint8Array(new ArrayBuffer(blockRows * rowBytes))
  const view = new DataView(block.buffer)
  const { handle } = await openFile(files.matrix)
  let row = 0
  let blockStart = 0
  let blockEnd = 0
  try {
    for await (const { subject, group } of readLabels(files.labels, files.columns, options.signal)) {
      if (row >= from) {
        if (row >= blockEnd) {
          const { bytesRead } = await handle.read(block, 0, block.length, shape.offsetBytes + row * rowBytes)
          blockStart = row
          blockEnd = row + Math.floor(bytesRead / rowBytes)
          if (blockEnd === row)
            throw new DatasetError('ERR_DATASET_LENGTH', 'the file ends here', { file, row })
        }
        const vector = readElements(view, (row - blockStart) * rowBytes, shape.dimensions, shape.element)
        checkFinite(vector, { file, row })
        yield { row, subject, ...(group !== undefined && { group }), vector }
      }
      row++
    }
  } finally {
    wipe(block)
    await handle.close()
  }
}
