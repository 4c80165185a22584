/** Writes the vector files from the reference: `npm run vectors`. @module */
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { auditVectors } from '../reference/vectors/audit.ts'
import { captureVectors } from '../reference/vectors/capture.ts'
import { cborVectors } from '../reference/vectors/cbor.ts'
import { embeddingVectors } from '../reference/vectors/embedding.ts'
import { print, type VectorFile } from '../reference/vectors/file.ts'
import { galleryVectors } from '../reference/vectors/gallery.ts'
import { identifierVectors } from '../reference/vectors/identifiers.ts'
import { keyVectors } from '../reference/vectors/keys.ts'
import { operationVectors, receiptVectors } from '../reference/vectors/lifecycle.ts'
import { quorumVectors } from '../reference/vectors/quorum.ts'
import { recordVectors } from '../reference/vectors/record.ts'
import { sealVectors } from '../reference/vectors/seal.ts'
import { transformVectors } from '../reference/vectors/transform.ts'

const FILES: Readonly<Record<string, () => VectorFile>> = {
  identifiers: identifierVectors,
  cbor: cborVectors,
  embedding: embeddingVectors,
  transform: transformVectors,
  keys: keyVectors,
  seal: sealVectors,
  record: recordVectors,
  receipt: receiptVectors,
  operations: operationVectors,
  audit: auditVectors,
  gallery: galleryVectors,
  quorum: quorumVectors,
  capture: captureVectors,
}

let positive = 0
let negative = 0

test.each(Object.entries(FILES))('%s.json', (name, make) => {
  const file = make()
  positive += file.positive.length
  negative += file.negative.length
  writeFileSync(fileURLToPath(new URL(`${name}.json`, import.meta.url)), `${print(file)}\n`)
})

test('faults outnumber what is right', () => {
  process.stdout.write(`vectors: ${positive} positive, ${negative} negative\n`)
  expect(negative).toBeGreaterThan(positive)
})
