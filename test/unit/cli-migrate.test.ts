/** `guise migrate`: what it prints, its exit codes, what it refuses. @module */
import { writeFileSync } from 'node:fs'
import { lmdbStore } from 'guise/lmdb'
import { localKeyProvider, type ModelMigration } from 'guise/node'
import { beforeAll, expect, test } from 'vitest'
import { migrateCommand } from '../../src/cli/migrate.ts'
import { encodeOperatingPoint } from '../../src/evaluate/operating-file.ts'
import { NEXT, NEXT_BITS } from '../support/models.ts'
import { basis, MODEL, point, sample, testVault } from '../support/vault.ts'
import { type Ran, ran, temporaryFolder } from './cli-support.ts'

const { at } = temporaryFolder()
const key = new Uint8Array(32).fill(7)

beforeAll(async () => {
  writeFileSync(at('key'), key)
  writeFileSync(at('log-key'), new Uint8Array(32).fill(5))
  writeFileSync(at('old.json'), encodeOperatingPoint(point(MODEL)))
  writeFileSync(at('new.json'), encodeOperatingPoint(point(NEXT, NEXT_BITS)))
  const provider = localKeyProvider({ path: at('provider'), key })
  const store = await lmdbStore({ path: at('store') })
  const { vault, keyring } = await testVault({ provider, store })
  for (let person = 0; person < 3; person++) {
    await vault.enroll({ subject: `person ${person}`, basis: basis(), ...sample(person) })
  }
  await vault.verify({ subject: 'person 0', ...sample(0, 1) })
  await vault.close()
  keyring.close()
  await store.close()
  provider.close()
})

function migrate(...words: readonly string[]): Promise<Ran> {
  const where = [
    '--realm',
    'clinic',
    '--store',
    at('store'),
    '--provider',
    at('provider'),
    '--key-file',
    at('key'),
  ]
  return ran(migrateCommand, [...words, ...where])
}

const SIGNED = (): readonly string[] => ['--origin', 'test.example/guise', '--log-key-file', at('log-key')]
const MODELS = (): readonly string[] => [
  '--from',
  at('old.json'),
  '--from-dimensions',
  '128',
  '--point',
  at('new.json'),
  '--dimensions',
  '256',
  '--closes',
  '2090-01-31',
]

test('a migration from its announcement to its end', async () => {
  expect(await migrate('status')).toMatchObject({ code: 0, out: 'no migration of models\n' })
  const first = await migrate('announce', '--opens', '2089-01-01T08:00:00Z', ...MODELS(), ...SIGNED())
  expect(first).toMatchObject({ code: 0, err: '' })
  expect(first.out).toContain(
    'test@1 to next@1: announced, 2089-01-01T08:00:00.000Z to 2090-01-31T00:00:00.000Z\n',
  )
  expect((await migrate('finish')).err).toContain('ERR_VAULT_TRANSITION')
  expect(await migrate('withdraw', '--actor', 'operator')).toMatchObject({
    code: 0,
    out: 'no migration of models\n',
  })
  expect(await migrate('announce', ...MODELS())).toMatchObject({ code: 0 })
  expect((await migrate('withdraw')).code).toBe(1)
  const text = await migrate('status')
  expect(text.code).toBe(3)
  expect(text.out).toMatch(/0 moved, 3 left\n\nleft +state +since +last match\n/)
  expect(text.out.match(/ {2}none\n/g)).toHaveLength(2)
  const json = await migrate('status', '--json')
  const status = JSON.parse(json.out) as ModelMigration
  expect(status).toMatchObject({ stage: 'dual', left: 3, moved: 0 })
  expect(status.stragglers).toHaveLength(3)
  expect(await migrate('finish', ...SIGNED())).toMatchObject({ code: 3 })
  const ended = await migrate('finish', '--rest', 'suspend', '--rate', '1000', '--json', ...SIGNED())
  expect(ended.code).toBe(0)
  expect(JSON.parse(ended.out)).toMatchObject({ stage: 'finished', left: 3 })
  expect((await migrate('finish')).code).toBe(0)
})

test('words that it does not take', async () => {
  const wrong: readonly (readonly string[])[] = [
    [],
    ['walk'],
    ['status', 'more'],
    ['status', '--rest', 'suspend'],
    ['finish', '--rest', 'keep'],
    ['finish', '--origin', 'test.example/guise'],
    ['announce', '--from', at('old.json'), '--from-dimensions', '128'],
    ['announce', ...MODELS().slice(0, -1), 'soon'],
    ['announce', '--from', at('old.json')],
  ]
  for (const words of wrong)
    expect({ words, code: (await migrate(...words)).code }).toEqual({ words, code: 2 })
  const help = await ran(migrateCommand, ['--help'])
  expect(help).toMatchObject({ code: 0, err: '' })
  expect(help.out).toContain('Exit codes: 0 done, 1 failed, 2 wrong usage, 3 people are left.')
})
