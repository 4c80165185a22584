/** A disk that fails under the store, call by call (STORE-4, STORE-5); needs Linux with strace. @module */

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { lmdbStore } from '../../src/store/lmdb.ts'
import { compile } from './compile.ts'

const base = mkdtempSync(join(tmpdir(), 'guise-disk-'))
let compiled = ''

beforeAll(() => {
  compiled = compile()
}, 120_000)

afterAll(() => {
  rmSync(base, { recursive: true, force: true })
})

const faults = ['fdatasync', 'pwrite64', 'writev'].flatMap((call) =>
  ['EIO', 'ENOSPC'].flatMap((error) => [1, 2, 3, 5, 8].map((when) => [call, error, when] as const)),
)

test.each(faults)('STORE-5 %s that fails with %s, the %i. time in its thread', async (call, error, when) => {
  const directory = join(base, `${call}-${error}-${when}`)
  // Made before, so that the fault hits a commit and not the making.
  await (await lmdbStore({ path: directory })).close()
  const outcome = work(directory, ['-e', `inject=${call}:error=${error}:when=${when}`])
  expect(outcome['first']).toMatch(
    error === 'ENOSPC' ? /^ERR_STORE_(FULL|INDETERMINATE)$/ : /^ERR_STORE_INDETERMINATE$/,
  )
  for (const verb of ['commit', 'check', 'get', 'scan']) expect(outcome[verb]).toBe('ERR_STORE_FAILED')
  expect(outcome['half']).toBe(outcome['halfOther'])
  expect(outcome['reopened']).toBe('none')
  expect(outcome['unhandled']).toBe(0)
})

test('STORE-1 the pages and then their root are flushed before the answer', async () => {
  const directory = join(base, 'order')
  await (await lmdbStore({ path: directory })).close()
  const trace = join(base, 'order.trace')
  const child = join(compiled, 'test', 'fault', 'child.js')
  const calls = ['-f', '-qq', '-y', '-e', 'trace=write,writev,pwrite64,fdatasync,openat', '-o', trace]
  const args = [...calls, process.execPath, child, 'run', './store-driver.js', directory, '1', '5']
  const run = spawnSync('strace', args, { encoding: 'utf8' })
  expect(run.status).toBe(0)
  // pages (p), flush (f), root page by a synchronous descriptor (r), acknowledgement (a)
  let synchronous = ''
  let order = ''
  for (const line of readFileSync(trace, 'utf8').split('\n')) {
    const opened = /data\.mdb", O_WRONLY\|O_DSYNC\|O_CLOEXEC\) = (\d+)/.exec(line)
    if (opened !== null) synchronous = opened[1] ?? ''
    if (/write\(1<.*"ack \d/.test(line)) order += 'a'
    else if (!line.includes('data.mdb>')) continue
    else if (line.includes('fdatasync(')) order += 'f'
    else if (line.includes(`pwrite64(${synchronous}<`)) order += 'r'
    else if (/p?writev?(64)?\(/.test(line)) order += 'p'
  }
  expect(order).toMatch(/^(p+fra+)+$/)
})

function work(directory: string, inject: readonly string[]): Record<string, unknown> {
  const child = join(compiled, 'test', 'fault', 'failing-disk.js')
  const trace = ['-f', '-qq', '-o', '/dev/null', '-e', 'trace=fdatasync,pwrite64,writev']
  const run = spawnSync('strace', [...trace, ...inject, process.execPath, child, directory, '300'], {
    encoding: 'utf8',
  })
  return JSON.parse(run.stdout) as Record<string, unknown>
}
