/** The project as a map from path to text, and the little lexing that the rules need. @module */
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** Path from the project root, with forward slashes, to file text. Rules are functions of a tree, so they can be tried on planted ones. */
export type Tree = ReadonlyMap<string, string>

export const root: string = fileURLToPath(new URL('../..', import.meta.url))

const READ_FOLDERS = ['src', 'test', 'bench', 'docs']
const ROOT_FILES = ['SPEC.md', 'README.md', 'SECURITY.md', 'CHANGELOG.md', 'package.json']
const SKIPPED = new Set(['node_modules', 'dist', 'results'])
const TEXT = /\.(?:ts|mts|js|mjs|md)$/

/** Reads what the rules look at. A root file that is missing is simply absent from the map; the rules that need it say so. */
export function readTree(): Tree {
  const tree = new Map<string, string>()
  for (const name of ROOT_FILES) readInto(tree, name)
  for (const folder of READ_FOLDERS) walk(tree, folder)
  return tree
}

/** A planted tree for trying a rule. */
export function plant(files: Readonly<Record<string, string>>): Tree {
  return new Map(Object.entries(files))
}

/** Paths under a folder that end in `.ts`, sorted. */
export function sources(tree: Tree, folder = 'src'): string[] {
  return [...tree.keys()].filter((path) => path.startsWith(`${folder}/`) && path.endsWith('.ts')).sort()
}

export function textOf(tree: Tree, path: string): string {
  return tree.get(path) ?? ''
}

function walk(tree: Map<string, string>, folder: string): void {
  const entries = entriesOf(folder)
  for (const entry of entries) {
    if (entry.name.startsWith('.') || SKIPPED.has(entry.name)) continue
    const path = `${folder}/${entry.name}`
    if (entry.isDirectory()) walk(tree, path)
    else if (TEXT.test(entry.name)) readInto(tree, path)
  }
}

function entriesOf(folder: string) {
  try {
    return readdirSync(`${root}${folder}`, { withFileTypes: true })
  } catch {
    return []
  }
}

function readInto(tree: Map<string, string>, path: string): void {
  try {
    tree.set(path, readFileSync(`${root}${path}`, 'utf8'))
  } catch {
    // Absent: the rule that needs it reports it.
  }
}

/** The text with comments blanked (and string contents too when asked), same length, same line breaks. */
export function codeOnly(text: string, blankStrings = true): string {
  const out = text.split('')
  const blank = (from: number, to: number): void => {
    for (let i = from; i < to; i++) if (out[i] !== '\n') out[i] = ' '
  }
  const templateDepths: number[] = []
  let depth = 0
  let at = 0
  const string = (quote: string): void => {
    const from = ++at
    while (at < text.length && text[at] !== quote) {
      if (text[at] === '\\') at++
      else if (quote === '`' && text[at] === '$' && text[at + 1] === '{') {
        if (blankStrings) blank(from, at)
        templateDepths.push(depth++)
        at += 2
        return
      }
      at++
    }
    if (blankStrings) blank(from, Math.min(at, text.length))
    at++
  }
  while (at < text.length) {
    const c = text[at]
    const next = text[at + 1]
    if (c === '/' && (next === '/' || next === '*')) {
      const end = next === '/' ? text.indexOf('\n', at) : text.indexOf('*/', at + 2) + 2
      const to = end <= 1 ? text.length : end
      blank(at, to)
      at = to
    } else if (c === '/' && startsRegExp(out, at)) {
      const to = regExpEnd(text, at)
      blank(at + 1, to)
      at = to
    } else if (c === "'" || c === '"' || c === '`') string(c)
    else if (c === '{') {
      depth++
      at++
    } else if (c === '}') {
      depth--
      if (templateDepths.at(-1) === depth) {
        templateDepths.pop()
        string('`')
      } else at++
    } else at++
  }
  return out.join('')
}

/** A slash starts a regular expression when what stands before it cannot end an expression. */
function startsRegExp(out: readonly string[], at: number): boolean {
  let i = at - 1
  while (i >= 0 && /\s/.test(out[i] ?? '')) i--
  if (i < 0) return true
  if (/[(,=:[!&|?{};+\-*%~^<>]/.test(out[i] ?? '')) return true
  const word = out
    .slice(Math.max(0, i - 9), i + 1)
    .join('')
    .match(/[\w$]+$/)?.[0]
  return (
    word !== undefined && /^(?:return|typeof|case|in|of|void|delete|throw|yield|await|else|do)$/.test(word)
  )
}

function regExpEnd(text: string, at: number): number {
  let inClass = false
  for (let i = at + 1; i < text.length; i++) {
    const c = text[i]
    if (c === '\n') return at + 1
    if (c === '\\') i++
    else if (c === '[') inClass = true
    else if (c === ']') inClass = false
    else if (c === '/' && !inClass) return i
  }
  return at + 1
}

/** Line number, from 1, of a place in a text. */
export function lineAt(text: string, index: number): number {
  let line = 1
  for (let i = text.indexOf('\n'); i !== -1 && i < index; i = text.indexOf('\n', i + 1)) line++
  return line
}

export interface Import {
  readonly from: string
  /** The specifier as written. */
  readonly to: string
  /** The project path it means, for a relative specifier. */
  readonly path: string | undefined
}

const STATIC = /\b(?:import|export)\b(?:\s+type\b)?\s*(?:[\w$*{}\s,]+?\s+from\s*|\s)(['"])([^'"\n]+)\1/g
const DYNAMIC = /\b(?:import|require|getBuiltinModule)\s*(?:\?\.)?\(\s*(['"])([^'"\n]+)\1/g

/** Every specifier that a file imports or re-exports, types included: a type is knowledge too. */
export function importsOf(tree: Tree, from: string): Import[] {
  const text = codeOnly(textOf(tree, from), false)
  const found: Import[] = []
  for (const pattern of [STATIC, DYNAMIC]) {
    for (const match of text.matchAll(pattern)) {
      const to = match[2] ?? ''
      found.push({ from, to, path: to.startsWith('.') ? resolvePath(from, to) : undefined })
    }
  }
  return found
}

function resolvePath(from: string, to: string): string {
  const parts = from.split('/').slice(0, -1)
  for (const part of to.split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '.') parts.push(part)
  }
  return parts.join('/')
}
