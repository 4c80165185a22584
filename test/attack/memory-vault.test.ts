/** Every verb many times: nothing of faces and keys stays in memory (I-03) or comes to the disk (I-01, I-02); the full run is slow. Linux only. @module */

import { beforeAll, expect, test } from 'vitest'
import { compile } from '../fault/compile.ts'
import { VAULT_FOLDERS } from '../fault/vault-folders.ts'
import { searchMemory } from './memory-search.ts'

const COUNT = Number(process.env['GUISE_MEMORY_OPERATIONS_SMOKE'] ?? 40)
/** An opening by a quorum costs as much as many without. */
const CUSTODIES = [
  ['operator', COUNT],
  ['holder', COUNT],
  ['quorum', Math.ceil(COUNT / 4)],
] as const
let compiled = ''

beforeAll(() => {
  compiled = compile({ folders: [...VAULT_FOLDERS, 'src/quorum'] })
}, 120_000)

test.each(CUSTODIES)(
  'custody %s: %i operations of each verb leave nothing of a face or key, in memory or on disk',
  { timeout: 240_000 },
  async (custody, count) => {
    const phases = ['match with an operation id', 'erase']
    const { open, elements, ...result } = await searchMemory({ compiled, custody, count, phases })
    console.info(
      `${custody}: ${result.pieces} pieces of ${result.kinds} kinds in ${result.scannedBytes} bytes; elements of a quorum: ${JSON.stringify(elements)}`,
    )
    expect(result.signing).toEqual({})
    expect(result.disk.found).toEqual({})
    expect(Object.keys(result.disk.planted)).toHaveLength(result.disk.kinds)
    for (const { name, found } of result.phases) expect({ name, found }).toEqual({ name, found: {} })
    // Controls: what was planted is found, and so are the keys that an open vault holds.
    for (const [kind, found] of Object.entries(result.planted))
      expect([kind, found > 0]).toEqual([kind, true])
    expect(Object.keys(open).sort()).toEqual([
      'custody key of the operator',
      'key of the key directory',
      'prepared epoch key',
      'realm key',
    ])
  },
)
