/** Every artefact of a vault at work, on LMDB and on PostgreSQL, searched for canaries (I-01, I-02); counts differ by tier. @module */

import { beforeAll, expect, test } from 'vitest'
import { compile } from '../fault/compile.ts'
import { POSTGRES_WORLD } from '../fault/postgres-world.ts'
import { VAULT_FOLDERS } from '../fault/vault-folders.ts'
import { withCanaryServer } from './canary-postgres.ts'
import { type CanaryResult, searchEverything } from './canary-search.ts'

export interface CanaryCounts {
  /** Operations on each store. */
  readonly lmdb: number
  readonly postgres: number
  readonly pauses: number
}

const FOLDERS = [...VAULT_FOLDERS, 'src/telemetry']

export function canaryTests(counts: CanaryCounts, timeout: number): void {
  let compiled = ''
  beforeAll(() => {
    compiled = compile({ folders: FOLDERS })
  }, 120_000)

  test(`nothing of faces, keys and names is in any file, output, error or page after ${counts.lmdb} operations on LMDB`, {
    timeout,
  }, async () => {
    const { lmdb: operations, pauses } = counts
    judge(await searchEverything({ compiled, custody: 'operator', operations, pauses }))
  })

  test(`nor in tables, WAL and statement log of the server after ${counts.postgres} operations on PostgreSQL`, {
    timeout,
  }, async () => {
    const { postgres: operations, pauses } = counts
    try {
      const result = await withCanaryServer((server, place) => {
        process.env[POSTGRES_WORLD] = place
        return searchEverything({ compiled, custody: 'holder', operations, pauses, server })
      })
      judge(result)
    } finally {
      delete process.env[POSTGRES_WORLD]
    }
  })
}

const LEAKS = [
  {
    leak: 'an error that tells what it was given',
    mutation: {
      file: 'src/base/check.ts',
      from: 'throw reject(`${name} must have 1 to ${maxBytes} bytes`)',
      to: 'throw reject(`${name} must have 1 to ${maxBytes} bytes: ${value}`)',
    },
    where: 'thrown',
    kind: 'name in utf-8',
  },
  {
    leak: 'a sample that is not wiped',
    mutation: { file: 'src/vault/sample.ts', from: '    wipe(integers)\n', to: '' },
    where: 'memory, closed',
    kind: 'integers',
  },
] as const

/** The library with one fault: the search must find what it lets out, or finding nothing means nothing. */
export function leakTests(timeout: number): void {
  test.each(LEAKS)('the control with $leak is caught', { timeout }, async ({ mutation, where, kind }) => {
    const compiled = compile({ folders: FOLDERS, mutation })
    const { found } = await searchEverything({ compiled, custody: 'operator', operations: 150, pauses: 1 })
    console.info(JSON.stringify(found))
    expect(found[where]?.[kind]).toBeGreaterThan(0)
  })
}

function judge({ found, missed, kinds, ...told }: CanaryResult): void {
  console.info(JSON.stringify({ ...told, kinds: kinds.length, found, missed }))
  expect(found).toEqual({})
  // Controls: keys that an open vault holds are found in its memory, and one planted piece of each kind is in each artefact.
  expect(told.open).toEqual([
    'custody key of the operator',
    'key of the key directory',
    'prepared epoch key',
    'realm key',
  ])
  expect(Object.entries(missed).filter(([, of]) => of.length > 0)).toEqual([])
  expect(Object.keys(missed).sort()).toEqual([...told.artefacts].sort())
}
