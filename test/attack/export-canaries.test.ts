/** What is given to a person holds nothing of a face, of a key, of a row, or of anybody else (POLICY-53). @module */
import { exportSubject, subjectMarkdown } from 'guise/node'
import { expect, test } from 'vitest'
import { embedding, toIntegers } from '../../src/embedding/embedding.ts'
import { TABLES } from '../../src/store/store.ts'
import { comparisonsMarkdown } from '../../src/vault/subject-text.ts'
import { galleryVault } from '../support/gallery.ts'
import { rowsOf } from '../support/rows.ts'
import { basis, face, MODEL, SIGNER, sample } from '../support/vault.ts'
import { addEncodings, addName } from './memory-canaries.ts'
import { Pieces } from './memory-scan.ts'

const PEOPLE = 6
const WINDOW = 12
const ME = 'Äugusta.Canary-0@example.org'

/** Bytes as a text may hold them. */
function addBytes(pieces: Pieces, kind: string, bytes: Uint8Array): void {
  for (const [form, text] of [
    ['hexadecimal', Buffer.from(bytes).toString('hex')],
    ...[0, 1, 2].map((skipped) => [
      `base64 ${skipped}`,
      Buffer.from(bytes.slice(skipped)).toString('base64'),
    ]),
    ...[0, 1, 2].map((skipped) => [
      `base64url ${skipped}`,
      Buffer.from(bytes.slice(skipped)).toString('base64url'),
    ]),
    ['decimal', bytes.join(',')],
  ] as const)
    pieces.add(`${kind}, ${form}`, new TextEncoder().encode(text), WINDOW)
}

test('faces, keys, codes, wraps, names and other people are in none of the three forms; what is planted is found', async () => {
  const world = await galleryVault()
  const { vault, keyring, store } = world
  const provider = world.provider as unknown as { readonly keys: ReadonlyMap<string, Uint8Array> }
  const names = Array.from({ length: PEOPLE }, (_, person) => `Äugusta.Canary-${person}@example.org`)
  const others: string[] = []
  for (const [person, subject] of names.entries()) {
    const enrolled = await vault.enroll({ subject, basis: basis(), ...sample(person) })
    if (person > 0) others.push(enrolled.subject, enrolled.record)
    await vault.verify({ subject, ...sample(person, 1) }, { actor: 'gate-1' })
    await vault.verify({ subject, ...sample(person + 1, 1) })
  }
  await vault.identify({ limit: 6, ...sample(0, 2) })
  const pieces = new Pieces()
  for (const name of names) addName(pieces, name)
  for (let person = 0; person <= PEOPLE; person++) {
    for (const index of [0, 1, 2]) {
      const vector = face(person, index)
      addEncodings(pieces, vector, toIntegers(embedding(vector, MODEL)))
      addBytes(pieces, 'face', new Uint8Array(vector.slice().buffer))
    }
  }
  for (const key of provider.keys.values()) addBytes(pieces, 'key of the provider', key)
  for (const table of TABLES) {
    // Index rows are the pseudonyms; those of other people are looked for below.
    if (table === 'log' || table === 'queue' || table === 'states' || table === 'index') continue
    // Codes, wraps, tags: what a row ends with.
    for (const { bytes } of await rowsOf(store, table)) addBytes(pieces, `row of ${table}`, bytes.slice(-32))
  }
  for (const other of others) pieces.add('another person', new TextEncoder().encode(other), other.length)

  const told = await exportSubject({ keyring, store, logSigner: SIGNER, subject: ME })
  expect(told.comparisons.map(({ how }) => how)).toEqual(['verify', 'verify', 'search'])
  const forms = [JSON.stringify(told), subjectMarkdown(told), comparisonsMarkdown(told)]
  const search = (text: string): Readonly<Record<string, number>> => {
    const found = new Map<string, number>()
    pieces.countIn(new TextEncoder().encode(text), found)
    return Object.fromEntries(found)
  }
  for (const text of forms) expect(search(text)).toEqual({})
  for (const kind of pieces.kinds) {
    const planted = Buffer.concat([
      Buffer.from((forms[0] ?? '').slice(0, 50)),
      pieces.sample(kind),
      Buffer.from((forms[0] ?? '').slice(50)),
    ])
    const found = new Map<string, number>()
    pieces.countIn(Uint8Array.from(planted), found)
    expect([kind, (found.get(kind) ?? 0) > 0]).toEqual([kind, true])
  }
  // A number between 0 and 1 would be a score, whatever it is called.
  const numbers: number[] = []
  JSON.stringify(told, (_, value: unknown) => {
    if (typeof value === 'number') numbers.push(value)
    return value
  })
  expect(numbers.length).toBeGreaterThan(2)
  expect(numbers.every((number) => Number.isSafeInteger(number))).toBe(true)
})
