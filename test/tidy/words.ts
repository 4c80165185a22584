/** One word in five places: chapter, folder, requirement, error code, test; and the tracing between them. @module */
import { FLOORS, folderOf } from './floors.ts'
import { codeOnly, lineAt, sources, type Tree, textOf } from './tree.ts'

/** Chapters of the specification that no folder stands for. */
const NO_FOLDER = new Set(['conventions'])

/** No chapters: in base a wrong call is a plain error, and what a command refuses ends as text. */
const NO_CODES = /^src\/(?:base|cli)\//
const THROWS = /\bthrow\s+new\b/
const CODE = /(['"`])(ERR_[A-Z0-9_]+)\1/g

/** Codes that a file makes errors with. */
function madeIn(text: string): string[] {
  return [...text.matchAll(/\bnew \w+Error\(\s*'(ERR_[A-Z0-9_]+)'/g)].map((match) => match[1] ?? '')
}

/** Every folder has one errors.ts, with codes of its own name, each used, and no code is used that none lists. */
export function errorFaults(tree: Tree): string[] {
  const faults: string[] = []
  const listed = new Map<string, string>()
  for (const path of sources(tree)) {
    if (!/^src\/[^/]+\/errors\.ts$/.test(path)) continue
    const prefix = `ERR_${folderOf(path)?.toUpperCase()}_`
    for (const code of codesIn(textOf(tree, path))) {
      if (!code.startsWith(prefix)) faults.push(`${path}: ${code} does not start with ${prefix}`)
      if (listed.has(code)) faults.push(`${path}: ${code} is listed in ${listed.get(code)} too`)
      listed.set(code, path)
    }
  }
  const used = new Set<string>()
  for (const path of sources(tree)) {
    if (path.endsWith('/errors.ts')) {
      // A factory beside the list counts as use.
      for (const code of madeIn(textOf(tree, path))) used.add(code)
      continue
    }
    for (const code of codesIn(textOf(tree, path))) {
      used.add(code)
      if (!listed.has(code)) faults.push(`${path}: ${code} is listed nowhere`)
    }
  }
  for (const [code, path] of listed) if (!used.has(code)) faults.push(`${path}: ${code} is never used`)
  return [...faults, ...errorHomeFaults(tree)]
}

/** Error classes live in errors.ts, one for a folder; a folder that throws has its own. */
function errorHomeFaults(tree: Tree): string[] {
  const faults: string[] = []
  for (const folder of FLOORS.keys()) {
    const path = `src/${folder}/errors.ts`
    const throws =
      !NO_CODES.test(path) &&
      sources(tree, `src/${folder}`).some((file) => THROWS.test(codeOnly(textOf(tree, file))))
    const classes = codeOnly(textOf(tree, path)).match(/\bclass\s+\w+\s+extends\s+GuiseError\b/g) ?? []
    const right = Number(throws || (tree.has(path) && !NO_CODES.test(path)))
    if (classes.length !== right)
      faults.push(`${path}: ${classes.length} classes that extend GuiseError, not ${right}`)
  }
  for (const path of sources(tree)) {
    if (path.endsWith('/errors.ts') || NO_CODES.test(path)) continue
    const code = codeOnly(textOf(tree, path))
    for (const match of code.matchAll(/\bclass\s+\w+\s+extends\s+\w*Error\b/g))
      faults.push(`${path}:${lineAt(code, match.index)}: an error class outside errors.ts`)
    for (const match of code.matchAll(/\bnew\s+(?:Error|TypeError|RangeError|GuiseError)\b/g))
      faults.push(`${path}:${lineAt(code, match.index)}: ${match[0]}: errors are typed`)
  }
  return faults
}

/** A code that a text promises exists; a text never promises more than the code keeps. */
export function promisedCodeFaults(tree: Tree): string[] {
  const listed = new Set<string>()
  for (const path of sources(tree))
    if (path.endsWith('/errors.ts')) for (const code of codesIn(textOf(tree, path))) listed.add(code)
  return [...tree.keys()]
    .filter((path) => path.endsWith('.md'))
    .flatMap((path) =>
      [...new Set(textOf(tree, path).match(/\bERR_[A-Z]+_[A-Z0-9_]*[A-Z0-9]\b/g))]
        .filter((code) => !listed.has(code))
        .map((code) => `${path}: ${code} is listed nowhere in src`),
    )
}

function codesIn(text: string): Set<string> {
  return new Set([...codeOnly(text, false).matchAll(CODE)].map((match) => match[2] ?? ''))
}

const DEFINED = /(~~)?\*\*\[([A-Z]+-\d+)\]\*\*/g
const TITLE = /(?:\b(?:test|it)(?:\.\w+)?|\))\(\s*(['"`])([A-Z]+-\d+)\b/g

/** Every requirement of SPEC.md has a test whose title starts with its id; every such test names a requirement. */
export function tracingFaults(tree: Tree): string[] {
  // In a code span an id is an example of the notation.
  const spec = tree.get('SPEC.md')?.replaceAll(/`[^`\n]*`/g, '')
  if (spec === undefined) return ['SPEC.md: missing']
  const defined = [...spec.matchAll(DEFINED)].map((match) => ({
    id: match[2] ?? '',
    retired: match[1] !== undefined,
  }))
  if (defined.length === 0) return ['SPEC.md: no requirement']
  const ids = new Set(defined.map(({ id }) => id))
  const faults = defined
    .map(({ id }) => id)
    .filter((id, index, all) => all.indexOf(id) !== index)
    .map((id) => `SPEC.md: ${id} is defined twice`)
  const tested = testedIds(tree)
  for (const { id, retired } of defined) {
    if (!retired && !tested.has(id)) faults.push(`SPEC.md: ${id} has no test`)
    if (retired && tested.has(id)) faults.push(`${tested.get(id)}: ${id} is retired`)
  }
  for (const [id, path] of tested)
    if (!ids.has(id)) faults.push(`${path}: ${id} is no requirement of SPEC.md`)
  return [...faults, ...chapterFaults(tree, ids), ...indexFaults(spec, defined)]
}

function testedIds(tree: Tree): Map<string, string> {
  const tested = new Map<string, string>()
  for (const path of sources(tree, 'test')) {
    if (!path.endsWith('.test.ts') || path.startsWith('test/tidy/')) continue
    for (const match of codeOnly(textOf(tree, path), false).matchAll(TITLE)) tested.set(match[2] ?? '', path)
  }
  return tested
}

/** The prefix of a requirement is a folder of src and a file of test/spec. */
function chapterFaults(tree: Tree, ids: ReadonlySet<string>): string[] {
  const names = new Set([...ids].map((id) => id.replace(/-\d+$/, '').toLowerCase()))
  const tests = sources(tree, 'test/spec').map((path) => path.slice('test/spec/'.length))
  return [...names].flatMap((name) => {
    const faults: string[] = []
    if (!NO_FOLDER.has(name) && !FLOORS.has(name)) faults.push(`SPEC.md: ${name} is no folder of src`)
    if (!tests.some((file) => file === `${name}.test.ts` || file.startsWith(`${name}-`)))
      faults.push(`test/spec/${name}.test.ts: missing`)
    return faults
  })
}

/** The index at the end names each requirement once, in the order of the text. */
function indexFaults(
  spec: string,
  defined: readonly { readonly id: string; readonly retired: boolean }[],
): string[] {
  const section = spec.split(/^(?=#{1,3} )/m).find((part) => /^#+ .*requirement index/i.test(part))
  if (section === undefined) return ['SPEC.md: no requirement index']
  const prefixes = new Set(defined.map(({ id }) => id.replace(/-\d+$/, '')))
  const indexed = [...section.matchAll(/\b([A-Z]+)-\d+\b/g)].filter((match) => prefixes.has(match[1] ?? ''))
  const missing = defined.filter(({ id }) => !indexed.some(([found]) => found === id))
  const unknown = indexed.filter(([found]) => !defined.some(({ id }) => id === found))
  return [
    ...missing.map(({ id }) => `SPEC.md: the index lacks ${id}`),
    ...unknown.map(([id]) => `SPEC.md: the index names ${id}, which is not defined`),
  ]
}

/** Relative links in the texts lead to files that exist. */
export function linkFaults(tree: Tree, exists: (path: string) => boolean): string[] {
  return [...tree.keys()]
    .filter((path) => path.endsWith('.md'))
    .flatMap((path) => {
      const text = textOf(tree, path).replaceAll(/^```[\s\S]*?^```/gm, '')
      const folder = path.includes('/') ? path.slice(0, path.lastIndexOf('/') + 1) : ''
      return [...text.matchAll(/\]\((?!https?:|mailto:|#)([^)\s#]+)[^)]*\)/g)]
        .map((match) => match[1] ?? '')
        .filter((target) => !exists(`${folder}${target}`))
        .map((target) => `${path}: link to ${target}, which does not exist`)
    })
}
