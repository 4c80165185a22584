/** JavaScript of the library and of the fault drivers, for child processes under Node 20. @module */
/// <reference types="node" />

import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

/** A change of one source file, to make a control from the library itself. Throws when it does not apply. */
export interface Mutation {
  readonly file: string
  readonly from: string
  readonly to: string
}

/**
 * Translates folders of the project and test/fault into a directory beside the packages and returns it. The same
 * text is translated once. With GUISE_TEST_DIST=1 the library is what was built, so that the shipped files are
 * proved; a control is made from the source always.
 */
export function compile({
  folders = ['src/base', 'src/store'],
  mutation,
}: {
  readonly folders?: readonly string[]
  readonly mutation?: Mutation | readonly Mutation[]
} = {}): string {
  const shipped = process.env['GUISE_TEST_DIST'] === '1' && mutation === undefined
  const sources = [
    ...readSources('test/fault', mutation),
    ...folders.flatMap((folder) => (shipped ? readBuilt(folder) : readSources(folder, mutation))),
  ]
  const hash = createHash('sha256')
  for (const { file, text } of sources) hash.update(`${file}\0${text}\0`)
  const cache = join(root, 'node_modules', '.cache', 'guise-fault')
  mkdirSync(cache, { recursive: true })
  const out = join(cache, hash.digest('hex').slice(0, 16))
  if (!existsSync(out)) {
    forgetOld(cache)
    writeTranslated(sources, cache, out)
  }
  return out
}

/** Path of the child entry in a compiled directory. */
export function childOf(compiled: string): string {
  return join(compiled, 'test', 'fault', 'child.js')
}

interface Source {
  readonly file: string
  readonly text: string
}

const root = fileURLToPath(new URL('../..', import.meta.url))
const DAY_MS = 86_400_000

function readSources(
  folder: string,
  mutation: Mutation | readonly Mutation[] | undefined,
): readonly Source[] {
  const wanted = filesOf(join(root, folder)).filter(
    (path) => path.endsWith('.ts') && !path.endsWith('.test.ts'),
  )
  return wanted.map((path) => {
    const file = relative(root, path)
    return { file, text: mutate(readFileSync(path, 'utf8'), file, mutation) }
  })
}

function readBuilt(folder: string): readonly Source[] {
  const built = filesOf(join(root, folder.replace(/^src/, 'dist'))).filter((path) => path.endsWith('.js'))
  return built.map((path) => ({
    file: relative(root, path).replace(/^dist/, 'src'),
    text: readFileSync(path, 'utf8'),
  }))
}

function filesOf(folder: string): readonly string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
}

function mutate(
  text: string,
  file: string,
  mutation: Mutation | readonly Mutation[] | undefined = [],
): string {
  let mutated = text
  for (const { file: victim, from, to } of [mutation].flat()) {
    if (victim !== file) continue
    if (!mutated.includes(from)) throw new Error(`${file} does not contain ${from}`)
    mutated = mutated.replace(from, () => to)
  }
  return mutated
}

/** Written aside and renamed, so that test files running at once never see half of it. */
function writeTranslated(sources: readonly Source[], cache: string, out: string): void {
  const aside = mkdtempSync(join(cache, 'new-'))
  writeFileSync(join(aside, 'package.json'), '{"type":"module"}')
  for (const { file, text } of sources) {
    const target = join(aside, file.replace(/\.ts$/, '.js'))
    mkdirSync(dirname(target), { recursive: true })
    writeFileSync(
      target,
      file.endsWith('.ts') ? ts.transpileModule(text, { compilerOptions: OPTIONS }).outputText : text,
    )
  }
  try {
    renameSync(aside, out)
  } catch (error) {
    rmSync(aside, { recursive: true, force: true })
    if (!existsSync(out)) throw error
  }
}

function forgetOld(cache: string): void {
  for (const name of readdirSync(cache)) {
    const path = join(cache, name)
    if (Date.now() - statSync(path).mtimeMs > DAY_MS) rmSync(path, { recursive: true, force: true })
  }
}

const OPTIONS = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.ESNext,
  rewriteRelativeImportExtensions: true,
  verbatimModuleSyntax: true,
} as const satisfies ts.CompilerOptions
