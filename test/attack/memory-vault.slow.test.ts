/** Every verb 310 times, ten thousand operations, memory and disk searched after each: nothing is left (I-01 … I-03). @module */

import { beforeAll, expect, test } from 'vitest'
import { compile } from '../fault/compile.ts'
import { VAULT_FOLDERS } from '../fault/vault-folders.ts'
import { searchMemory } from './memory-search.ts'

const COUNT = Number(process.env['GUISE_MEMORY_OPERATIONS'] ?? 310)
let compiled = ''

beforeAll(() => {
  compiled = compile({ folders: [...VAULT_FOLDERS, 'src/quorum'] })
}, 120_000)

test.each(['operator', 'holder', 'quorum'] as const)(
  `custody %s: ${COUNT} operations of each verb leave nothing of a face or key, in memory or on disk`,
  { timeout: 3_600_000 },
  async (custody) => {
    const result = await searchMemory({ compiled, custody, count: COUNT })
    console.info(JSON.stringify(result, undefined, 1))
    expect(result.disk.found).toEqual({})
    expect(Object.keys(result.disk.planted)).toHaveLength(result.disk.kinds)
    for (const { name, found } of result.phases) expect({ name, found }).toEqual({ name, found: {} })
    for (const [kind, found] of Object.entries(result.planted))
      expect([kind, found > 0]).toEqual([kind, true])
    expect(Object.keys(result.open)).toHaveLength(4)
  },
)
