import { describe, expect, test } from 'vitest'
import {
  circleFaults,
  deadFaults,
  entryFaults,
  FILE_LINES,
  FUNCTION_LINES,
  fileLengthFaults,
  floorFaults,
  functionLengthFaults,
  longFunctions,
} from './floors.ts'
import { plant, readTree } from './tree.ts'

const tree = readTree()

describe('floors', () => {
  test('the project imports downwards only', () => {
    expect(floorFaults(tree)).toEqual([])
  })

  test('an upward import, a sideways one and one of an entry are found', () => {
    const planted = plant({
      'src/index.ts': `export { a } from './base/a.ts'`,
      'src/base/a.ts': `import type { S } from '../seal/s.ts'\nexport const a: S = 1`,
      'src/seal/s.ts': `import { c } from '../compare/c.ts'\nexport type S = typeof c`,
      'src/compare/c.ts': `import { a } from '../index.ts'\nexport const c = a`,
    })
    expect(floorFaults(planted)).toEqual([
      'src/base/a.ts (floor 0): imports src/seal/s.ts (floor 5)',
      'src/compare/c.ts: imports the entry src/index.ts',
      'src/seal/s.ts (floor 5): imports src/compare/c.ts (floor 5)',
    ])
  })

  test('a dynamic import, a type import and an import over several lines count', () => {
    const planted = plant({
      'src/base/a.ts': `const a = await import('../vault/v.ts')\ntype V = import('../vault/v.ts').V`,
      'src/base/b.ts': `import {\n  type V,\n  // '../base/no.ts'\n  v,\n} from '../vault/v.ts'`,
      'src/vault/v.ts': `import '../base/a.ts'`,
    })
    expect(floorFaults(planted)).toHaveLength(3)
  })

  test('a folder without a floor, a stranger beside the entries and a missing file are found', () => {
    const planted = plant({
      'src/helpers/x.ts': '',
      'src/utils.ts': '',
      'src/vault/v.ts': `import { x } from '../base/gone.ts'`,
    })
    expect(floorFaults(planted)).toEqual([
      'src/helpers/x.ts: folder helpers has no floor',
      'src/utils.ts: not an entry of the package',
      'src/vault/v.ts: imports ../base/gone.ts, which does not exist',
    ])
  })
})

describe('circles', () => {
  test('the project has none', () => {
    expect(circleFaults(tree)).toEqual([])
  })

  test('a circle in one folder is found', () => {
    const planted = plant({
      'src/seal/a.ts': `import { b } from './b.ts'`,
      'src/seal/b.ts': `import { c } from './c.ts'`,
      'src/seal/c.ts': `import type { A } from './a.ts'`,
    })
    expect(circleFaults(planted)).toEqual(['src/seal/a.ts → src/seal/b.ts → src/seal/c.ts → src/seal/a.ts'])
  })
})

describe('entries', () => {
  test('re-exports stand in the entries and nothing else does', () => {
    expect(entryFaults(tree)).toEqual([])
  })

  test('an inner index, an inner re-export, a default export and code in an entry are found', () => {
    const planted = plant({
      'src/index.ts': `/** x */\nexport { a } from './base/a.ts'\nexport type { B } from "./base/a.ts";\n`,
      'src/node.ts': `export { a } from './base/a.ts'\nconst b = 1`,
      'src/lmdb.ts': `export * from './base/a.ts'`,
      'src/base/index.ts': '',
      'src/base/a.ts': `export { b } from './b.ts'`,
      'src/base/b.ts': 'export default 1',
    })
    expect(entryFaults(planted)).toEqual([
      'src/base/a.ts: re-export outside an entry',
      'src/base/b.ts: default export',
      'src/base/index.ts: inner index file',
      'src/lmdb.ts: names what it exports, one by one',
      'src/node.ts: an entry only re-exports',
    ])
  })
})

describe('dead files', () => {
  test('every file is reached from an entry or the command', () => {
    expect(deadFaults(tree)).toEqual([])
  })

  test('a dead file and a missing entry are found', () => {
    const planted = plant({
      'src/index.ts': `export { a } from './base/a.ts'`,
      'src/base/a.ts': '',
      'src/base/dead.ts': `import './a.ts'`,
    })
    expect(deadFaults(planted)).toContain('src/base/dead.ts: reached from no entry')
    expect(deadFaults(planted)).toContain('src/cli/main.ts: missing')
    expect(deadFaults(planted)).not.toContain('src/base/a.ts: reached from no entry')
  })
})

describe('lengths', () => {
  test('files are short', () => {
    expect(fileLengthFaults(tree)).toEqual([])
  })

  test('functions are short', () => {
    expect(functionLengthFaults(tree)).toEqual([])
  })

  test('a long file is found, a generated one is not', () => {
    const lines = (count: number) => 'const a = 1\n'.repeat(count)
    const planted = plant({
      'src/base/a.ts': lines(FILE_LINES + 1),
      'test/b.ts': lines(FILE_LINES + 1),
      'src/base/c.ts': lines(FILE_LINES),
      'src/base/d.generated.ts': lines(FILE_LINES + 1),
    })
    expect(fileLengthFaults(planted)).toEqual(['src/base/a.ts: 401 lines', 'test/b.ts: 401 lines'])
  })

  const body = '  call()\n'.repeat(FUNCTION_LINES - 1)
  test.each([
    ['function', `export async function f(\n): Promise<{ readonly a: string }> {\n${body}}`],
    ['arrow', `const a = 1\n\nconst f = (a: number): void => {\n${body}}`],
    ['method', `class A {\n  #x = 1\n\n  async *run<T>(a: T): AsyncIterable<T> {\n${body}  }\n}`],
    ['callback', `run(1, () => {\n${body}})`],
    ['getter in a literal', `const o = {\n  a: 1,\n  get b() {\n${body}  },\n}`],
    ['branching body', `function f() {\n  if (a) {\n${body}  } else {\n  }\n}`],
  ])('a long %s is found once', (_, code) => {
    expect(longFunctions(code)).toHaveLength(1)
  })

  test.each([
    ['class', `export class A extends B {\n${'  a(): void {}\n'.repeat(FUNCTION_LINES)}}`],
    ['interface', `export interface A {\n${'  a: string\n'.repeat(FUNCTION_LINES)}}`],
    ['table', `export const t: Record<string, number> = {\n${'  a: 1,\n'.repeat(FUNCTION_LINES)}}`],
    ['frozen table', `export const t = Object.freeze({\n${'  a: 1,\n'.repeat(FUNCTION_LINES)}})`],
    ['text', `export const t = \`\nfunction f() {\n${body}}\n\``],
    ['short function after a long class', `class A {\n${'  a = 1\n'.repeat(80)}}\n\nfunction f(): void {\n}`],
    ['function at the limit', `function f() {\n${'  a()\n'.repeat(FUNCTION_LINES - 2)}}`],
  ])('a long %s is no long function', (_, code) => {
    expect(longFunctions(code)).toEqual([])
  })
})
