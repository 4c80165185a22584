/** The kernels in AssemblyScript, compiled as `npm run kernels` does it. @module */
/// <reference types="node" />

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { assemblyKernel } from '../../src/transform/assembly.ts'
import type { Kernel } from '../../src/transform/kernel.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const KERNEL = 'src/transform/kernel.as'

/** The kernel of this library. A machine whose WebAssembly has no 128-bit vectors cannot test it. */
export function builtKernel(): Kernel {
  const built = assemblyKernel()
  if (built === undefined) throw new Error('this machine does not run the kernel')
  return built
}

/** The module of a kernel with one text replaced in its source, or in a part of that, in base64. */
export function compileWith(text: string, replacement: string, kernel = KERNEL, part = kernel): string {
  const plain = readFileSync(join(root, part), 'utf8')
  if (plain.split(text).length !== 2) throw new Error(`the source says "${text}" not once`)
  const folder = mkdtempSync(join(tmpdir(), 'guise-kernel-'))
  try {
    const path = join(folder, 'kernel.as')
    writeFileSync(
      path,
      plain.replace(text, () => replacement),
    )
    return compiler([kernel, part, path])
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The module of a kernel in the text form of WebAssembly. */
export function kernelText(kernel = KERNEL): string {
  return compiler(['--text', kernel])
}

/** Runs the compiler; throws what it says when it fails. */
export function compiler(args: readonly string[]): string {
  const options = { cwd: root, encoding: 'utf8', timeout: 120_000, maxBuffer: 16_777_216 } as const
  const run = spawnSync(process.execPath, ['.ci/kernels.mjs', ...args], options)
  if (run.status !== 0) throw new Error(run.stderr)
  return run.stdout
}
