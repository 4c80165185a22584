/** Rules of shape: floors, circles, entries, dead files, lengths. @module */
import { codeOnly, importsOf, lineAt, sources, type Tree, textOf } from './tree.ts'

/** The house. A file may import lower floors and its own folder. */
export const FLOORS: ReadonlyMap<string, number> = new Map([
  ['base', 0],
  ['crypto', 1],
  ['store', 1],
  ['embedding', 2],
  ['policy', 2],
  ['audit', 2],
  ['transform', 3],
  ['keys', 3],
  ['dataset', 3],
  ['capture', 3],
  ['template', 4],
  ['quorum', 4],
  ['compare', 5],
  ['seal', 5],
  ['record', 6],
  ['gallery', 7],
  ['vault', 8],
  ['evaluate', 9],
  ['intake', 9],
  ['telemetry', 9],
  ['report', 10],
  ['cli', 11],
])

export const ENTRIES: readonly string[] = [
  'index',
  'node',
  'lmdb',
  'postgres',
  'holder',
  'capture',
  'evaluate',
  'audit',
  'quorum',
  'otel',
  'kms',
  'pkcs11',
  'testing',
].map((name) => `src/${name}.ts`)

/** Where a program starts: the entries of the package, its command, and what a thread runs. */
const STARTS: readonly string[] = [...ENTRIES, 'src/cli/main.ts', 'src/vault/opening-thread.ts']

export const FILE_LINES = 400
export const FUNCTION_LINES = 70

/** `src/seal/open.ts` → `seal`; an entry has no folder. */
export function folderOf(path: string): string | undefined {
  const parts = path.split('/')
  return parts[0] === 'src' && parts.length > 2 ? parts[1] : undefined
}

export function floorOf(path: string): number | undefined {
  const folder = folderOf(path)
  return folder === undefined ? undefined : FLOORS.get(folder)
}

export function floorFaults(tree: Tree): string[] {
  const faults: string[] = []
  for (const path of sources(tree)) {
    const folder = folderOf(path)
    const floor = floorOf(path)
    if (folder === undefined) {
      if (!ENTRIES.includes(path)) faults.push(`${path}: not an entry of the package`)
      continue
    }
    if (floor === undefined) {
      faults.push(`${path}: folder ${folder} has no floor`)
      continue
    }
    for (const { to, path: target } of importsOf(tree, path)) {
      if (target === undefined) continue
      const other = folderOf(target)
      if (!tree.has(target)) faults.push(`${path}: imports ${to}, which does not exist`)
      else if (other === undefined) faults.push(`${path}: imports the entry ${target}`)
      else if (other !== folder && (FLOORS.get(other) ?? Number.POSITIVE_INFINITY) >= floor)
        faults.push(`${path} (floor ${floor}): imports ${target} (floor ${FLOORS.get(other)})`)
    }
  }
  return faults
}

/** Circles of imports, each once, as `a → b → a`. */
export function circleFaults(tree: Tree): string[] {
  const faults: string[] = []
  const state = new Map<string, 'open' | 'done'>()
  const trail: string[] = []
  const visit = (path: string): void => {
    if (state.get(path) === 'done') return
    if (state.get(path) === 'open') {
      faults.push([...trail.slice(trail.indexOf(path)), path].join(' → '))
      return
    }
    state.set(path, 'open')
    trail.push(path)
    for (const { path: target } of importsOf(tree, path))
      if (target !== undefined && tree.has(target)) visit(target)
    trail.pop()
    state.set(path, 'done')
  }
  for (const path of sources(tree)) visit(path)
  return faults
}

/** No inner index files; re-exports stand in the entries, and nothing else stands there. */
export function entryFaults(tree: Tree): string[] {
  const faults: string[] = []
  for (const path of sources(tree)) {
    const code = codeOnly(textOf(tree, path))
    const inside = folderOf(path) !== undefined
    if (inside && path.endsWith('/index.ts')) faults.push(`${path}: inner index file`)
    const reExports = [...code.matchAll(/\bexport\s+(?:type\s+)?(?:\{[^}]*\}|\*(?:\s+as\s+\w+)?)\s+from\b/g)]
    if (inside && reExports.length > 0) faults.push(`${path}: re-export outside an entry`)
    if (/\bexport\s+default\b/.test(code)) faults.push(`${path}: default export`)
    if (!inside) {
      if (/\bexport\s+(?:type\s+)?\*/.test(code)) faults.push(`${path}: names what it exports, one by one`)
      const rest = reExports.reduce((text, [statement]) => text.replace(statement, ''), code)
      if (rest.replaceAll(/['"]\s*['"];?/g, '').trim() !== '')
        faults.push(`${path}: an entry only re-exports`)
    }
  }
  return faults
}

/** Every source file is reached from an entry or the command. */
export function deadFaults(tree: Tree): string[] {
  const reached = reachedFrom(tree, STARTS)
  const missing = STARTS.filter((path) => !tree.has(path)).map((path) => `${path}: missing`)
  const dead = sources(tree).filter((path) => !reached.has(path))
  return [...missing, ...dead.map((path) => `${path}: reached from no entry`)]
}

/** Files that stand behind the given ones, themselves included. */
export function reachedFrom(tree: Tree, starts: readonly string[]): Set<string> {
  const reached = new Set<string>()
  const queue = starts.filter((path) => tree.has(path))
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    if (reached.has(path)) continue
    reached.add(path)
    for (const { path: target } of importsOf(tree, path))
      if (target !== undefined && tree.has(target)) queue.push(target)
  }
  return reached
}

export function fileLengthFaults(tree: Tree): string[] {
  return ['src', 'test', 'bench']
    .flatMap((folder) => sources(tree, folder))
    .filter((path) => !path.endsWith('.generated.ts'))
    .map((path) => ({ path, lines: textOf(tree, path).trimEnd().split('\n').length }))
    .filter(({ lines }) => lines > FILE_LINES)
    .map(({ path, lines }) => `${path}: ${lines} lines`)
}

export function functionLengthFaults(tree: Tree): string[] {
  return sources(tree)
    .filter((path) => !path.endsWith('.generated.ts'))
    .flatMap((path) =>
      longFunctions(textOf(tree, path)).map(
        ({ line, lines }) => `${path}:${line}: function of ${lines} lines`,
      ),
    )
}

/** Functions longer than the limit, found by their braces. */
export function longFunctions(text: string): { readonly line: number; readonly lines: number }[] {
  const code = codeOnly(text)
  const open: number[] = []
  const found: { line: number; lines: number }[] = []
  for (let at = 0; at < code.length; at++) {
    if (code[at] === '{') open.push(at)
    if (code[at] !== '}') continue
    const from = open.pop()
    if (from === undefined) continue
    const start = headerStart(code, from)
    const line = lineAt(code, start)
    const lines = lineAt(code, at) - line + 1
    if (lines > FUNCTION_LINES && opensFunction(code.slice(start, from).trim())) found.push({ line, lines })
  }
  return found
}

/** Where the statement that owns a brace begins: after the last `;`, `,`, brace or closing line before it, brackets skipped. */
function headerStart(code: string, brace: number): number {
  let depth = 0
  let at = brace - 1
  for (; at >= 0; at--) {
    const c = code[at] ?? ''
    if (c === ')' || c === ']') depth++
    else if (c === '}' && (depth > 0 || /^[^\S\n]*[^\s]/.test(code.slice(at + 1, brace + 1)))) depth++
    else if (c === '}') break
    else if (depth > 0 && (c === '(' || c === '[' || c === '{')) depth--
    else if (depth === 0 && (c === ';' || c === ',' || c === '{' || c === '(' || c === '[')) break
    // Without semicolons a line that is blank, or that is not indented deeper, ends the statement before it.
    else if (
      depth === 0 &&
      c === '\n' &&
      /^\s*(?:export|function|async|const|let|return|class|interface|type|abstract|static|get|set|if|for|while|switch|try)\b/.test(
        code.slice(at + 1, brace + 1),
      )
    )
      break
  }
  const skipped = code.slice(at + 1, brace).match(/^\s*/)?.[0].length ?? 0
  return at + 1 + skipped
}

function opensFunction(header: string): boolean {
  if (header.endsWith('=>')) return true
  if (/^(?:export\s+)?(?:declare\s+)?(?:abstract\s+)?(?:class|interface|namespace|type)\b/.test(header))
    return false
  if (
    /^(?:if|for|while|switch|else|try|catch|finally|do|import|export\s*(?:type)?)$|^(?:if|for|while|switch|else|try|catch|do|case|default)\b/.test(
      header,
    )
  )
    return false
  return header === 'static' || /\)\s*(?::[\s\S]*)?$/.test(header)
}
