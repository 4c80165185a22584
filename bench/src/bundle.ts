/** How much does a browser load? @module */

import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync } from 'node:zlib'
import type { Scenario, Series } from './scenario.ts'

const root = new URL('../../', import.meta.url)
const ALL = 'guise: brotli'
const HOLDER = 'guise/holder: brotli'
const LIBSODIUM = 'libsodium-wrappers: brotli'

export const bundleScenario: Scenario = {
  name: 'bundle',
  question: 'one minified module for browsers, compressed with brotli, everything that is imported in it',
  notes: ['libsodium-wrappers alone, for comparison: nothing that uses it is smaller'],
  repeats: false,
  claims: [
    { series: ALL, most: 160_000 },
    { series: HOLDER, most: 25_000 },
  ],
  variants: [{ name: 'guise', role: 'ours', run: sizes }],
}

async function sizes(): Promise<readonly Series[]> {
  const entries = [
    [ALL, "export * from './dist/index.js'"],
    [HOLDER, "export * from './dist/holder.js'"],
    [LIBSODIUM, "import sodium from 'libsodium-wrappers'; console.log(sodium)"],
  ] as const
  return await Promise.all(
    entries.map(async ([name, contents]) => ({
      name,
      unit: 'bytes' as const,
      values: [await sizeOf(contents)],
    })),
  )
}

/** The part of esbuild that is used: that of size-limit, which guards the same bundle. */
interface Esbuild {
  build(options: unknown): Promise<{ readonly outputFiles: readonly { readonly contents: Uint8Array }[] }>
}

async function sizeOf(contents: string): Promise<number> {
  const near = createRequire(createRequire(import.meta.url).resolve('@size-limit/esbuild'))
  const { build } = near('esbuild') as Esbuild
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: fileURLToPath(root) },
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    write: false,
  })
  return brotliCompressSync(outputFiles[0]?.contents ?? new Uint8Array()).length
}
