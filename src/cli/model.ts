/** The model that a command works with: its id, and its mean from a file. @module */
/// <reference types="node" />

import { readFileSync } from 'node:fs'
import { EmbeddingError } from '../embedding/errors.ts'
import { readVector } from '../embedding/input.ts'
import type { Model } from '../embedding/model.ts'
import { MODEL_ID } from '../policy/operating-point.ts'
import { UsageError } from './io.ts'

/** What `--mean` takes. */
export const meanUsage = "--mean FILE        the model's mean: .npy or little-endian 32-bit floats"

/** What `--model` gives, or the name of the data set, version 1, with dashes for what an id does not hold. */
export function modelIdOf(given: string | undefined, name: string): string {
  if (given === undefined) {
    const word = name.toLowerCase().replaceAll(/[^a-z0-9._-]+/g, '-')
    return `${word.replace(/^[._-]+/, '').slice(0, 63) || 'measured'}@1`
  }
  if (MODEL_ID.test(given)) return given
  throw new UsageError('--model is NAME@VERSION in lower-case letters, digits, dots, dashes and underscores')
}

/** A mean is read as a vector of the model is: same formats, same checks. */
export function readModel(id: string, dimensions: number, meanFile: string | undefined): Model {
  const model: Model = { id, dimensions, metric: 'cosine' }
  if (meanFile === undefined) return model
  const bytes = new Uint8Array(readFileSync(meanFile))
  try {
    const mean = readVector(meanFile.endsWith('.npy') ? { npy: bytes } : { f32le: bytes }, dimensions)
    return { ...model, mean: Float32Array.from(mean) }
  } catch (error) {
    // It speaks of a vector, and there are many.
    if (error instanceof EmbeddingError) throw new EmbeddingError(error.code, `--mean: ${error.message}`)
    throw error
  }
}
