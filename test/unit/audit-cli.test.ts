/** `guise audit verify`: what it prints and how it ends. @module */
import { writeFileSync } from 'node:fs'
import { fileAnchor } from 'guise/node'
import { describe, expect, test } from 'vitest'
import { auditCommand } from '../../src/cli/audit.ts'
import { hex } from '../reference/bytes.ts'
import { checkpointAt, exportBytes, looseExport, ORIGIN, testLog } from '../support/audit.ts'
import { type Ran, ran, temporaryFolder } from './cli-support.ts'

const folder = temporaryFolder()
const log = await testLog(1200)
const { entries, checkpoint, signer } = log
const key = signer.verifierKey

async function written(bytes: Uint8Array | string, name: string): Promise<string> {
  writeFileSync(folder.at(name), bytes)
  return folder.at(name)
}

const verify = (...argv: string[]): Promise<Ran> => ran(auditCommand, ['verify', ...argv])

describe('a log that holds', () => {
  test('is told in a sentence, or as JSON', async () => {
    const path = await written(await exportBytes(entries, checkpoint), 'log')
    const root = hex(checkpoint.root)
    expect(await verify('--log', path, '--key', key)).toEqual({
      code: 0,
      out: `${ORIGIN}: 1,200 entries of 3 writers hold, nothing older to compare with\nroot ${root}\n`,
      err: '',
    })
    const older = await written((await checkpointAt(log, 7)).note, 'seven')
    const older2 = await written((await checkpointAt(log, 1100)).note, 'eleven')
    const anchor = folder.at('anchor')
    await fileAnchor(anchor).advance(await checkpointAt(log, 600))
    const known = ['--checkpoint', older, '--checkpoint', older2, '--anchor', anchor]
    expect((await verify('--log', path, '--key', key, ...known)).out).toContain(
      'continues sizes 7, 600, 1,100\n',
    )
    const { out } = await verify('--log', path, '--key', key, ...known, '--json')
    expect(JSON.parse(out)).toEqual({
      holds: true,
      origin: ORIGIN,
      size: 1200,
      root,
      writers: 3,
      compared: [7, 600, 1100],
    })
  })

  test('shows how far it is on a terminal', async () => {
    const path = await written(await exportBytes(entries, checkpoint), 'long')
    expect((await ran(auditCommand, ['verify', '--log', path, '--key', key], true)).err).toContain(
      'verifying',
    )
  })
})

describe('a log that does not hold', () => {
  test('is told with the first fault and its entry', async () => {
    const path = await written(looseExport(entries.toSpliced(1100, 1), checkpoint.note), 'cut')
    const told = await verify('--log', path, '--key', key)
    expect([told.code, told.out]).toEqual([1, ''])
    expect(told.err).toMatch(/^ERR_AUDIT_DELETION: an entry of a writer is missing \(entry 1,10\d\)\n$/)
    const json = await verify('--log', path, '--key', key, '--json')
    expect([json.code, json.err]).toEqual([1, ''])
    expect(JSON.parse(json.out)).toMatchObject({ holds: false, code: 'ERR_AUDIT_DELETION' })
  })

  test('has no entry to show when only the root differs', async () => {
    const { note } = (await testLog(1200)).checkpoint
    const path = await written(looseExport(entries, note), 'other')
    expect((await verify('--log', path, '--key', key)).err).toMatch(/^ERR_AUDIT_EDIT: [a-z ]+\n$/)
    expect(JSON.parse((await verify('--log', path, '--key', key, '--json')).out)).toEqual({
      holds: false,
      code: 'ERR_AUDIT_EDIT',
      index: null,
    })
  })

  test('is shorter than what was anchored', async () => {
    const short = await checkpointAt(log, 1000)
    const path = await written(await exportBytes(entries, short), 'short')
    const anchor = folder.at('anchored')
    await fileAnchor(anchor).advance(checkpoint)
    expect((await verify('--log', path, '--key', key)).code).toBe(0)
    expect((await verify('--log', path, '--key', key, '--anchor', anchor)).err).toContain(
      'ERR_AUDIT_TRUNCATION',
    )
  })
})

describe('otherwise', () => {
  test.each<[number, RegExp, string[]]>([
    [2, /^a verb is missing\n\nUsage/, []],
    [2, /^the verb is unknown\n/, ['prove']],
    [2, /^too many arguments\n/, ['verify', 'log']],
    [2, /^--log is missing\n/, ['verify', '--key', key]],
    [2, /^--key is missing\n/, ['verify', '--log', 'log']],
    [2, /unknown|Unknown/, ['verify', '--lgo', 'log']],
    [1, /^ENOENT/, ['verify', '--log', '/nowhere/log', '--key', key]],
    [1, /^ENOENT/, ['verify', '--log', '/nowhere/log', '--key', key, '--checkpoint', '/nowhere/note']],
    [1, /^ENOENT/, ['verify', '--log', '/nowhere/log', '--key', key, '--anchor', '/nowhere/anchor']],
    [1, /^ERR_AUDIT_FORMAT/, ['verify', '--log', '/nowhere/log', '--key', 'key']],
  ])('exit code %i, %s', async (code, text, argv) => {
    const told = await ran(auditCommand, argv)
    expect([told.code, told.out]).toEqual([code, ''])
    expect(told.err).toMatch(text)
  })

  test('--help prints the usage', async () => {
    expect(await ran(auditCommand, ['--help'])).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^Usage: guise audit/),
    })
  })
})
