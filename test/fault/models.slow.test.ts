/**
 * Many people, many kills (VAULT-80, VAULT-84). GUISE_DATA: a folder with two sets of the same pseudonyms, of 128 and 256 dimensions, named by
 * GUISE_SETS (with a comma between); whoever has two images in both is moved, beside synthetic people. Without it all are synthetic.
 */
/// <reference types="node" />

import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Dataset } from '../../src/dataset/dataset.ts'
import { openDataset } from '../../src/dataset/open.ts'
import { calibrate } from '../../src/evaluate/calibrate.ts'
import { compile } from './compile.ts'
import { modelsLine, modelsTrial } from './models-suite.ts'
import { Faces, NEXT, OLD, syntheticFaces, THRESHOLDS, type Thresholds } from './models-world.ts'
import { VAULT_FOLDERS } from './vault-folders.ts'

const {
  GUISE_DATA: folder,
  GUISE_SETS: sets = 'lfw-mobilefacenet-128,lfw-mobileface-v2-256',
  GUISE_MODELS_PEOPLE: most = '10000',
  GUISE_MODELS_KILLS: kills = '10',
} = process.env
const PEOPLE = Number(most)
const KILLS = Number(kills)

interface Given {
  readonly real: number
  readonly floats: Float32Array
  readonly thresholds: Thresholds
}

/** The first two images of each subject in the order of the set. */
async function pairsOf(set: Dataset): Promise<ReadonlyMap<string, readonly Float32Array[]>> {
  const found = new Map<string, Float32Array[]>()
  for await (const { subject, vector } of set.read()) {
    const list = found.get(subject) ?? []
    if (list.length < 2) list.push(Float32Array.from(vector))
    found.set(subject, list)
  }
  return found
}

/** Real people under both models, and thresholds that their own sets give. */
async function realFaces(path: string): Promise<Given> {
  const [oldName = '', nextName = ''] = sets.split(',')
  const [oldSet, nextSet] = [await openDataset(join(path, oldName)), await openDataset(join(path, nextName))]
  const [old, next] = [await pairsOf(oldSet), await pairsOf(nextSet)]
  const parts: Float32Array[] = []
  for (const [subject, images] of old) {
    const others = next.get(subject) ?? []
    if (images.length === 2 && others.length === 2) parts.push(...images, ...others)
  }
  const floats = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    floats.set(part, at)
    at += part.length
  }
  const at4 = async (set: Dataset, model: typeof OLD, falseMatchRate: number): Promise<number> =>
    (await calibrate(set, { model, falseMatchRate })).operatingPoint.threshold
  const thresholds = {
    verify: await at4(oldSet, OLD, 1e-4),
    strict: await at4(oldSet, OLD, 1e-5),
    next: await at4(nextSet, NEXT, 1e-4),
  }
  return { real: parts.length / 4, floats, thresholds }
}

async function given(): Promise<Given> {
  if (folder === undefined) return { real: 0, floats: new Float32Array(0), thresholds: THRESHOLDS }
  return await realFaces(folder)
}

test(`VAULT-84 ${PEOPLE} people, ${KILLS} kills: no wrong answer, no mixed comparison, every record whole`, {
  timeout: 7_200_000,
}, async () => {
  const { real, floats, thresholds } = await given()
  const rest = syntheticFaces(Math.max(0, PEOPLE - real), 52_001)
  const all = new Float32Array(floats.length + rest.length)
  all.set(floats)
  all.set(rest, floats.length)
  const faces = new Faces(all)
  const { verify, strict, next } = thresholds
  console.info(
    `${real} real and ${faces.people - real} synthetic people; thresholds ${verify}, ${strict}, ${next}`,
  )
  const compiled = compile({ folders: VAULT_FOLDERS })
  const result = await modelsTrial({ compiled, faces, kills: KILLS, seed: 52_002, thresholds })
  console.info(modelsLine(result))
  const { wrong, mixed, torn, finish } = result
  expect({ wrong, mixed, torn }).toEqual({ wrong: [], mixed: [], torn: [] })
  expect(result.kills).toBe(KILLS)
  expect(finish.stage).toBe('finished')
  expect(finish.moved + finish.left).toBe(faces.people)
})
