/** `guise people`: what it counts, logs and prints, and its exit codes. @module */
import { writeFileSync } from 'node:fs'
import { lmdbStore } from 'guise/lmdb'
import { localKeyProvider, type PeopleReading } from 'guise/node'
import { beforeAll, expect, test } from 'vitest'
import { peopleCommand } from '../../src/cli/people.ts'
import { basis, sample, testVault } from '../support/vault.ts'
import { type Ran, ran, temporaryFolder } from './cli-support.ts'

const { at } = temporaryFolder()
const key = new Uint8Array(32).fill(7)

beforeAll(async () => {
  writeFileSync(at('key'), key)
  const provider = localKeyProvider({ path: at('provider'), key })
  const store = await lmdbStore({ path: at('store') })
  const { vault, keyring } = await testVault({ provider, store })
  for (const subject of ['anna', 'ben', 'cleo']) await vault.enroll({ subject, basis: basis(), ...sample(1) })
  await vault.erase('cleo')
  await vault.close()
  keyring.close()
  await store.close()
  provider.close()
})

function people(...more: readonly string[]): Promise<Ran> {
  const where = ['--realm', 'clinic', '--store', at('store'), '--provider', at('provider')]
  return ran(peopleCommand, [...where, '--key-file', at('key'), ...more])
}

test('counts, logs what is due once, and says whether a threshold is reached now', async () => {
  expect(await people()).toEqual({ code: 0, out: '2 people\n', err: '' })
  const first = await people('--thresholds', '3,2', '--actor', 'cron', '--json')
  expect(first).toMatchObject({ code: 3, err: '' })
  const told = JSON.parse(first.out) as PeopleReading
  expect(told).toMatchObject({ people: 2, reached: [{ threshold: 2 }, { threshold: 3 }] })
  // The number was 3, and is lower again: told of, and no reason for exit code 3.
  const again = await people('--thresholds', '3')
  const when = new Date(told.reached[1]?.at ?? 0).toISOString()
  expect(again).toEqual({ code: 0, out: `2 people\n3 reached, logged ${when}\n`, err: '' })
})

test('usage, help', async () => {
  const help = await ran(peopleCommand, ['--help'])
  expect(help).toMatchObject({ code: 0, err: '' })
  expect(help.out).toMatch(/^Usage: guise people /)
  for (const wrong of [['--thresholds', '0'], ['--thresholds', 'many'], ['--thresholds', ''], ['x']])
    expect(await people(...wrong)).toMatchObject({ code: 2, out: '' })
  expect((await people('--thresholds', Array.from({ length: 65 }, (_, i) => i + 1).join(','))).code).toBe(1)
})
