/** Rules of what may stand where: imports, calls, words, first lines. @module */
import { FLOORS, floorOf, folderOf, reachedFrom } from './floors.ts'
import { codeOnly, importsOf, lineAt, sources, type Tree, textOf } from './tree.ts'

interface ImportRule {
  readonly name: RegExp
  readonly allowed: RegExp
}

/** The files that know Node; everything else runs in a browser too. */
const NODE_FILES =
  /^src\/(?:store\/lmdb[^/]*\.ts|keys\/(?:local|pkcs11)[^/]*\.ts|audit\/file-anchor[^/]*\.ts|quorum\/(?:https|local)[^/]*\.ts|dataset\/|cli\/)/

/** A bare specifier that no rule names is a dependency that nobody decided on. */
const IMPORTS: readonly ImportRule[] = [
  { name: /^@noble\//, allowed: /^src\/crypto\// },
  { name: /^libsodium-wrappers$/, allowed: /^src\/crypto\// },
  { name: /^hpke$/, allowed: /^src\/crypto\/hpke\.ts$/ },
  { name: /^cborg(?:\/|$)/, allowed: /^src\/base\/cbor\.ts$/ },
  { name: /^lmdb$/, allowed: /^src\/store\/lmdb[^/]*\.ts$/ },
  { name: /^pkcs11js$/, allowed: /^src\/keys\/pkcs11[^/]*\.ts$/ },
  { name: /^d3-(?:scale|shape)$/, allowed: /^src\/report\// },
  { name: /^node:/, allowed: new RegExp(`${NODE_FILES.source}|^src/base/clock\\.ts$`) },
]

/** What a browser loads: nothing behind these may import a Node module. */
const BROWSER_ENTRIES = [
  'index',
  'holder',
  'capture',
  'evaluate',
  'audit',
  'quorum',
  'otel',
  'kms',
  'testing',
].map((name) => `src/${name}.ts`)

export function importFaults(tree: Tree): string[] {
  return sources(tree).flatMap((path) =>
    importsOf(tree, path)
      .filter(
        ({ to }) =>
          !to.startsWith('.') && !IMPORTS.some((rule) => rule.name.test(to) && rule.allowed.test(path)),
      )
      .map(({ to }) => `${path}: may not import ${to}`),
  )
}

export function browserFaults(tree: Tree): string[] {
  return [...reachedFrom(tree, BROWSER_ENTRIES)]
    .filter((path) => importsOf(tree, path).some(({ to }) => to.startsWith('node:') || to === 'lmdb'))
    .map((path) => `${path}: a browser entry reaches it`)
}

interface CallRule {
  readonly call: RegExp
  readonly why: string
  readonly allowed: (path: string) => boolean
}

const never = (): boolean => false
const only =
  (pattern: RegExp) =>
  (path: string): boolean =>
    pattern.test(path)
/** Above floor 6 nothing is bit-exact any more. */
const aboveRecord = (path: string): boolean => (floorOf(path) ?? 0) > (FLOORS.get('record') ?? 0)
const knowsNode = only(NODE_FILES)

const CALLS: readonly CallRule[] = [
  { call: /\bMath\s*\.\s*random\b/g, why: 'randomness comes from crypto/random.ts', allowed: never },
  {
    call: /\bMath\s*\.\s*(?:log(?:2|10|1p)?|exp(?:m1)?|a?(?:sin|cos|tan)h?|atan2|pow|cbrt|hypot)\b/g,
    why: 'engines round it differently',
    allowed: aboveRecord,
  },
  {
    call: /(?<!\b\d[\d_]*\s*)\*\*|\*\*(?!=?\s*-?\d)/g,
    why: 'a power is exact between literals only',
    allowed: aboveRecord,
  },
  { call: /\bconsole\s*\./g, why: 'the library never prints', allowed: only(/^src\/cli\//) },
  {
    call: /\bDate\s*\.\s*now\b|\bnew\s+Date\s*(?:\(\s*\)|(?![\s(]))|\bperformance\s*\.\s*now\b/g,
    why: 'time comes from base/clock.ts',
    allowed: only(/^src\/base\/clock\.ts$/),
  },
  {
    call: /\b(?:getRandomValues|randombytes\w*|randomUUID|randomFill(?:Sync)?|webcrypto)\b/g,
    why: 'randomness comes from crypto/random.ts',
    // The clock stands below crypto and draws one thing, the public name of a process.
    allowed: only(/^src\/(?:crypto\/random|base\/clock)\.ts$/),
  },
  { call: /\bBuffer\b/g, why: 'Uint8Array everywhere', allowed: knowsNode },
  {
    call: /\bprocess\b(?!\s*:)/g,
    why: 'browsers have none',
    allowed: (path) => knowsNode(path) || /^src\/base\/(?:builtin|clock)\.ts$/.test(path),
  },
  { call: /\beval\s*\(|\bnew\s+Function\b/g, why: 'code is not data', allowed: never },
]

export function callFaults(tree: Tree): string[] {
  return sources(tree).flatMap((path) => {
    const code = codeOnly(textOf(tree, path))
    return CALLS.filter((rule) => !rule.allowed(path)).flatMap((rule) =>
      [...code.matchAll(rule.call)].map(
        (match) => `${path}:${lineAt(code, match.index)}: ${match[0].trim()}: ${rule.why}`,
      ),
    )
  })
}

/** Joined, so that this file does not trip over itself. */
const word = (...parts: string[]): string => parts.join('')
const WORDS: readonly RegExp[] = [
  new RegExp(
    `\\b(?:${word('TO', 'DO')}|${word('FIX', 'ME')}|${word('XX', 'X')}|${word('HA', 'CK')})\\b`,
    'g',
  ),
  new RegExp(`\\b${word('as', ' any')}\\b`, 'g'),
  new RegExp(word('@ts-', '(?:ignore|nocheck)'), 'g'),
  new RegExp(word('\\.(?:sk', 'ip|on', 'ly|to', 'do|fa', 'ils)\\('), 'g'),
  new RegExp(word('\\.(?:sk', 'ip|ru', 'n)If\\('), 'g'),
  new RegExp(word('not ', 'implemented'), 'gi'),
]
const SOURCE_WORDS: readonly RegExp[] = [new RegExp(word('@ts-', 'expect-error'), 'g')]

export function wordFaults(tree: Tree): string[] {
  return ['src', 'test', 'bench']
    .flatMap((folder) => sources(tree, folder))
    .flatMap((path) => {
      const text = textOf(tree, path)
      const words = path.startsWith('src/') ? [...WORDS, ...SOURCE_WORDS] : WORDS
      return words.flatMap((pattern) =>
        [...text.matchAll(pattern)].map((match) => `${path}:${lineAt(text, match.index)}: ${match[0]}`),
      )
    })
}

const SHEBANG = '#!/usr/bin/env node\n'
const NODE_TYPES = '/// <reference types="node" />'

/** The first line says what the file is; a file that knows Node says so next, and no other file does. */
export function firstLineFaults(tree: Tree): string[] {
  return sources(tree).flatMap((path) => {
    const text = textOf(tree, path)
    const lines = (text.startsWith(SHEBANG) ? text.slice(SHEBANG.length) : text).split('\n')
    const faults: string[] = []
    if (!/^\/\*\* \S.* @module \*\/$/.test(lines[0] ?? ''))
      faults.push(`${path}: first line does not say what it is`)
    if (folderOf(path) !== undefined) {
      const imports = importsOf(tree, path).some(({ to }) => to.startsWith('node:'))
      const refers = text.includes(NODE_TYPES)
      if (refers && lines[1] !== NODE_TYPES)
        faults.push(`${path}: the reference to Node's types is the second line`)
      if (refers && !NODE_FILES.test(path))
        faults.push(`${path}: knows Node's types outside the files that may`)
      if (imports && NODE_FILES.test(path) && !refers)
        faults.push(`${path}: imports Node without a reference to its types`)
    }
    return faults
  })
}
