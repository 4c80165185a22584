/** The kernel in AssemblyScript, compiled as `npm run kernels` does it. @module */
/// <reference types="node" />

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { assemblyKernel } from '../../src/transform/assembly.ts'
import type { Kernel } from '../../src/transform/kernel.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const ROTATION = 'src/transform/kernel.as'

/** The kernel of this library. A machine whose WebAssembly has no 128-bit vectors cannot test it. */
export function builtKernel(): Kernel {
  const built = assemblyKernel()
  if (built === undefined) throw new Error('this machine does not run the kernel')
  return built
}

/** The module of the source with one text in it replaced, in base64. */
export function compileWith(text: string, replacement: string, source: string = ROTATION): string {
  const plain = readFileSync(join(root, source), 'utf8')
  if (plain.split(text).length !== 2) throw new Error(`the source says "${text}" not once`)
  const folder = mkdtempSync(join(tmpdir(), 'guise-kernel-'))
  try {
    const path = join(folder, basename(source))
    writeFileSync(
      path,
      plain.replace(text, () => replacement),
    )
    return compiler([path])
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The module in the text form of WebAssembly. */
export function kernelText(): string {
  return compiler(['--text', ROTATION])
}

/** Runs the compiler; throws what it says when it fails. */
export function compiler(args: readonly string[]): string {
  const options = { cwd: root, encoding: 'utf8', timeout: 120_000, maxBuffer: 16_777_216 } as const
  const run = spawnSync(process.execPath, ['.ci/kernels.mjs', ...args], options)
  if (run.status !== 0) throw new Error(run.stderr)
  return run.stdout
}
