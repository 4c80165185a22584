/** The services of docs/services as processes, on the frameworks themselves: a person's whole way over HTTP, and what is wrong. @module */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openKeyring, verifyErasureReceipt } from 'guise'
import { lmdbStore } from 'guise/lmdb'
import { localKeyProvider, type SubjectExport } from 'guise/node'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { face } from '../support/vault.ts'
import { type Answered, type Running, started } from './running.ts'

const SUBJECT = 'Ännchen.Canary@example.org'
const consent = 'ab'.repeat(32)
const vector = (person: number, index = 0): number[] => [...face(person, index)]
const nothing = (status: number) => ({ status, text: '' })
const plain = ({ status, text }: Answered) => ({ status, text })

describe.each(['fastify', 'express', 'nest'])('docs/services/%s.ts', { timeout: 60_000 }, (name) => {
  let folder = ''
  let service: Running
  const start = async (): Promise<void> => {
    service = await started([`dist/${name}.js`, folder, '0'])
  }
  const ask = async (call: string, body: unknown) => plain(await service.ask(`/faces/${call}`, body))

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'guise-service-'))
    await start()
  }, 60_000)
  afterEach(() => {
    // Whatever was asked: the operator sees codes, and neither people nor vectors.
    for (const line of service.said().trim().split('\n'))
      expect(line).toMatch(/^(?:listening on \d+|\{"code":"[A-Z_]+"\})$/)
  })
  afterAll(async () => {
    await service?.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  test('enroll, verify, revoke, export, erase, and a restart between', async () => {
    expect(await ask('enroll', { subject: SUBJECT, vector: vector(1), consent })).toEqual(nothing(201))
    expect(await ask('enroll', { subject: SUBJECT, vector: vector(1), consent })).toEqual(nothing(409))
    const verify = (operationId: string, person: number, subject = SUBJECT) =>
      ask('verify', { subject, vector: vector(person, 1), operationId })
    const match = { status: 200, text: '{"secondFactor":false}' }
    expect(await verify('a', 1)).toEqual(match)
    expect(await verify('a', 1)).toEqual(match)
    expect(await verify('b', 2)).toEqual(nothing(401))
    expect(await verify('c', 1, 'nobody')).toEqual(nothing(401))

    expect(await service.stop()).toBe(0)
    await start()
    expect(await verify('d', 1)).toEqual(match)
    expect(await ask('revoke', { subject: SUBJECT })).toEqual(nothing(204))
    expect(await verify('e', 1)).toEqual(nothing(401))
    expect(await ask('revoke', { subject: 'nobody' })).toEqual(nothing(409))

    const told = JSON.parse((await ask('export', { subject: SUBJECT })).text) as SubjectExport
    expect(told).toMatchObject({ held: 'record', record: { state: 'revoked', revoked: 'lost-device' } })
    expect(told.comparisons.map(({ outcome }) => outcome)).toEqual([
      'match',
      'match',
      'nonmatch',
      'match',
      'refused',
    ])
    expect(told.basis?.evidence).toBe(Buffer.from(consent, 'hex').toString('base64url'))

    const erased = await ask('erase', { subject: SUBJECT })
    expect(erased.status).toBe(200)
    const after = JSON.parse((await ask('export', { subject: SUBJECT })).text) as SubjectExport
    expect(after).toMatchObject({ held: 'nothing', basis: null, comparisons: [] })
    expect(await service.stop()).toBe(0)
    expect(await receiptHolds(JSON.parse(erased.text) as Receipt)).toBe(true)
    await start()
    expect(await verify('f', 1)).toEqual(nothing(401))
  })

  type Receipt = Readonly<Record<'statement' | 'signature', string>>

  async function receiptHolds({ statement, signature }: Receipt): Promise<boolean> {
    const provider = localKeyProvider({
      path: join(folder, 'keys'),
      key: readFileSync(join(folder, 'realm.key')),
    })
    const store = await lmdbStore({ path: join(folder, 'vault') })
    const keyring = await openKeyring({ realm: 'clinic', provider, store })
    const receipt = { statement: Buffer.from(statement, 'hex'), signature: Buffer.from(signature, 'hex') }
    const key = await keyring.receiptPublicKey()
    expect(() => verifyErasureReceipt({ ...receipt, signature: receipt.signature.reverse() }, key)).toThrow()
    verifyErasureReceipt({ ...receipt, signature: Buffer.from(signature, 'hex') }, key)
    keyring.close()
    provider.close()
    await store.close()
    return true
  }

  test.each<[string, string, unknown, string]>([
    ['null', 'verify', null, 'BODY'],
    ['a list', 'verify', [], 'BODY'],
    ['no subject', 'revoke', {}, 'BODY'],
    ['a subject that is a number', 'erase', { subject: 1 }, 'BODY'],
    ['no name', 'revoke', { subject: '' }, 'ERR_VAULT_INPUT'],
    ['half a surrogate', 'export', '{"subject":"\\ud800"}', 'ERR_VAULT_INPUT'],
    ['a text for a vector', 'verify', { subject: 'x', operationId: 'o', vector: 'x' }, 'BODY'],
    ['two numbers', 'verify', { subject: 'x', operationId: 'o', vector: [1, 2] }, 'ERR_EMBEDDING_LENGTH'],
    [
      'nothing but zeros',
      'verify',
      { subject: 'x', operationId: 'o', vector: Array(128).fill(0) },
      'ERR_EMBEDDING_NORM',
    ],
    [
      'texts for numbers',
      'enroll',
      { subject: 'x', consent, vector: Array(128).fill('1') },
      'ERR_EMBEDDING_TYPE',
    ],
    [
      'evidence of one byte',
      'enroll',
      { subject: 'x', consent: 'ab', vector: vector(3) },
      'ERR_POLICY_BASIS',
    ],
  ])(
    '%s is a typed error for the operator, and 400 and nothing else for the caller',
    async (_, call, body, code) => {
      const before = service.said().length
      expect(await ask(call, body)).toEqual(nothing(400))
      await expect.poll(() => service.said().slice(before)).toBe(`${JSON.stringify({ code })}\n`)
    },
  )

  test.each<[string, string, string, Record<string, string>, number]>([
    ['no JSON', '/faces/verify', '{"subject":', {}, 400],
    ['too much', '/faces/verify', JSON.stringify({ subject: 'x'.repeat(70_000) }), {}, 413],
    ['another call', '/faces/constructor', '{}', {}, 404],
    ['another path', '/other', '{}', {}, 404],
    [
      'another caller',
      '/faces/export',
      JSON.stringify({ subject: SUBJECT }),
      { authorization: 'Bearer x' },
      403,
    ],
  ])('%s is a status and no word of the framework', async (_, path, body, headers, status) => {
    const answer = await service.ask(path, body, headers)
    expect(plain(answer)).toEqual(nothing(status))
    expect(answer.headers.get('x-powered-by')).toBe(null)
  })
})
