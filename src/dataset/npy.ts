/** The header of a NumPy array file, format versions 1 to 3 (NEP 1). @module */

import { float16 } from '../embedding/float16.ts'
import type { DatasetPlace } from './errors.ts'
import { DatasetError } from './errors.ts'

/** How one element is kept in a matrix file. */
export type ElementType = 'f2' | 'f4' | 'f8'

export interface NpyHeader {
  readonly element: ElementType
  readonly rows: number
  readonly dimensions: number
  /** Where the elements begin. */
  readonly offsetBytes: number
}

/** Enough for every header that NumPy writes for a matrix. */
export const NPY_HEADER_BYTES = 4096

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]
const DESCRIPTION =
  /^\{'descr': '<(f[248])', 'fortran_order': (True|False), 'shape': \((\d{1,15}), (\d{1,15})\), ?\} *\n?$/

/** Reads the header from the first bytes of a file: little-endian floats, two dimensions, C order; no other. */
export function parseNpyHeader(bytes: Uint8Array, place: DatasetPlace): NpyHeader {
  if (bytes.length < 12 || MAGIC.some((byte, i) => bytes[i] !== byte)) {
    throw new DatasetError('ERR_DATASET_FORMAT', 'this is not a NumPy array file', place)
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const version = view.getUint8(6)
  if (version < 1 || version > 3) {
    throw new DatasetError('ERR_DATASET_FORMAT', 'this version of NumPy array files is not known', place)
  }
  const start = version === 1 ? 10 : 12
  const offsetBytes = start + (version === 1 ? view.getUint16(8, true) : view.getUint32(8, true))
  if (offsetBytes > bytes.length) {
    throw new DatasetError('ERR_DATASET_FORMAT', 'the NumPy header is cut off or too long', place)
  }
  let text = ''
  for (let i = start; i < offsetBytes; i++) text += String.fromCharCode(view.getUint8(i))
  const [, element, fortran, rows, dimensions] = DESCRIPTION.exec(text) ?? []
  if (element === undefined || fortran === 'True') {
    throw new DatasetError(
      'ERR_DATASET_FORMAT',
      'the array must hold little-endian floats in two dimensions and C order',
      place,
    )
  }
  return { element: element as ElementType, rows: Number(rows), dimensions: Number(dimensions), offsetBytes }
}

/** Bytes of one element. */
export function elementBytes(element: ElementType): number {
  return element === 'f2' ? 2 : element === 'f4' ? 4 : 8
}

/** Reads `count` elements; a double is rounded to the nearest 32-bit float, a half is widened. */
export function readElements(
  view: DataView,
  offset: number,
  count: number,
  element: ElementType,
): Float32Array {
  const vector = new Float32Array(new ArrayBuffer(4 * count))
  if (element === 'f4') for (let i = 0; i < count; i++) vector[i] = view.getFloat32(offset + 4 * i, true)
  else if (element === 'f8') for (let i = 0; i < count; i++) vector[i] = view.getFloat64(offset + 8 * i, true)
  else for (let i = 0; i < count; i++) vector[i] = float16(view.getUint16(offset + 2 * i, true))
  return vector
}
