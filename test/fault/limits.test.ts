/** A full disk, a read-only directory, no file numbers left: typed errors, nothing lost, and work again afterwards (STORE-8, KEYS-2, AUDIT-13). @module */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { compile, type Mutation } from './compile.ts'

const FOLDERS = ['src/base', 'src/crypto', 'src/store', 'src/audit', 'src/keys']
let compiled = ''

beforeAll(() => {
  compiled = compile({ folders: FOLDERS })
}, 120_000)

interface Told {
  readonly lines: readonly string[]
  readonly ended: string
}

async function run(subject: string, limit: string, folder: string): Promise<Told> {
  const base = mkdtempSync(join(tmpdir(), 'guise-limits-'))
  // The child may be another user than this one.
  chmodSync(base, 0o777)
  try {
    const child = spawn(
      process.execPath,
      [join(folder, 'test', 'fault', 'limits-child.js'), base, subject, limit],
      { stdio: ['ignore', 'pipe', 'ignore'] },
    )
    let text = ''
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
    })
    const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
    return { lines: text.split('\n').slice(0, -1), ended: String(signal ?? code) }
  } finally {
    rmSync(base, { recursive: true, force: true })
  }
}

const codes = ({ lines }: Told, what: string): readonly string[] =>
  lines.filter((line) => line.startsWith(`${what} `)).map((line) => line.slice(what.length + 1))

test.each<[string, string, string, RegExp]>([
  ['STORE-8', 'store', 'full', /^ERR_STORE_(?:FULL|INDETERMINATE|FAILED)$/],
  ['STORE-8', 'store', 'readonly', /^ERR_STORE_READONLY$/],
  ['STORE-8', 'store', 'files', /^ERR_STORE_FAILED$/],
  ['AUDIT-13', 'anchor', 'full', /^ERR_AUDIT_ANCHOR$/],
  ['AUDIT-13', 'anchor', 'lock', /^ERR_AUDIT_ANCHOR$/],
  ['AUDIT-13', 'anchor', 'readonly', /^ERR_AUDIT_ANCHOR$/],
  ['AUDIT-13', 'anchor', 'files', /^ERR_AUDIT_ANCHOR$/],
  ['KEYS-2', 'keys', 'full', /^ERR_KEYS_PROVIDER$/],
  ['KEYS-2', 'keys', 'readonly', /^ERR_KEYS_PROVIDER$/],
  ['KEYS-2', 'keys', 'files', /^ERR_KEYS_PROVIDER$/],
])('%s %s under limit %s', { timeout: 60_000 }, async (_, subject, limit, code) => {
  const told = await run(subject, limit, compiled)
  const during = [...codes(told, 'during'), ...codes(told, 'open')]
  const refused = during.filter((each) => each !== 'none')
  console.info(`${subject}, ${limit}: ${refused.length} refused of ${during.length}`)
  expect(refused.length).toBeGreaterThan(0)
  for (const each of refused) expect(each).toMatch(code)
  expect(codes(told, 'before')).toEqual(['none', 'none', 'none'])
  expect(codes(told, 'reopen')).toEqual(['none'])
  expect(codes(told, 'afterwards')).toEqual(['none', 'none', 'none'])
  expect(codes(told, 'missing')).toEqual(['none', 'none'])
  expect(codes(told, 'left')).toEqual(['0'])
  expect([told.lines.at(-1), told.ended]).toEqual(['done', '0'])
})

test.each<[string, string, Mutation]>([
  [
    'an anchor that says nothing of a failed write',
    'anchor',
    {
      file: 'src/audit/file-anchor.ts',
      from: "throw anchorFault('the anchor cannot be written', { cause: error, retryable: true })",
      to: 'return',
    },
  ],
  [
    'a store that says nothing of a failed flush',
    'store',
    {
      file: 'src/store/lmdb-group.ts',
      from: 'if (failure === undefined) this.#telling',
      to: 'if (failure === undefined || failure.cause) this.#telling',
    },
  ],
])('control: %s', { timeout: 60_000 }, async (_, subject, mutation) => {
  const told = await run(subject, 'full', compile({ folders: FOLDERS, mutation }))
  const refused = codes(told, 'during').filter((each) => each !== 'none')
  const caught =
    refused.some((each) => each.startsWith('untyped')) ||
    codes(told, 'missing').join() !== 'none,none' ||
    told.lines.at(-1) !== 'done'
  expect(caught).toBe(true)
})
