/** What every vector file says of itself, and that faults outnumber what is right. @module */
import { expect, test } from 'vitest'
import audit from './audit.json' with { type: 'json' }
import capture from './capture.json' with { type: 'json' }
import cbor from './cbor.json' with { type: 'json' }
import embedding from './embedding.json' with { type: 'json' }
import gallery from './gallery.json' with { type: 'json' }
import identifiers from './identifiers.json' with { type: 'json' }
import keys from './keys.json' with { type: 'json' }
import operations from './operations.json' with { type: 'json' }
import quorum from './quorum.json' with { type: 'json' }
import receipt from './receipt.json' with { type: 'json' }
import record from './record.json' with { type: 'json' }
import seal from './seal.json' with { type: 'json' }
import transform from './transform.json' with { type: 'json' }

const files = {
  audit,
  capture,
  cbor,
  embedding,
  gallery,
  identifiers,
  keys,
  operations,
  quorum,
  receipt,
  record,
  seal,
  transform,
}

test.each(Object.entries(files))('%s.json names source, generator, licence and version', (_, file) => {
  expect(file.source).toMatch(/^SPEC\.md, /)
  expect(file.generator).toContain('npm run vectors')
  expect([file.licence, file.specification]).toEqual(['Apache-2.0', '1'])
  expect(file.about.length).toBeGreaterThan(0)
  for (const list of [file.positive, file.negative]) {
    expect(list.length).toBeGreaterThan(0)
    expect(new Set(list.map(({ name }) => name)).size).toBe(list.length)
  }
})

test('faults outnumber what is right', () => {
  const count = (list: 'positive' | 'negative'): number =>
    Object.values(files).reduce((sum, file) => sum + file[list].length, 0)
  expect(count('negative')).toBeGreaterThan(2 * count('positive'))
})
