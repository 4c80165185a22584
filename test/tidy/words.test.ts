import { existsSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { plant, readTree, root } from './tree.ts'
import { errorFaults, linkFaults, promisedCodeFaults, tracingFaults } from './words.ts'

const tree = readTree()

describe('errors', () => {
  const home = `export type Code = 'ERR_SEAL_OPEN'\nexport class SealError extends GuiseError {}`
  const use = `throw new SealError('ERR_SEAL_OPEN', 'x')`

  test('codes carry the name of their folder, are listed once, and are used', () => {
    expect(errorFaults(tree)).toEqual([])
  })

  test('a clean folder has no fault', () => {
    expect(errorFaults(plant({ 'src/seal/errors.ts': home, 'src/seal/a.ts': use }))).toEqual([])
  })

  test.each<[string, Record<string, string>, string]>([
    [
      'a foreign prefix',
      {
        'src/seal/errors.ts': home.replace('SEAL_OPEN', 'KEYS_OPEN'),
        'src/seal/a.ts': use.replace('SEAL_OPEN', 'KEYS_OPEN'),
      },
      'does not start with ERR_SEAL_',
    ],
    [
      'an unlisted code',
      { 'src/seal/errors.ts': home, 'src/seal/a.ts': `${use}\nthrow new SealError('ERR_SEAL_NEW', 'x')` },
      'ERR_SEAL_NEW is listed nowhere',
    ],
    ['an unused code', { 'src/seal/errors.ts': home, 'src/seal/a.ts': '' }, 'ERR_SEAL_OPEN is never used'],
    [
      'a code used in a comment only',
      { 'src/seal/errors.ts': home, 'src/seal/a.ts': `// 'ERR_SEAL_OPEN'` },
      'is never used',
    ],
    ['a folder that throws without errors.ts', { 'src/seal/a.ts': 'throw new KeysError()' }, '0 classes'],
    [
      'two classes',
      { 'src/seal/errors.ts': `${home}\nclass OtherError extends GuiseError {}`, 'src/seal/a.ts': use },
      '2 classes',
    ],
    [
      'a class elsewhere',
      { 'src/seal/errors.ts': home, 'src/seal/a.ts': `${use}\nclass X extends SealError {}` },
      'outside errors.ts',
    ],
    [
      'a plain error',
      { 'src/seal/errors.ts': home, 'src/seal/a.ts': `${use}\nthrow new TypeError('x')` },
      'errors are typed',
    ],
    [
      'a code listed twice',
      { 'src/seal/errors.ts': home, 'src/seal/a.ts': use, 'src/keys/errors.ts': home },
      'is listed in',
    ],
  ])('%s is found', (_, files, fault) => {
    expect(errorFaults(plant(files)).join('\n')).toContain(fault)
  })
})

describe('promised codes', () => {
  test('every code that a text names exists', () => {
    expect(promisedCodeFaults(tree)).toEqual([])
  })

  test('a code that does not exist is found, a family is left alone', () => {
    const planted = plant({
      'src/seal/errors.ts': `type Code = 'ERR_SEAL_OPEN'`,
      'SPEC.md': '`ERR_SEAL_OPEN` `ERR_SEAL_*` ERR_SEAL_SHUT, ERR_SEAL_SHUT',
    })
    expect(promisedCodeFaults(planted)).toEqual(['SPEC.md: ERR_SEAL_SHUT is listed nowhere in src'])
  })
})

describe('tracing', () => {
  const spec = '**[SEAL-1]** A sealer MUST seal.\n\n## Appendix C. Requirement index\n\nSEAL-1 · §8\n'
  const spectest = `test('SEAL-1 seals', () => {})`
  const clean = { 'SPEC.md': spec, 'test/spec/seal.test.ts': spectest }

  test('every requirement has its test and every such test its requirement', () => {
    expect(tracingFaults(tree)).toEqual([])
  })

  test('a clean project has no fault', () => {
    expect(tracingFaults(plant(clean))).toEqual([])
  })

  test.each<[string, Record<string, string>]>([
    ['it', { 'test/spec/seal.test.ts': `it("SEAL-1: seals", f)` }],
    ['a table', { 'test/spec/seal.test.ts': `test.each([\n  [1],\n])('SEAL-1 seals %d', f)` }],
    ['a property', { 'test/spec/seal.test.ts': '', 'test/property/a.test.ts': 'test(`SEAL-1 seals`, f)' }],
    ['several lines', { 'test/spec/seal.test.ts': `test(\n  'SEAL-1 seals',\n  f,\n)` }],
  ])('%s counts as a test', (_, files) => {
    expect(tracingFaults(plant({ ...clean, ...files }))).toEqual([])
  })

  test.each<[string, Record<string, string>, string]>([
    ['a requirement without a test', { 'test/spec/seal.test.ts': `test('seals', f)` }, 'SEAL-1 has no test'],
    ['a test in a comment', { 'test/spec/seal.test.ts': `// test('SEAL-1 seals', f)` }, 'SEAL-1 has no test'],
    [
      'an id that is a prefix of another',
      { 'test/spec/seal.test.ts': `test('SEAL-10 seals', f)` },
      'SEAL-1 has no test',
    ],
    [
      'a test outside test/',
      { 'test/spec/seal.test.ts': '', 'src/seal.test.ts': spectest },
      'SEAL-1 has no test',
    ],
    [
      'a test without a requirement',
      { 'test/a.test.ts': `test('SEAL-9 flies', f)` },
      'SEAL-9 is no requirement',
    ],
    ['a requirement defined twice', { 'SPEC.md': `**[SEAL-1]** again\n${spec}` }, 'SEAL-1 is defined twice'],
    [
      'a prefix that is no folder',
      { 'SPEC.md': spec.replaceAll('SEAL', 'WAX'), 'test/spec/seal.test.ts': `test('WAX-1', f)` },
      'wax is no folder',
    ],
    [
      'a retired requirement with a test',
      { 'SPEC.md': spec.replace('**[SEAL-1]**', '~~**[SEAL-1]**~~') },
      'is retired',
    ],
    ['an index with a gap', { 'SPEC.md': spec.replace('SEAL-1 ·', '') }, 'the index lacks SEAL-1'],
    ['an index with a stranger', { 'SPEC.md': `${spec}SEAL-7\n` }, 'names SEAL-7'],
    ['no index', { 'SPEC.md': '**[SEAL-1]** MUST' }, 'no requirement index'],
    ['no requirement', { 'SPEC.md': '# Specification' }, 'no requirement'],
  ])('%s is found', (_, files, fault) => {
    expect(tracingFaults(plant({ ...clean, ...files })).join('\n')).toContain(fault)
  })

  test('a chapter without its test file is found', () => {
    const elsewhere = { 'SPEC.md': spec, 'test/spec/sealing.test.ts': spectest }
    expect(tracingFaults(plant(elsewhere))).toEqual(['test/spec/seal.test.ts: missing'])
    expect(tracingFaults(plant({ 'SPEC.md': spec, 'test/spec/seal-open.test.ts': spectest }))).toEqual([])
  })

  test('a missing specification is found', () => {
    expect(tracingFaults(plant({}))).toEqual(['SPEC.md: missing'])
  })

  test('a retired requirement needs no test', () => {
    const retired = `~~**[SEAL-2]** gone~~\n${spec}SEAL-2 retired\n`
    expect(tracingFaults(plant({ ...clean, 'SPEC.md': retired }))).toEqual([])
  })
})

describe('links', () => {
  test('relative links lead somewhere', () => {
    expect(linkFaults(tree, (path) => existsSync(`${root}${path}`))).toEqual([])
  })

  test('a broken link is found, others are left alone', () => {
    const planted = plant({
      'docs/a.md': '[a](../SPEC.md#x) [b](gone.md) [c](https://example.org/) [d](#x)\n```\n[e](f.md)\n```\n',
    })
    expect(linkFaults(planted, (path) => path === 'docs/../SPEC.md')).toEqual([
      'docs/a.md: link to gone.md, which does not exist',
    ])
  })
})
