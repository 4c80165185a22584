import { expect, test } from 'vitest'
import { codeOnly, importsOf, lineAt, plant, readTree } from './tree.ts'

test('the tree holds the project', () => {
  const tree = readTree()
  expect([...tree.keys()]).toEqual(
    expect.arrayContaining([
      'SPEC.md',
      'README.md',
      'SECURITY.md',
      'CHANGELOG.md',
      'package.json',
      'test/tidy/tree.ts',
      'src/index.ts',
      'src/cli/main.ts',
    ]),
  )
  expect([...tree.keys()].some((path) => path.includes('node_modules'))).toBe(false)
})

test.each([
  [`a // b`, `a     `],
  [`a /* b */ c`, `a         c`],
  [`'a//b' + c`, `'    ' + c`],
  ['`a${b /* x */ + `c`}d` + e', '` ${b         + ` `} ` + e'],
  [`a = /['"]/g.test(b) // c`, `a = /    /g.test(b)     `],
  [`a / b / c 'x'`, `a / b / c ' '`],
  [`'a\\'b' c`, `'    ' c`],
  [`return /x/ + 'y'`, `return / / + ' '`],
  [`/* never closed`, `               `],
])('code of %j', (text, code) => {
  expect(codeOnly(text)).toBe(code)
})

test('strings can stay', () => {
  expect(codeOnly(`f('a') // b`, false)).toBe(`f('a')     `)
})

test('lines are counted from one', () => {
  expect([0, 1, 2, 3].map((index) => lineAt('a\nb\n', index))).toEqual([1, 1, 2, 2])
})

test('imports of every form are seen', () => {
  const text = [
    `import a from 'one'`,
    `import type { B } from "two"`,
    `import * as c from '../base/three.ts'`,
    `import 'four'`,
    `export { d } from './five.ts'`,
    `export type * from './six.ts'`,
    `import e, { f } from 'seven'`,
    `const g = require('eight')`,
    `const h = import('nine')`,
    `const i = process.getBuiltinModule?.('ten')`,
    `const j = 'import k from "eleven"'`,
  ].join('\n')
  const found = importsOf(plant({ 'src/seal/a.ts': text }), 'src/seal/a.ts')
  expect(new Set(found.map(({ to, path }) => path ?? to))).toEqual(
    new Set([
      'one',
      'two',
      'src/base/three.ts',
      'four',
      'src/seal/five.ts',
      'src/seal/six.ts',
      'seven',
      'eight',
      'nine',
      'ten',
      'eleven',
    ]),
  )
})
