/** Installs the frameworks of docs/services beside a copy of it, outside the tree, builds it, and runs its tests. @module */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'guise-services-'))

function run(program, argv, options) {
  const { status, error } = spawnSync(program, argv, { stdio: 'inherit', ...options })
  if (status !== 0) throw error ?? new Error(`${program} ${argv[0]} ended with ${status}`)
}

try {
  cpSync(join(root, 'docs', 'services'), folder, {
    recursive: true,
    filter: (path) => !/[\\/](?:node_modules|dist)$/.test(path),
  })
  run('npm', ['ci', '--no-audit', '--no-fund', '--ignore-scripts', '--no-bin-links'], { cwd: folder })
  // What `npm install guise` would put there.
  symlinkSync(root, join(folder, 'node_modules', 'guise'))
  run(process.execPath, ['node_modules/typescript/bin/tsc'], { cwd: folder })
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs')
  const argv = [vitest, 'run', '--config', 'test/vitest.config.ts', '--project', 'services']
  run(process.execPath, argv, { cwd: root, env: { ...process.env, GUISE_SERVICES: folder } })
} catch (error) {
  console.error(error.message)
  process.exitCode = 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}
