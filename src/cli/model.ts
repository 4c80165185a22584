/** The model that a command works with: its id, and its mean from a file. @module */
/// <reference types="node" />

import { readFileSync } from 'node:fs'
import { readVector } from '../embedding/input.ts'
import type { Model } from '../embedding/model.ts'

/** What `--mean` takes. */
export const meanUsage = "--mean FILE        the model's mean: .npy or little-endian 32-bit floats"

/** A mean is read as a vector of the model is: same formats, same checks. */
export function readModel(id: string, dimensions: number, meanFile: string | undefined): Model {
  const model: Model = { id, dimensions, metric: 'cosine' }
  if (meanFile === undefined) return model
  const bytes = new Uint8Array(readFileSync(meanFile))
  const mean = readVector(meanFile.endsWith('.npy') ? { npy: bytes } : { f32le: bytes }, dimensions)
  return { ...model, mean: Float32Array.from(mean) }
}
