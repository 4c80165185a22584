/** What contention on PostgreSQL must come to, and runs that must look otherwise (I-26); the time differs by tier. @module */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { type TestServer, testServer } from '../support/postgres.ts'
import { compile } from './compile.ts'
import { type ContentionResult, contend } from './postgres-contention.ts'
import { VAULT_FOLDERS } from './vault-folders.ts'

const CONTROL_MS = 8000
/** What a call may come to when others were faster; a code of a row, a seal or a log would be a fault. */
const EXPECTED =
  /^\w+ (?:ok|match|nonmatch|refused|ERR_VAULT_(?:TRANSITION|ENROLLED|UNKNOWN_SUBJECT|OVERLOADED)|ERR_STORE_(?:BUSY|CONFLICT))$/

export function contentionTests(
  options: { readonly durationMs: number; readonly controls: boolean },
  timeout: number,
): void {
  const { durationMs } = options
  let server: TestServer
  let compiled = ''

  beforeAll(async () => {
    compiled = compile({ folders: VAULT_FOLDERS })
    server = await testServer(['max_connections=60'])
  }, 120_000)

  afterAll(async () => {
    await server?.stop()
  }, 60_000)

  test(`${durationMs / 1000} seconds of all verbs on 4 people from 16 connections: no error is untyped, no call takes 10 seconds`, {
    timeout,
  }, async () => {
    const result = await contend({ compiled, server, durationMs, seed: 26_001 })
    tell(26_001, result)
    expect(result.untyped).toEqual([])
    expect(unexpected(result)).toEqual([])
    expect(result.late).toEqual([])
    expect(result.faults).toEqual([])
    expect(result.calls).toBeGreaterThan(durationMs / 200)
  })

  if (!options.controls) return

  test('rows that somebody else holds for 12 seconds are given up, typed', { timeout }, async () => {
    const result = await contend({
      compiled,
      server,
      durationMs: CONTROL_MS,
      seed: 26_002,
      variant: 'given up',
    })
    tell(26_002, result)
    expect(result.untyped).toEqual([])
    expect(unexpected(result)).toEqual([])
    expect(Object.keys(result.outcomes).some((outcome) => outcome.endsWith('ERR_STORE_BUSY'))).toBe(true)
  })

  test('the control that waits for them is seen to be stuck', { timeout }, async () => {
    const result = await contend({ compiled, server, durationMs: CONTROL_MS, seed: 26_003, variant: 'held' })
    tell(26_003, result)
    expect(result.late.length).toBeGreaterThan(0)
  })

  test('the control that lets errors of a driver through is seen to be untyped', { timeout }, async () => {
    const result = await contend({ compiled, server, durationMs: CONTROL_MS, seed: 26_004, variant: 'raw' })
    tell(26_004, result)
    expect(result.untyped.length).toBeGreaterThan(0)
  })
}

function unexpected({ outcomes }: ContentionResult): readonly string[] {
  return Object.keys(outcomes).filter((outcome) => !EXPECTED.test(outcome))
}

function tell(seed: number, { untyped, ...result }: ContentionResult): void {
  console.info(`seed ${seed}: ${JSON.stringify({ ...result, untyped: untyped.length })}`)
}
