/** `guise holder`: verbs, secrets from files, exit codes. @module */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { certificatePin } from 'guise/node'
import { readQuorumKey } from 'guise/quorum'
import { beforeAll, describe, expect, test } from 'vitest'
import { fromBase64 } from '../../src/base/bytes.ts'
import { holderCommand } from '../../src/cli/holder.ts'
import { requestLog } from '../support/quorum.ts'
import { ran, temporaryFolder } from './cli-support.ts'

const folder = temporaryFolder()
const run = (...argv: readonly string[]) => ran(holderCommand, argv)
let logKey = ''

beforeAll(async () => {
  logKey = (await requestLog()).signer.verifierKey
  for (const index of [1, 2, 3]) writeFileSync(folder.at(`key-${index}`), new Uint8Array(32).fill(index))
  const made = await run(...init('q'), ...keys(3), '--json')
  expect(made).toMatchObject({ code: 0, err: '' })
  expect(made.out).toBe(readFileSync(`${folder.at('q')}/quorum.json`, 'utf8'))
})

function init(into: string): string[] {
  const size = ['--realm', 'clinic', '--threshold', '2', '--holders', '3']
  const budgets = ['--record-per-hour', '5', '--record-total', '50', '--all-per-hour', '500']
  return ['init', ...size, ...budgets, '--log-key', logKey, '--into', folder.at(into)]
}

function keys(count: number): string[] {
  return Array.from({ length: count }, (_, i) => ['--key-file', folder.at(`key-${i + 1}`)]).flat()
}

function at(index: number, key = index): string[] {
  return ['--folder', `${folder.at('q')}/holder-${index}`, '--key-file', folder.at(`key-${key}`)]
}

describe('init', () => {
  test('says what is to be pinned, and status what each holder is', async () => {
    const pinned = JSON.parse(readFileSync(`${folder.at('q')}/quorum.json`, 'utf8')) as {
      key: string
      members: { index: number; verifierKey: string }[]
    }
    const key = readQuorumKey(fromBase64(pinned.key) as Uint8Array)
    expect([key.realm, key.threshold, key.holders, key.epoch, key.refresh]).toEqual(['clinic', 2, 3, 1, 0])
    for (const { index, verifierKey } of pinned.members) {
      const { code, out } = await run('status', ...at(index), '--json')
      expect(code).toBe(0)
      expect(JSON.parse(out)).toMatchObject({
        index,
        verifierKey,
        generations: 0,
        revoked: 0,
        seen: 0,
        sequence: 0,
        shares: [{ epoch: 1, refresh: 0, threshold: 2, holders: 3 }],
        budgets: { recordPerHour: 5, recordTotal: 50, allPerHour: 500 },
      })
    }
    const text = await run('status', ...at(2))
    expect(text.out).toMatch(/^clinic, holder 2\nshare {7}epoch 1, refresh 0, 2 of 3/)
  })

  test('overwrites nothing', async () => {
    expect((await run(...init('q'), ...keys(3))).code).toBe(2)
    expect((await run('certificate', '--name', 'a.example', '--into', folder.at('tls'))).code).toBe(0)
    expect((await run('certificate', '--name', 'a.example', '--into', folder.at('tls'))).code).toBe(2)
  })

  test('takes passphrases, one for each', async () => {
    writeFileSync(folder.at('words'), 'correct horse\n')
    const words = ['--passphrase-file', folder.at('words')]
    const two = init('p').map((word, i, all) => (all[i - 1] === '--holders' ? '2' : word))
    expect((await run(...two, ...words, ...words)).code).toBe(0)
    const made = ['--folder', `${folder.at('p')}/holder-2`]
    expect((await run('status', ...made, ...words)).code).toBe(0)
    expect((await run('status', ...made, '--key-file', folder.at('key-1'))).err).toMatch(
      /^ERR_KEYS_PASSPHRASE/,
    )
  }, 60_000)
})

test('certificate prints the pin of what it wrote', async () => {
  const { out } = await run('certificate', '--name', '127.0.0.1', '--into', folder.at('tls-2'))
  expect(certificatePin(readFileSync(`${folder.at('tls-2')}/tls.crt`, 'utf8'))).toBe(out.trim())
})

test('accept takes a statement of the log’s key only', async () => {
  writeFileSync(folder.at('statement'), 'nothing')
  const given = ['--statement', folder.at('statement'), '--actor', 'keeper-1', '--out', folder.at('note')]
  const said = await run('accept', ...at(3), ...given)
  expect([said.code, said.err]).toEqual([1, expect.stringMatching(/^ERR_QUORUM_INPUT/)])
  expect(existsSync(folder.at('note'))).toBe(false)
  expect((await run('accept', ...at(3), ...given.slice(2))).code).toBe(2)
})

test('status over a store that was put back fails', async () => {
  const path = `${folder.at('q')}/holder-1`
  const anchored = `${path}/anchor`
  expect(existsSync(anchored)).toBe(false)
  const begun = [1, 2, 3].map((i) => run('refresh', 'begin', ...at(i), '--out', folder.at(`opening-${i}`)))
  for (const { code } of await Promise.all(begun)) expect(code).toBe(0)
  const openings = [1, 2, 3].map((i) => folder.at(`opening-${i}`))
  for (const i of [1, 2, 3])
    expect((await run('refresh', 'deal', ...openings, ...at(i), '--out', folder.at('packages'))).code).toBe(0)
  const sent = [2, 3].map((i) => folder.at(`packages/package-${i}-to-1`))
  expect((await run('refresh', 'apply', ...sent.toReversed().slice(1), ...at(1))).err).toMatch(
    /^ERR_QUORUM_ROUND/,
  )
  expect((await run('refresh', 'apply', ...sent, ...at(1))).out).toMatch(
    /^share of epoch 1, refresh 1; quorum key /,
  )
  const retired = await run('refresh', 'retire', '--epoch', '1', '--refresh', '1', ...at(1), '--json')
  expect(JSON.parse(retired.out)).toMatchObject({ epoch: 1, refresh: 1 })
  const { out } = await run('status', ...at(1), '--json')
  expect(JSON.parse(out)).toMatchObject({
    sequence: 1,
    anchored: 1,
    floors: [{ epoch: 1, refresh: 1 }],
    shares: [{ refresh: 1 }],
  })
  // The store of holder 2, which nothing was ever committed to, under the anchor of holder 1.
  const put = await run('status', ...at(1), '--store', `${folder.at('q')}/holder-2/store`)
  expect([put.code, put.err]).toEqual([1, expect.stringMatching(/^ERR_QUORUM_ROLLBACK/)])
  expect((await run('refresh', 'abandon', ...at(2))).code).toBe(0)
})

test.each<[string, () => string[]]>([
  ['no verb', () => []],
  ['an unknown verb', () => ['open']],
  ['words behind status', () => ['status', 'more', ...at(1)]],
  ['no secret', () => ['status', '--folder', folder.at('q')]],
  ['two secrets', () => ['status', ...at(1), '--key-file', folder.at('key-2')]],
  ['too few secrets', () => [...init('r'), ...keys(2)]],
  ['no budget', () => init('r').filter((word) => word !== '--record-total' && word !== '50')],
  ['no step', () => ['refresh', ...at(1)]],
  ['files for begin', () => ['refresh', 'begin', 'a', ...at(1), '--out', 'b']],
  ['no files for deal', () => ['refresh', 'deal', ...at(1), '--out', 'b']],
  ['no --out', () => ['refresh', 'begin', ...at(1)]],
  ['an address without a port', () => ['serve', ...at(1), '--listen', 'localhost']],
  [
    'no client',
    () => [
      'serve',
      ...at(1),
      '--listen',
      'a:1',
      '--tls-key',
      folder.at('key-1'),
      '--tls-cert',
      folder.at('key-1'),
    ],
  ],
])('%s is wrong usage', async (_, argv) => {
  expect(await run(...argv())).toMatchObject({ code: 2, out: '' })
})

test('a folder that is not there, and one that is another’s, fail', async () => {
  expect((await run('status', '--folder', folder.at('none'), ...keys(1))).code).toBe(1)
  expect((await run('status', ...at(1, 2))).err).toMatch(/^ERR_KEYS_PASSPHRASE/)
})
