/** What concurrent unique enrolments must come to, and a library that must be caught (GALLERY-19); the counts differ by tier. @module */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { type TestServer, testServer } from '../support/postgres.ts'
import { compile, type Mutation } from './compile.ts'
import { type UniqueResult, uniqueTrial } from './gallery-unique-trial.ts'
import { VAULT_FOLDERS } from './vault-folders.ts'

interface Counts {
  readonly processes: number
  readonly faces: number
  readonly rounds: number
}

/** The deciding batch no longer rests on the head and the open shards as the search saw them. */
const WITHOUT_CHECKS: Mutation = {
  file: 'src/vault/gallery-change.ts',
  from: '...(seen?.checks ?? []), ',
  to: '',
}
/** Whether two processes meet at one face is chance: about three times in a small round. */
const MOST_CONTROLS = 8
const FOLDERS = { folders: VAULT_FOLDERS }

export function uniqueTests(
  counts: { readonly lmdb: Counts; readonly postgres: Counts; readonly control: Counts },
  timeout: number,
): void {
  const { lmdb, postgres, control } = counts
  let server: TestServer

  beforeAll(async () => {
    server = await testServer(['max_connections=60'])
  }, 120_000)

  afterAll(async () => {
    await server?.stop()
  }, 60_000)

  test(`GALLERY-19 on LMDB: ${titleOf(lmdb)}`, { timeout }, async () => {
    const result = await uniqueTrial({ compiled: compile(FOLDERS), ...lmdb })
    tell('LMDB', lmdb, result)
    expect(result).toMatchObject(rightOf(lmdb))
  })

  test(`GALLERY-19 on PostgreSQL: ${titleOf(postgres)}`, { timeout }, async () => {
    const result = await uniqueTrial({ compiled: compile(FOLDERS), ...postgres, server })
    tell('PostgreSQL', postgres, result)
    expect(result).toMatchObject(rightOf(postgres))
  })

  test('the control whose batch leaves out the open shards enrols a face twice', { timeout }, async () => {
    const compiled = compile({ ...FOLDERS, mutation: WITHOUT_CHECKS })
    let twice = 0
    for (let attempt = 0; attempt < MOST_CONTROLS && twice === 0; attempt++) {
      const result = await uniqueTrial({ compiled, ...control })
      tell('control', control, result)
      twice += result.wrong.filter(({ active }) => active > 1).length
    }
    expect(twice).toBeGreaterThan(0)
  })
}

function titleOf({ processes, faces, rounds }: Counts): string {
  return `${processes} processes enrol ${faces} faces at once, ${rounds} times: one active member each`
}

function rightOf({ processes, faces, rounds }: Counts): UniqueResult {
  return {
    wrong: [],
    enrolled: faces * rounds,
    refused: { ERR_GALLERY_DUPLICATE: (processes - 1) * faces * rounds },
    again: expect.any(Number) as number,
    members: faces * rounds,
    faults: 0,
  }
}

function tell(store: string, counts: Counts, { wrong, ...result }: UniqueResult): void {
  const twice = wrong.filter(({ active }) => active > 1).length
  console.info(`${store} ${JSON.stringify({ ...counts, ...result, wrong: wrong.length, twice })}`)
}
