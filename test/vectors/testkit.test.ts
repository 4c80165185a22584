/** The testkit through the library and through the reference; planted errors in files are found (SPEC §4, §8, §9, §14, §16). @module */
import { beforeAll, describe, expect, test } from 'vitest'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { kitFiles } from '../reference/testkit/all.ts'
import { CLASSES, type KitFile, parse, print } from '../reference/testkit/file.ts'
import { readWithReference } from '../reference/testkit/read.ts'
import { faultsOf, type Reader } from './testkit.ts'
import { readWithLibrary } from './testkit-library.ts'

declare global {
  interface ImportMeta {
    /** Of the bundler: the texts of files, in Node and in browsers. */
    glob(
      pattern: string,
      options: { readonly query: '?raw'; readonly import: 'default'; readonly eager: true },
    ): Readonly<Record<string, string>>
  }
}

const texts = new Map(
  Object.entries(import.meta.glob('./testkit/*.txt', { query: '?raw', import: 'default', eager: true })).map(
    ([path, text]) => [path.slice('./testkit/'.length, -'.txt'.length), text] as const,
  ),
)
const files: ReadonlyMap<string, KitFile> = new Map(
  [...texts].map(([name, text]) => [name, parse(name, text)] as const),
)
const [readme = ''] = Object.values(
  import.meta.glob('./testkit/README.md', { query: '?raw', import: 'default', eager: true }),
)

beforeAll(cryptoReady)

const readers: Readonly<Record<string, readonly [read: Reader, exact: boolean]>> = {
  library: [readWithLibrary, true],
  reference: [readWithReference, false],
}

describe.each(Object.keys(readers))('%s', (name) => {
  const [read, exact] = readers[name] as readonly [Reader, boolean]

  test.each([...files.values()])('$name', async (file) => {
    expect(await faultsOf(file, read, files, exact)).toEqual([])
  })

  const victim = (file: string): KitFile => files.get(file) as KitFile

  test.each<[string, KitFile, string]>([
    [
      'another class',
      { ...victim('state-row-tag-flipped'), expect: 'format', code: 'ERR_RECORD_FORMAT' },
      'mac instead of format',
    ],
    [
      'a fault that is none',
      { ...victim('state-row-tag-flipped'), payload: victim('state-row-active').payload },
      'success instead of mac',
    ],
    [
      'a success that is none',
      { ...victim('state-row-active'), payload: new Uint8Array(40) },
      'instead of success',
    ],
    ['another result', { ...victim('sealed-32-bytes'), result: '00' }, 'another result'],
    ['no origin', { ...victim('state-row-tag-flipped'), from: 'nothing' }, 'derives from no file'],
    [
      'an origin that is a fault',
      { ...victim('state-row-tag-flipped'), from: 'state-row-tag-of-zeros' },
      'does not read',
    ],
    [
      'two faults',
      { ...victim('state-row-tag-flipped'), inputs: { ...victim('state-row-active').inputs, realm: 'x' } },
      '2 differences',
    ],
  ])('finds %s', async (_, file, fault) => {
    expect((await faultsOf(file, read, files, exact)).join('; ')).toContain(fault)
  })
})

test('another code of the same class is found', async () => {
  const file = { ...(files.get('epoch-use-retired') as KitFile), code: 'ERR_KEYS_DISABLED' }
  expect(await faultsOf(file, readWithLibrary, files, true)).toEqual([
    'ERR_KEYS_RETIRED instead of ERR_KEYS_DISABLED',
  ])
})

describe('the files', () => {
  test('are those that the reference makes', () => {
    const made = new Map(kitFiles().map((file) => [file.name, print(file)] as const))
    expect([...texts.keys()].sort()).toEqual([...made.keys()].sort())
    for (const [name, text] of made) expect(texts.get(name) === text, name).toBe(true)
  })

  test('have every class, and read back as they were made', () => {
    const classes = new Set([...files.values()].map(({ expect: outcome }) => outcome))
    expect([...classes].sort()).toEqual(Object.keys(CLASSES).sort())
    const codes = new Set([...files.values()].map(({ code }) => code))
    for (const code of Object.values(CLASSES).flat()) expect(codes, code).toContain(code)
    for (const [name, file] of files) expect(print(file)).toBe(texts.get(name))
    expect(files.size).toBeGreaterThanOrEqual(500)
  })

  test.each([
    '',
    'guise-testkit: 2\nkind: a\nexpect: success\ncomment: b\n\n',
    'kind: a\n\n',
    'guise-testkit: 1\nkind: a\nkind: b\n\n',
  ])('a text of another form is refused: %j', (text) => {
    expect(() => parse('x', text)).toThrow(RangeError)
  })

  test('the text names every class with its codes, and every kind with its inputs', () => {
    for (const [name, codes] of Object.entries(CLASSES)) {
      const row = readme.split('\n').find((line) => line.startsWith(`| \`${name}\` |`))
      expect(row, name).toBeDefined()
      expect(row?.match(/ERR_[A-Z_]+/g) ?? [], name).toEqual(codes)
    }
    for (const { kind, inputs } of files.values()) {
      const row = readme.split('\n').find((line) => line.startsWith(`| \`${kind}\` |`))
      expect(row, kind).toBeDefined()
      for (const name of Object.keys(inputs)) expect(row, `${kind}: ${name}`).toContain(`\`${name}\``)
    }
  })
})
