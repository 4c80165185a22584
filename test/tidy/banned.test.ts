import { describe, expect, test } from 'vitest'
import { browserFaults, callFaults, firstLineFaults, importFaults, wordFaults } from './banned.ts'
import { plant, readTree } from './tree.ts'

const tree = readTree()
/** A word in two parts, so that this file stays clean of it. */
const join = (...parts: string[]) => parts.join('')

describe('imports', () => {
  test('dependencies enter where they may', () => {
    expect(importFaults(tree)).toEqual([])
  })

  test.each([
    ['src/seal/a.ts', '@noble/hashes/sha2.js'],
    ['src/seal/a.ts', 'libsodium-wrappers'],
    ['src/base/bytes.ts', 'cborg'],
    ['src/store/memory.ts', 'lmdb'],
    ['src/vault/a.ts', 'node:fs'],
    ['src/keys/keyring.ts', 'node:fs'],
    ['src/cli/main.ts', 'commander'],
    ['src/base/a.ts', 'fs'],
  ])('%s may not import %s', (path, specifier) => {
    expect(importFaults(plant({ [path]: `import x from '${specifier}'` }))).toEqual([
      `${path}: may not import ${specifier}`,
    ])
    expect(importFaults(plant({ [path]: `const x = await import("${specifier}")` }))).toHaveLength(1)
  })

  test.each([
    ['src/crypto/a.ts', '@noble/hashes/sha2.js'],
    ['src/crypto/sodium.ts', 'libsodium-wrappers'],
    ['src/base/cbor.ts', 'cborg'],
    ['src/store/lmdb.ts', 'lmdb'],
    ['src/store/lmdb-probe.ts', 'node:fs'],
    ['src/keys/local.ts', 'node:fs'],
    ['src/dataset/files.ts', 'node:fs'],
    ['src/cli/main.ts', 'node:util'],
  ])('%s may import %s', (path, specifier) => {
    expect(importFaults(plant({ [path]: `import x from '${specifier}'` }))).toEqual([])
  })

  test('a comment is no import', () => {
    expect(importFaults(plant({ 'src/base/a.ts': `// import x from 'lmdb'\n/* import 'lmdb' */` }))).toEqual(
      [],
    )
  })

  test('browser entries reach no file that knows Node', () => {
    expect(browserFaults(tree)).toEqual([])
  })

  test('a browser entry that reaches Node is found', () => {
    const planted = plant({
      'src/index.ts': `export { a } from './vault/a.ts'`,
      'src/vault/a.ts': `import { l } from '../keys/local.ts'`,
      'src/keys/local.ts': `import { readFile } from 'node:fs'`,
      'src/keys/local-pure.ts': '',
      'src/holder.ts': `export { p } from './keys/local-pure.ts'`,
      'src/node.ts': `export { s } from './store/lmdb.ts'`,
      'src/store/lmdb.ts': `import { open } from 'lmdb'`,
    })
    expect(browserFaults(planted)).toEqual(['src/keys/local.ts: a browser entry reaches it'])
  })
})

describe('calls', () => {
  test('the project makes none of the banned calls', () => {
    expect(callFaults(tree)).toEqual([])
  })

  test.each([
    ['src/cli/main.ts', 'Math.random()'],
    ['src/transform/a.ts', 'Math.log(2)'],
    ['src/record/a.ts', 'Math . sin(2)'],
    ['src/base/a.ts', 'Math.tanh(2)'],
    ['src/compare/a.ts', 'Math.pow(2, x)'],
    ['src/compare/a.ts', 'const a = 2 ** x'],
    ['src/compare/a.ts', 'const a = x ** 2'],
    ['src/vault/a.ts', 'console.log(1)'],
    ['src/vault/a.ts', 'const t = Date.now()'],
    ['src/vault/a.ts', 'const t = new Date()'],
    ['src/cli/a.ts', 'performance.now()'],
    ['src/keys/a.ts', 'globalThis.crypto.getRandomValues(x)'],
    ['src/keys/a.ts', 'sodium.randombytes_buf(3)'],
    ['src/keys/a.ts', 'crypto.randomUUID()'],
    ['src/keys/a.ts', 'Buffer.from(x)'],
    ['src/vault/a.ts', 'process.env'],
    ['src/vault/a.ts', 'eval("1")'],
    ['src/vault/a.ts', 'const a = `${Math.random()}`'],
  ])('%s may not say %s', (path, code) => {
    expect(callFaults(plant({ [path]: `const a = 1\n${code}\n` }))).toEqual([
      expect.stringContaining(`${path}:2: `),
    ])
  })

  test.each([
    ['src/evaluate/a.ts', 'Math.log(2)'],
    ['src/transform/a.ts', 'Math.sqrt(2) + Math.floor(2) + Math.fround(2) + Math.imul(2, 3) + Math.clz32(4)'],
    ['src/transform/a.ts', 'const a = 2 ** 20 + 2 ** -20'],
    ['src/cli/main.ts', 'console.log(process.argv)'],
    ['src/base/clock.ts', 'Date.now() + performance.now()'],
    ['src/vault/a.ts', 'const t = new Date(0)'],
    ['src/crypto/random.ts', 'globalThis.crypto.getRandomValues(x)'],
    ['src/base/a.ts', 'new ArrayBuffer(8)'],
    ['src/base/a.ts', `// Math.random()\nconst a = 'Date.now()' /* eval( */`],
    ['src/base/a.ts', 'const a = /Math.random()/'],
  ])('%s may say %s', (path, code) => {
    expect(callFaults(plant({ [path]: code }))).toEqual([])
  })
})

describe('words', () => {
  test('the project has none of the banned words', () => {
    expect(wordFaults(tree)).toEqual([])
  })

  test.each([
    ['src/base/a.ts', join('// TO', 'DO: later')],
    ['bench/a.ts', join('// FIX', 'ME')],
    ['src/base/a.ts', join('const a = b as', ' any')],
    ['test/unit/a.test.ts', join('// @ts-', 'ignore')],
    ['test/unit/a.test.ts', join('test.sk', "ip('a')")],
    ['test/unit/a.test.ts', join('describe.on', "ly('a')")],
    ['test/unit/a.test.ts', join('test.to', "do('a')")],
    ['test/unit/a.test.ts', join('test.sk', "ipIf(process.env)('a')")],
    ['src/base/a.ts', join("throw 'Not ", "implemented'")],
    ['src/base/a.ts', join('// @ts-', 'expect-error')],
  ])('%s may not say %s', (path, text) => {
    expect(wordFaults(plant({ [path]: text }))).toHaveLength(1)
  })

  test('a type test may expect an error', () => {
    expect(wordFaults(plant({ 'test/types/a.ts': join('// @ts-', 'expect-error') }))).toEqual([])
  })
})

describe('first lines', () => {
  test('every file says what it is', () => {
    expect(firstLineFaults(tree)).toEqual([])
  })

  test.each([
    ['src/base/a.ts', `import './b.ts'\n`],
    ['src/base/a.ts', '/** @module */\n'],
    ['src/base/a.ts', '/**\n * Long. @module\n */\n'],
    ['src/base/a.ts', '/** Bytes. @module */\n/// <reference types="node" />\n'],
    ['src/cli/a.ts', `/** A. @module */\nimport 'node:fs'\n`],
    ['src/cli/a.ts', `/** A. @module */\nimport 'node:fs'\n/// <reference types="node" />\n`],
  ])('%s may not start %j', (path, text) => {
    expect(firstLineFaults(plant({ [path]: text }))).toHaveLength(1)
  })

  test.each([
    ['src/base/a.ts', '/** Bytes (SPEC §2). @module */\n'],
    [
      'src/cli/main.ts',
      `#!/usr/bin/env node\n/** A. @module */\n/// <reference types="node" />\nimport 'node:fs'\n`,
    ],
  ])('%s may start %j', (path, text) => {
    expect(firstLineFaults(plant({ [path]: text }))).toEqual([])
  })
})
