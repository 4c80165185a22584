/** Peers that are compiled when they are measured: C and C++ by the compiler of the machine, AssemblyScript by that of the root. @module */

import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Series } from './scenario.ts'

const sources = new URL('../native/', import.meta.url)

/** How a source in C or C++ becomes a program. */
interface Program {
  readonly source: string
  readonly compiler: string
  readonly flags: readonly string[]
  readonly libraries: readonly string[]
}

export const C_SCAN: Program = {
  source: 'scan.c',
  compiler: 'gcc',
  flags: ['-O3', '-march=native', '-std=gnu17'],
  libraries: [],
}

/** Debian: libfaiss-dev, libblas-dev, liblapack-dev. */
export const FAISS_SCAN: Program = {
  source: 'faiss.cpp',
  compiler: 'g++',
  flags: ['-O3', '-march=native', '-std=c++17', '-fopenmp'],
  libraries: ['-lfaiss', '-lblas', '-llapack'],
}

/**
 * The microseconds that a program prints, a number a line, as one series of milliseconds scaled by `factor`. None where it does not compile,
 * which is said on the standard error.
 */
export function timeProgram(
  program: Program,
  args: readonly number[],
  series: { readonly name: string; readonly factor: number },
): readonly Series[] {
  const folder = mkdtempSync(join(tmpdir(), 'guise-bench-native-'))
  try {
    const path = join(folder, 'program')
    const { compiler, flags, source, libraries } = program
    const file = new URL(source, sources).pathname
    if (!compiles(compiler, [...flags, file, '-o', path, ...libraries], source)) return []
    // One thread, as everybody else has.
    const env = { ...process.env, OMP_NUM_THREADS: '1' }
    const lines = execFileSync(path, args.map(String), { encoding: 'utf8', env }).trim().split('\n')
    return [
      {
        name: series.name,
        unit: 'ms',
        values: lines.slice(0, -1).map((line) => (Number(line) / 1000) * series.factor),
      },
    ]
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Debian: clang, lld. */
const CLANG_FLAGS = [
  '--target=wasm32',
  '-O3',
  '-msimd128',
  '-ffast-math',
  '-nostdlib',
  '-Wl,--no-entry,--import-memory,--export=multiply',
]

/** The module of a source in C, compiled by clang; `undefined`, and said, where there is none. */
export function compileClang(source: string): WebAssembly.Module | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'guise-bench-native-'))
  try {
    const path = join(folder, 'module.wasm')
    const args = [...CLANG_FLAGS, new URL(source, sources).pathname, '-o', path]
    if (!compiles('clang', args, source)) return undefined
    return new WebAssembly.Module(readFileSync(path))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** A figure that is missing must not look like one that was not wanted. */
function compiles(compiler: string, args: readonly string[], source: string): boolean {
  const compiled = spawnSync(compiler, args, { encoding: 'utf8' })
  if (compiled.status === 0) return true
  const [why = ''] = (compiled.stderr ?? String(compiled.error)).split('\n')
  process.stderr.write(`SKIPPED: ${source} does not compile with ${compiler}: ${why}\n`)
  return false
}

/** The part of the compiler that is used. Its own types change the global ones of whoever imports them. */
interface Compiler {
  readonly default: {
    main(
      options: readonly string[],
      files: {
        readFile(name: string): string | null
        writeFile(name: string, contents: string | Uint8Array): void
        listFiles(): readonly string[]
      },
    ): Promise<{ readonly error: Error | null; readonly stderr: { toString(): string } }>
  }
}

const COMPILER: string = 'assemblyscript/asc'

/** The module of a source in AssemblyScript, compiled as the kernels of the library are. */
export async function compileAssembly(source: string): Promise<WebAssembly.Module> {
  // Loaded late: it awaits something at its top, and a worker would miss what it is told meanwhile.
  const { default: asc } = (await import(COMPILER)) as Compiler
  const entry = source.replace(/\.as$/, '.ts')
  const options = ['--runtime', 'stub', '--noAssert', '--enable', 'simd', '-O3', '--importMemory']
  let module: Uint8Array<ArrayBuffer> | undefined
  const { error, stderr } = await asc.main([entry, '--outFile', 'module.wasm', ...options], {
    readFile: (name) => (name === entry ? readFileSync(new URL(source, sources), 'utf8') : null),
    writeFile: (name, contents) => {
      if (name === 'module.wasm' && typeof contents !== 'string') module = Uint8Array.from(contents)
    },
    listFiles: () => [],
  })
  if (error !== null || module === undefined)
    throw new Error(`${source} does not compile\n${stderr.toString()}`)
  return new WebAssembly.Module(module)
}
