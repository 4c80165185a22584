/** The log of a vault from outside: export, proofs, acceptance of a rollback, and the commands for them (SPEC §14.4, §14.9). @module */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createKeyring, logSigner, openKeyring, type Store, type Vault } from 'guise'
import { decodeEntry, storedLog, verifyConsistency, verifyInclusion, verifyLog } from 'guise/audit'
import { lmdbStore } from 'guise/lmdb'
import { acceptAnchor, fileAnchor, localKeyProvider } from 'guise/node'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readCheckpoint } from '../../src/audit/checkpoint.ts'
import { KEY_TYPE, parseNote, parseVerifierKey, requireLogSignature } from '../../src/audit/note.ts'
import { anchorCommand } from '../../src/cli/anchor.ts'
import { auditCommand } from '../../src/cli/audit.ts'
import { rowsOf } from '../support/rows.ts'
import { basis, codeOf, SIGNER, sample, type TestVault, testVault } from '../support/vault.ts'
import { ran } from './cli-support.ts'

const ORIGIN = SIGNER.origin
const enroll = (vault: Vault, subject: string, person: number): Promise<unknown> =>
  vault.enroll({ subject, basis: basis(), ...sample(person) })

let folder = ''
const at = (name: string): string => join(folder, name)
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'guise-log-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('a stored log', () => {
  test('is exported, verified and proved from its rows alone', async () => {
    const made = await testVault()
    for (let person = 0; person < 70; person++) await enroll(made.vault, `p${person}`, person)
    const early = storedLog(made.store, 'clinic')
    await made.vault.suspend('p3')
    const older = await early.checkpoint()
    for (let person = 0; person < 70; person += 3)
      await made.vault.verify({ subject: `p${person}`, ...sample(person, 1) })
    await made.vault.close()
    const log = storedLog(made.store, 'clinic')
    const logKey = SIGNER.verifierKey
    const verified = await verifyLog(log.export(), { logKey, olderCheckpoints: [older?.note as string] })
    expect(verified.checkpoint.size).toBe(1 + 70 + 1 + 24)
    expect(verified.compared).toEqual([older?.size])
    for (const index of [0, 59, 60, 71, 95]) {
      const proof = await log.inclusion(index)
      verifyInclusion(await log.entry(index), proof, logKey)
      expect(() => verifyInclusion(new Uint8Array(5), proof, logKey)).toThrow('does not lead')
    }
    const newer = (await log.checkpoint()) as NonNullable<typeof older>
    verifyConsistency(older as typeof newer, newer, await log.consistency(older?.size ?? 0, newer.size))
    expect(await codeOf(log.entry(96))).toBe('ERR_AUDIT_EDIT')
    expect(await codeOf(log.inclusion(96))).toBe('ERR_AUDIT_INPUT')
    const nothing = storedLog(made.store, 'pharmacy')
    expect(await nothing.checkpoint()).toBeUndefined()
    expect(await codeOf(nothing.inclusion(0))).toBe('ERR_AUDIT_INPUT')
  })

  test('a receipt of an erasure carries its entry and the proof', async () => {
    const made = await testVault()
    await enroll(made.vault, 'anna', 1)
    await enroll(made.vault, 'bert', 2)
    const { audit, record } = await made.vault.erase('anna', { operationId: 'once' })
    if (audit === undefined) throw new Error('no proof')
    verifyInclusion(audit.entry, audit, SIGNER.verifierKey)
    const entry = decodeEntry(audit.entry)
    expect(entry.action).toBe('erase')
    expect(Buffer.from(entry.record ?? []).toString('base64url')).toBe(record)
    await made.vault.suspend('bert')
    const again = await made.vault.erase('anna', { operationId: 'once' })
    expect(again.audit?.size).toBe(audit.size + 1)
    expect(again.audit?.index).toBe(audit.index)
  })
})

describe('accepting a rollback', () => {
  /** A store in two states, and an anchor that knows the later one. */
  async function rolledBack(
    name: string,
  ): Promise<TestVault & { readonly old: Store; readonly anchor: string }> {
    const anchor = at(name)
    const made = await testVault({ anchor: fileAnchor(anchor) })
    await enroll(made.vault, 'anna', 1)
    await made.vault.suspend('anna')
    const { memoryStore } = await import('guise')
    const old = memoryStore()
    for (const table of [
      'references',
      'secrets',
      'states',
      'index',
      'attempts',
      'keyrings',
      'log',
    ] as const) {
      for (const { key, bytes } of await rowsOf(made.store, table)) {
        await old.commit([{ step: 'put', table, key, bytes, expected: null }])
      }
    }
    await made.vault.revoke('anna', 'withdrawn')
    await made.vault.close()
    return { ...made, old, anchor }
  }

  test('AUDIT-25 it is logged, signed, and keeps what was anchored; then the vault opens', async () => {
    const made = await rolledBack('anchor-1')
    const before = await fileAnchor(made.anchor).read()
    const keyring = await openKeyring({ realm: 'clinic', provider: made.provider, store: made.old })
    const open = (): Promise<Vault> => made.open({ keyring, store: made.old })
    expect(await codeOf(open())).toBe('ERR_AUDIT_ROLLBACK')
    const request = { keyring, logSigner: SIGNER, anchor: made.anchor, actor: 'operator-2' }
    const { checkpoint, statement, kept } = await acceptAnchor(request)
    expect((await fileAnchor(made.anchor).read())?.note).toBe(checkpoint.note)
    expect(readFileSync(kept, 'utf8')).toBe(`${before?.note}\n${statement}`)
    // The statement is signed by the log's key, and no checkpoint.
    requireLogSignature(parseNote(statement), parseVerifierKey(SIGNER.verifierKey, KEY_TYPE.log))
    expect(() => readCheckpoint(statement)).toThrow('no checkpoint')
    expect(statement).toContain(`from ${before?.size} `)
    expect(statement).toContain(`to ${checkpoint.size} `)
    const last = decodeEntry(await storedLog(made.old, 'clinic').entry(checkpoint.size - 1))
    expect([last.action, last.actor]).toEqual(['anchor-accept', 'operator-2'])
    const vault = await open()
    expect((await vault.describe('anna'))?.state).toBe('suspended')
    await vault.close()
    expect(await codeOf(acceptAnchor(request))).toBe('ERR_AUDIT_INPUT')
    expect(await codeOf(acceptAnchor({ ...request, anchor: at('nowhere') }))).toBe('ERR_AUDIT_ANCHOR')
    expect(await codeOf(acceptAnchor({ ...request, actor: '' }))).toBe('ERR_AUDIT_INPUT')
  })

  test('another key of the log is accepted like a rollback', async () => {
    const anchor = at('anchor-key')
    const made = await testVault({ anchor: fileAnchor(anchor) })
    await enroll(made.vault, 'anna', 1)
    await made.vault.suspend('anna')
    await made.vault.close()
    const next = await logSigner(ORIGIN, new Uint8Array(32).fill(6))
    expect(await codeOf(made.open({ logSigner: next }))).toBe('ERR_AUDIT_KEY')
    const { keyring } = made
    const { checkpoint } = await acceptAnchor({ keyring, logSigner: next, anchor, actor: 'operator-2' })
    const vault = await made.open({ logSigner: next })
    await vault.resume('anna')
    await vault.suspend('anna')
    await vault.close()
    const logKey = next.verifierKey
    const log = storedLog(made.store, 'clinic')
    const { compared } = await verifyLog(log.export(), { logKey, olderCheckpoints: [checkpoint.note] })
    expect(compared).toEqual([4])
  })

  test('the command does it, and says what is wrong', async () => {
    const key = new Uint8Array(32).fill(8)
    const provider = localKeyProvider({ path: at('keys'), key })
    writeFileSync(at('realm.key'), key)
    writeFileSync(at('log.key'), new Uint8Array(32).fill(5))
    const store = await lmdbStore({ path: at('store') })
    const keyring = await createKeyring({ realm: 'clinic', provider, store })
    const made = await testVault()
    const vault = await made.open({ keyring, store, anchor: fileAnchor(at('anchor')) })
    await enroll(vault, 'anna', 1)
    await vault.suspend('anna')
    await vault.close()
    // Another log of the same key has gone further.
    const other = await testVault({ anchor: fileAnchor(at('further')) })
    for (let person = 0; person < 9; person++) await enroll(other.vault, `p${person}`, person)
    await other.vault.suspend('p1')
    await other.vault.close()
    keyring.close()
    await store.close()
    const base = ['accept', '--realm', 'clinic', '--store', at('store'), '--provider', at('keys')]
    const keys = ['--key-file', at('realm.key'), '--origin', ORIGIN, '--log-key-file', at('log.key')]
    const ask = (anchor: string, ...more: string[]): ReturnType<typeof ran> =>
      ran(anchorCommand, [...base, ...keys, '--anchor', anchor, '--actor', 'operator-2', ...more])
    expect(await ask(at('anchor'))).toMatchObject({ code: 1 })
    const done = await ask(at('further'), '--json')
    expect(done.code).toBe(0)
    expect(JSON.parse(done.out)).toMatchObject({ accepted: true, origin: ORIGIN, size: 4 })
    expect(readdirSync(folder)).toContain('further.accepted-4')
    expect((await ask(at('anchor'))).code).toBe(1)
    for (const argv of [['--help'], ['accept', '--help']])
      expect((await ran(anchorCommand, argv)).code).toBe(0)
    for (const argv of [[], ['reject'], base]) expect((await ran(anchorCommand, argv)).code).toBe(2)
    writeFileSync(at('log.key'), new Uint8Array(31))
    expect((await ask(at('further'))).code).toBe(2)

    const exported = await ran(auditCommand, [
      'export',
      '--realm',
      'clinic',
      '--store',
      at('store'),
      '--log',
      at('log'),
    ])
    expect(exported).toMatchObject({ code: 0, out: `${ORIGIN}: 4 entries\n` })
    const verified = await ran(auditCommand, ['verify', '--log', at('log'), '--key', SIGNER.verifierKey])
    expect(verified.out).toContain('4 entries of')
    const again = ['export', '--realm', 'clinic', '--store', at('store'), '--log', at('log'), '--json']
    expect((await ran(auditCommand, again)).code).toBe(1)
    const none = ['export', '--realm', 'pharmacy', '--store', at('store'), '--log', at('log-2'), '--json']
    expect((await ran(auditCommand, none)).code).toBe(1)
    expect(existsSync(at('log-2'))).toBe(false)
    const gone = ['export', '--realm', 'clinic', '--store', at('no-store'), '--log', at('log-2')]
    expect((await ran(auditCommand, gone)).code).toBe(1)
    expect((await logSigner(ORIGIN, new Uint8Array(32).fill(5))).verifierKey).toBe(SIGNER.verifierKey)
  })
})
