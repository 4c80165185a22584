/// <reference types="node" />
/** JavaScript of the library and of the fault drivers, for child processes under Node 20. @module */

import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
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
 * Translates src and test/fault into a new directory beside the packages and returns it. With GUISE_TEST_DIST=1 the
 * library is what was built, so that the shipped files are proved.
 */
export function compile(mutation?: Mutation): string {
  const cache = join(root, 'node_modules', '.cache')
  mkdirSync(cache, { recursive: true })
  const out = mkdtempSync(join(cache, 'guise-fault-'))
  writeFileSync(join(out, 'package.json'), '{"type":"module"}')
  translate('test/fault', out)
  if (process.env['GUISE_TEST_DIST'] === '1' && mutation === undefined) {
    cpSync(join(root, 'dist'), join(out, 'src'), { recursive: true })
  } else {
    translate('src', out, mutation)
  }
  return out
}

export function discard(compiled: string): void {
  rmSync(compiled, { recursive: true, force: true })
}

/** Path of the child entry and of a driver in a compiled directory. */
export function childOf(compiled: string): string {
  return join(compiled, 'test', 'fault', 'child.js')
}

const root = fileURLToPath(new URL('../..', import.meta.url))

function translate(folder: string, out: string, mutation?: Mutation): void {
  for (const entry of readdirSync(join(root, folder), { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith('.ts') || entry.name.endsWith('.test.ts')) continue
    const source = join(entry.parentPath, entry.name)
    const file = relative(root, source)
    const text = mutate(readFileSync(source, 'utf8'), file, mutation)
    const { outputText } = ts.transpileModule(text, { compilerOptions: OPTIONS, fileName: source })
    const target = join(out, file.replace(/\.ts$/, '.js'))
    mkdirSync(dirname(target), { recursive: true })
    writeFileSync(target, outputText)
  }
}

function mutate(text: string, file: string, mutation: Mutation | undefined): string {
  if (mutation?.file !== file) return text
  if (!text.includes(mutation.from)) throw new Error(`${file} does not contain ${mutation.from}`)
  return text.replace(mutation.from, mutation.to)
}

const OPTIONS = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.ESNext,
  rewriteRelativeImportExtensions: true,
  verbatimModuleSyntax: true,
} as const satisfies ts.CompilerOptions
