import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { ENTRIES } from './floors.ts'
import { lockFaults, manifestFaults } from './package.ts'
import { root } from './tree.ts'

const dependencies = {
  '@noble/curves': '1.0.0',
  '@noble/hashes': '1.0.0',
  cborg: '1.0.0',
  hpke: '1.1.7',
  'libsodium-wrappers': '1.0.0',
}
const clean = {
  exports: {
    '.': { types: './dist/index.d.ts', default: './dist/index.js' },
    './node': { types: './dist/node.d.ts', default: './dist/node.js' },
    './package.json': './package.json',
  },
  dependencies,
  peerDependencies: { lmdb: '1.0.0' },
  peerDependenciesMeta: { lmdb: { optional: true } },
}
const entries = ['src/index.ts', 'src/node.ts']

describe('package.json', () => {
  test('exports every entry and depends on what it may', () => {
    expect(manifestFaults(readFileSync(`${root}package.json`, 'utf8'), ENTRIES)).toEqual([])
  })

  test('a clean one has no fault', () => {
    expect(manifestFaults(JSON.stringify(clean), entries)).toEqual([])
  })

  test.each<[string, object, string]>([
    ['a fifth dependency', { dependencies: { ...dependencies, lodash: '1.0.0' } }, 'runtime dependencies'],
    ['a range', { dependencies: { ...dependencies, cborg: '^1.0.0' } }, 'no exact version'],
    ['a range for development', { devDependencies: { vitest: 'latest' } }, 'no exact version'],
    ['a folder for users', { dependencies: { ...dependencies, hpke: 'file:test/hpke' } }, 'no exact version'],
    ['a folder elsewhere', { devDependencies: { own: 'file:../own' } }, 'no exact version'],
    ['a required peer', { peerDependenciesMeta: {} }, 'a peer is optional'],
    ['an install script', { scripts: { postinstall: 'x' } }, 'machine of a user'],
    ['a missing export', { exports: { '.': clean.exports['.'] } }, 'exports ./node'],
    ['an extra export', { exports: { ...clean.exports, './deep': './dist/deep.js' } }, 'no entry in src'],
    [
      'types behind the code',
      { exports: { ...clean.exports, '.': { default: './dist/index.js', types: './dist/index.d.ts' } } },
      'exports .:',
    ],
  ])('%s is found', (_, change, fault) => {
    expect(manifestFaults(JSON.stringify({ ...clean, ...change }), entries).join('\n')).toContain(fault)
  })
})

describe('package-lock.json', () => {
  test('is complete and tied to no registry', () => {
    expect(lockFaults(readFileSync(`${root}package-lock.json`, 'utf8'))).toEqual([])
  })

  test('a missing platform and an address are found', () => {
    const packages = {
      'node_modules/a': { optionalDependencies: { '@a/linux': '1.0.0', '@a/darwin': '1.0.0' } },
      'node_modules/@a/linux': { resolved: 'https://registry.example/a.tgz' },
    }
    expect(lockFaults(JSON.stringify({ packages }))).toEqual([
      'node_modules/a: @a/darwin is not in the lock file',
      'node_modules/@a/linux: comes from https://registry.example/a.tgz',
    ])
  })
})

describe('docs/services', () => {
  test('pins its frameworks, is no package of ours, and is tied to no registry', () => {
    const json = readFileSync(`${root}docs/services/package.json`, 'utf8')
    expect(manifestFaults(json, []).filter((fault) => !fault.startsWith('runtime dependencies'))).toEqual([])
    expect(json).toContain('"private": true')
    expect(lockFaults(readFileSync(`${root}docs/services/package-lock.json`, 'utf8'))).toEqual([])
  })
})
