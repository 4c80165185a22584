/** Galleries under several processes on one store: one record a face, and nobody named who was revoked. @module */
/// <reference types="node" />

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { fsck } from '../../src/vault/fsck.ts'
import { compile } from './compile.ts'
import { VAULT_FOLDERS } from './vault-folders.ts'
import { openWorld } from './vault-world.ts'

const WORKERS = 4
const FACES = 20
let base = ''
let lines: readonly string[][] = []
let faults = -1

beforeAll(async () => {
  base = mkdtempSync(join(tmpdir(), 'guise-gallery-'))
  const directory = join(base, 'store')
  mkdirSync(directory, { mode: 0o700 })
  await (await openWorld(directory, { gallery: true })).close()
  const entry = join(compile({ folders: VAULT_FOLDERS }), 'test', 'fault', 'gallery-child.js')
  const children = Array.from({ length: WORKERS }, (_, worker) =>
    spawn(process.execPath, [entry, directory, `${worker}`, `${FACES}`], {
      stdio: ['pipe', 'pipe', 'inherit'],
    }),
  ) as unknown as ChildProcessWithoutNullStreams[]
  lines = await runTogether(children)
  const world = await openWorld(directory, { gallery: true })
  const found: unknown[] = []
  for await (const fault of fsck({ keyring: world.keyring, store: world.ctx.ring.store })) found.push(fault)
  faults = found.length
  await world.close()
}, 240_000)

afterAll(() => rmSync(base, { recursive: true, force: true }))

/** Lets all of them go on when all have said so. */
async function runTogether(children: readonly ChildProcessWithoutNullStreams[]): Promise<string[][]> {
  const said: string[][] = []
  const waiting = { ready: 0, filled: 0 }
  const ended = children.map((child) => once(child, 'exit'))
  for (const child of children) {
    createInterface({ input: child.stdout }).on('line', (line) => {
      said.push(line.split(' '))
      if (line !== 'ready' && line !== 'filled') return
      waiting[line] += 1
      if (waiting[line] === children.length) for (const each of children) each.stdin.write('go\n')
    })
  }
  const codes = await Promise.all(ended)
  expect(codes.map(([code]) => code as unknown)).toEqual(children.map(() => 0))
  return said
}

const of = (word: string): readonly (readonly string[])[] => lines.filter(([first]) => first === word)

test('GALLERY-19 of four processes that enrol each face at once, one succeeds', () => {
  const enrolled = of('enrolled').map(([, face]) => Number(face))
  expect([...enrolled].sort((a, b) => a - b)).toEqual(Array.from({ length: FACES }, (_, face) => face))
  expect(of('refused')).toHaveLength((WORKERS - 1) * FACES)
  expect(new Set(of('refused').map(([, , code]) => code))).toEqual(new Set(['ERR_GALLERY_DUPLICATE']))
})

test('GALLERY-14 no process names a face in a search that began after its revocation had returned', () => {
  const revoked = new Map(of('revoked').map(([, face, at]) => [face, Number(at)]))
  expect(revoked.size).toBe(FACES)
  let before = 0
  let after = 0
  for (const [, face, at, outcome] of of('asked')) {
    if (Number(at) > (revoked.get(face) ?? 0)) {
      after += 1
      expect(outcome).toBe('none')
    } else if (outcome === 'candidates') before += 1
  }
  expect(before).toBeGreaterThan(FACES)
  expect(after).toBeGreaterThan(FACES)
})

test('GALLERY-10 what they leave behind has no fault', () => {
  expect(faults).toBe(0)
})
