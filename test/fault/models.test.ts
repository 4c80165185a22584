/** A migration of models killed at work beside comparisons (VAULT-80, VAULT-84); many people are slow. @module */

import { beforeAll, expect, test } from 'vitest'
import { compile } from './compile.ts'
import { modelsLine, modelsTrial } from './models-suite.ts'
import { Faces, syntheticFaces } from './models-world.ts'
import { VAULT_FOLDERS } from './vault-folders.ts'

const PEOPLE = 60
const KILLS = 3
const faces = new Faces(syntheticFaces(PEOPLE, 51_001))
let compiled = ''

beforeAll(() => {
  compiled = compile({ folders: VAULT_FOLDERS })
}, 120_000)

test(`VAULT-84 ${PEOPLE} people, ${KILLS} kills: no wrong answer, no mixed comparison, every record whole`, {
  timeout: 240_000,
}, async () => {
  const result = await modelsTrial({ compiled, faces, kills: KILLS, seed: 51_002 })
  console.info(modelsLine(result))
  const { wrong, mixed, torn, finish, verifies } = result
  expect({ wrong, mixed, torn }).toEqual({ wrong: [], mixed: [], torn: [] })
  expect(result.kills).toBe(KILLS)
  expect(finish).toMatchObject({ stage: 'finished' })
  expect(finish.moved + finish.left).toBe(PEOPLE)
  expect(finish.moved).toBeGreaterThan(PEOPLE / 2)
  expect(verifies).toBeGreaterThan(2 * PEOPLE)
})

test('the control whose moves keep the model that the template had is caught', {
  timeout: 240_000,
}, async () => {
  const mutation = { file: 'src/vault/adapt.ts', from: '    model,\n    bits,\n', to: '' }
  const mixing = compile({ folders: VAULT_FOLDERS, mutation })
  const result = await modelsTrial({ compiled: mixing, faces, kills: 1, seed: 51_003 })
  console.info(`control: ${result.wrong[0] ?? result.mixed[0] ?? result.torn[0]}`)
  expect(result.wrong.length + result.mixed.length).toBeGreaterThan(0)
  expect(result.torn.length).toBeGreaterThan(0)
})
