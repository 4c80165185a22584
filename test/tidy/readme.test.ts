import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import process from 'node:process'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { awsKmsServer } from '../support/aws-kms-server.ts'
import { type TestServer, testServer } from '../support/postgres.ts'
import { softToken } from '../support/softhsm.ts'
import { transitServer } from '../support/transit-server.ts'
import { examplesIn } from './readme.ts'
import { readTree, textOf } from './tree.ts'

const tree = readTree()
// The card holds figures that a program wrote, and nothing to run.
const texts = [
  'README.md',
  ...[...tree.keys()].filter((path) => /^docs\/[^/]+\.md$/.test(path) && path !== 'docs/card.md'),
]
const home = process.cwd()
let folder = ''

beforeEach(() => {
  folder = mkdtempSync(`${tmpdir()}/guise-readme-`)
  process.chdir(folder)
})

afterEach(() => {
  process.chdir(home)
  rmSync(folder, { recursive: true, force: true })
})

describe.each(texts)('%s', (path) => {
  const text = textOf(tree, path)
  const examples = examplesIn(text)

  if (text.includes("process.env['DATABASE_URL']")) serverFor()
  if (text.includes("process.env['VAULT_ADDR']")) providersFor()

  test('has examples that run, and no TypeScript that does not', () => {
    expect(examples.length).toBeGreaterThan(0)
    expect(examplesIn(text, 'ts')).toEqual([])
  })

  for (const { number, line } of examples) {
    test(`the example at line ${line} runs`, async () => {
      await import(/* @vite-ignore */ `${path}.${number}.ts`)
    }, 60_000)
  }
})

/** Examples speak to the server that DATABASE_URL names. */
function serverFor(): void {
  let server: TestServer
  beforeAll(async () => {
    server = await testServer()
    process.env['DATABASE_URL'] = server.url
  }, 120_000)
  afterAll(async () => {
    await server?.stop()
  }, 60_000)
}

/** Examples speak to a token, to a transit server and to AWS KMS, which the environment names. */
function providersFor(): void {
  const ends: (() => unknown)[] = []
  beforeAll(async () => {
    const secrets = mkdtempSync(`${tmpdir()}/guise-secrets-`)
    ends.push(() => rmSync(secrets, { recursive: true, force: true }))
    const token = softToken()
    ends.push(() => token.remove())
    const transit = await transitServer()
    ends.push(() => transit.close())
    const aws = await awsKmsServer()
    ends.push(() => aws.close())
    writeFileSync(`${secrets}/pin`, token.pin)
    writeFileSync(`${secrets}/token`, transit.token)
    Object.assign(process.env, {
      HSM_MODULE: token.module,
      HSM_PIN_FILE: `${secrets}/pin`,
      VAULT_ADDR: transit.address,
      VAULT_TOKEN_FILE: `${secrets}/token`,
      AWS_ENDPOINT_URL_KMS: aws.address,
    })
  })
  afterAll(async () => {
    for (const end of ends.reverse()) await end()
  })
}

test('blocks marked to run are found, others are not', () => {
  const markdown =
    '# A\n\n```ts run\nconst a = 1\n```\n\n```ts\nno\n```\n```sh\nno\n```\n```ts run\nb\n\nc\n```\n'
  expect(examplesIn(markdown)).toEqual([
    { number: 1, line: 3, code: 'const a = 1\n' },
    { number: 2, line: 13, code: 'b\n\nc\n' },
  ])
  expect(examplesIn(markdown, 'sh')).toEqual([{ number: 1, line: 10, code: 'no\n' }])
})
