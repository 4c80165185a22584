/** SPEC §14.1 to §14.3: tree, entries, notes, checkpoints. @module */
import {
  type AuditEntry,
  type AuditEvent,
  decodeEntry,
  encodeEntry,
  logSigner,
  openCheckpoint,
  openCosignature,
  signCheckpoint,
  verifierKey,
  verifyConsistency,
  verifyInclusion,
  writerChain,
} from 'guise/audit'
import { describe, expect, test } from 'vitest'
import { ACTIONS, BASIS_KINDS, MAX_ENTRY_BYTES, OUTCOMES } from '../../src/audit/entry.ts'
import { hashLeaf } from '../../src/audit/tree.ts'
import { encodeCbor } from '../../src/base/cbor.ts'
import * as reference from '../reference/audit.ts'
import { hex } from '../reference/bytes.ts'
import { ed25519PublicKey } from '../reference/hashes.ts'
import { checkpointAt, codeOf, eventAt, ORIGIN, seed, testLog } from '../support/audit.ts'

const bytes = (length: number, fill = 9): Uint8Array => new Uint8Array(length).fill(fill)

const full: AuditEntry = {
  realm: 'r'.repeat(64),
  writer: bytes(16),
  sequence: Number.MAX_SAFE_INTEGER,
  previous: bytes(32),
  timeMs: 8_640_000_000_000_000,
  actor: 'é'.repeat(32),
  action: 'anchor-accept',
  handle: bytes(16),
  record: bytes(16),
  generation: bytes(20),
  outcome: 'failed',
  epoch: Number.MAX_SAFE_INTEGER,
  policy: 'p'.repeat(64),
  basis: 'vital-interest',
  state: bytes(16),
  attempts: bytes(16),
  ring: bytes(16),
}
const empty: AuditEntry = {
  ...full,
  realm: 'r',
  actor: null,
  handle: null,
  record: null,
  generation: null,
  epoch: null,
  policy: null,
  basis: null,
  state: null,
  attempts: null,
  ring: null,
}

describe('tree', () => {
  test('AUDIT-1 roots and proofs are those of RFC 9162 at every size', async () => {
    const { entries, tree } = await testLog(20)
    for (let size = 0; size <= 20; size++) {
      const part = entries.slice(0, size)
      expect(hex(await tree.rootAt(size))).toBe(hex(reference.mth(part)))
      for (let at = 0; at < size; at++) {
        expect((await tree.inclusion(at, size)).map(hex)).toEqual(reference.path(at, part).map(hex))
        expect((await tree.consistency(at, size)).map(hex)).toEqual(reference.proof(at, part).map(hex))
      }
    }
  })

  test('AUDIT-2 a proof holds for its entry, index, size, root and checkpoint, and for no other', async () => {
    const log = await testLog(20)
    const { entries, tree, checkpoint, signer } = log
    const entry = entries[6] as Uint8Array
    const proof = { index: 6, size: 20, hashes: await tree.inclusion(6), checkpoint: checkpoint.note }
    verifyInclusion(entry, proof, signer.verifierKey)
    const other = await logSigner(ORIGIN, seed(8))
    const wrong: [string, () => unknown][] = [
      ['ERR_AUDIT_PROOF', () => verifyInclusion(entries[5] as Uint8Array, proof, signer.verifierKey)],
      ['ERR_AUDIT_PROOF', () => verifyInclusion(entry, { ...proof, index: 5 }, signer.verifierKey)],
      ['ERR_AUDIT_PROOF', () => verifyInclusion(entry, { ...proof, index: 20 }, signer.verifierKey)],
      ['ERR_AUDIT_PROOF', () => verifyInclusion(entry, { ...proof, size: 19 }, signer.verifierKey)],
      ['ERR_AUDIT_PROOF', () => verifyInclusion(entry, { ...proof, hashes: [] }, signer.verifierKey)],
      ['ERR_AUDIT_KEY', () => verifyInclusion(entry, proof, other.verifierKey)],
    ]
    for (const [code, call] of wrong) expect(await codeOf(call)).toBe(code)
    const older = await checkpointAt(log, 13)
    const hashes = await tree.consistency(13)
    verifyConsistency(older, checkpoint, hashes)
    const forked = { ...older, root: bytes(32) }
    expect(await codeOf(() => verifyConsistency(forked, checkpoint, hashes))).toBe('ERR_AUDIT_PROOF')
    expect(await codeOf(() => verifyConsistency(older, checkpoint, hashes.slice(1)))).toBe('ERR_AUDIT_PROOF')
  })
})

describe('entries', () => {
  test('AUDIT-3 an entry is the encoding that the text gives, and comes back', () => {
    for (const entry of [full, empty]) {
      const encoded = encodeEntry(entry)
      expect(encoded.length).toBeLessThanOrEqual(MAX_ENTRY_BYTES)
      expect(decodeEntry(encoded)).toEqual(entry)
      const { timeMs: time, action, outcome, basis, ...rest } = entry
      const numbers = {
        action: reference.ACTIONS.indexOf(action),
        outcome: reference.OUTCOMES.indexOf(outcome),
        basis: basis === null ? null : 3,
      }
      expect(hex(reference.entryBytes({ ...rest, time, ...numbers }))).toBe(hex(encoded))
    }
    for (const action of ACTIONS) expect(decodeEntry(encodeEntry({ ...empty, action })).action).toBe(action)
    for (const outcome of OUTCOMES)
      expect(decodeEntry(encodeEntry({ ...empty, outcome })).outcome).toBe(outcome)
    for (const basis of BASIS_KINDS) expect(decodeEntry(encodeEntry({ ...empty, basis })).basis).toBe(basis)
  })

  const nothing = [null, null, null, null, null, null]
  const items = [1, 12, 'r', bytes(16), 0, bytes(32), 0, null, 0, null, null, null, 0, ...nothing]
  test.each<[string, unknown]>([
    ['another format', items.with(0, 2)],
    ['another kind', items.with(1, 11)],
    ['no realm', items.with(2, '')],
    ['a realm of another form', items.with(2, 'R')],
    ['a short writer', items.with(3, bytes(15))],
    ['a sequence that is no number', items.with(4, '0')],
    ['no previous hash', items.with(5, null)],
    ['an instant that no Date holds', items.with(6, 8_640_000_000_000_001)],
    ['an empty actor', items.with(7, '')],
    ['a long actor', items.with(7, 'é'.repeat(33))],
    ['an action that is not listed', items.with(8, 99)],
    ['no action', items.with(8, null)],
    ['a long handle', items.with(9, bytes(17))],
    ['a text as a record', items.with(10, 'r')],
    ['a short generation', items.with(11, bytes(16))],
    ['an outcome that is not listed', items.with(12, 5)],
    ['an epoch that is a text', items.with(13, '1')],
    ['a policy of bytes', items.with(14, bytes(3))],
    ['a basis that is not listed', items.with(15, 4)],
    ['a short tag of a state row', items.with(16, bytes(15))],
    ['a whole tag of an attempts row', items.with(17, bytes(32))],
    ['a number as a tag of a ring', items.with(18, 1)],
    ['a field more', [...items, null]],
    ['a field less', items.slice(0, -1)],
    ['no array', 'entry'],
  ])('AUDIT-3 %s is refused', async (_, value) => {
    const encoded = encodeCbor(value as never)
    expect(await codeOf(() => decodeEntry(encoded))).toBe('ERR_AUDIT_FORMAT')
    expect(() => reference.readEntry(encoded)).toThrow()
  })

  test('AUDIT-3 what is too long, or not the one encoding, is refused', async () => {
    const long = encodeCbor(items.with(7, 'a'.repeat(1024)))
    const trailing = Uint8Array.of(...encodeEntry(empty), 0)
    for (const encoded of [long, trailing, new Uint8Array(0)])
      expect(await codeOf(() => decodeEntry(encoded))).toBe('ERR_AUDIT_FORMAT')
  })

  test('AUDIT-4 an entry has nineteen places, none of which holds more than 64 bytes', () => {
    const said = Object.values(full).filter((value) => typeof value !== 'number')
    expect(Object.keys(full)).toHaveLength(17)
    for (const value of said) expect(value?.length).toBeLessThanOrEqual(64)
    const smuggled = { ...empty, score: 0.9, subject: 'person@example.org', vector: new Float32Array(512) }
    expect(hex(encodeEntry(smuggled))).toBe(hex(encodeEntry(empty)))
  })

  test.each<[string, Partial<Record<keyof AuditEntry, unknown>>]>([
    ['a vector as a handle', { handle: new Float32Array(16) }],
    ['a subject as an action', { action: 'person@example.org' }],
    ['a score as an outcome', { outcome: 0.93 }],
    ['a long actor', { actor: 'a'.repeat(65) }],
    ['a score as an epoch', { epoch: 0.93 }],
    ['a long policy', { policy: 'p'.repeat(65) }],
    ['a text of its own as a basis', { basis: 'because' }],
    ['an identifier as a record', { record: 'person@example.org' }],
  ])('AUDIT-4 %s is not encoded', async (_, change) => {
    expect(await codeOf(() => encodeEntry({ ...empty, ...change } as AuditEntry))).toBe('ERR_AUDIT_INPUT')
  })

  test('AUDIT-5 a chain is numbered from 0 and linked by leaf hashes, also when it goes on later', () => {
    const chain = writerChain('clinic')
    const entries = [0, 1, 2].map((i) => chain.next(eventAt(i)))
    expect(chain.length).toBe(3)
    const later = writerChain('clinic', { after: entries[2] as Uint8Array })
    expect([hex(later.writer), later.length]).toEqual([hex(chain.writer), 3])
    entries.push(later.next(eventAt(3)))
    entries.forEach((encoded, i) => {
      const { sequence, previous, writer } = decodeEntry(encoded)
      const before = entries[i - 1]
      expect([sequence, hex(writer)]).toEqual([i, hex(chain.writer)])
      expect(hex(previous)).toBe(hex(before === undefined ? bytes(32, 0) : hashLeaf(before)))
    })
    expect(hex(writerChain('clinic').writer)).not.toBe(hex(chain.writer))
  })

  test('AUDIT-5 a refused event takes no number', async () => {
    const chain = writerChain('clinic')
    expect(await codeOf(() => chain.next({ action: 'sing', outcome: 'done' } as unknown as AuditEvent))).toBe(
      'ERR_AUDIT_INPUT',
    )
    expect([chain.length, decodeEntry(chain.next(eventAt(0))).sequence]).toEqual([0, 0])
    const of = (after: Uint8Array) => () => writerChain('other', { after })
    expect(await codeOf(of(chain.next(eventAt(1))))).toBe('ERR_AUDIT_INPUT')
    expect(await codeOf(of(Uint8Array.of(1)))).toBe('ERR_AUDIT_FORMAT')
  })
})

const publicKey = ed25519PublicKey(seed(7))
const text = reference.checkpointText(ORIGIN, 3, bytes(32))
const note = reference.signNote(text, ORIGIN, seed(7))
const key = reference.verifierKey(ORIGIN, 1, publicKey)
const signature = note.slice(text.length + 1)
const resign = (changed: string): string => reference.signNote(changed, ORIGIN, seed(7))

describe('checkpoints', () => {
  test('AUDIT-6 notes and keys are those of the text', async () => {
    const signer = await logSigner(ORIGIN, seed(7))
    expect((await signCheckpoint(signer, { size: 3, root: bytes(32) })).note).toBe(note)
    expect([signer.verifierKey, verifierKey(ORIGIN, publicKey)]).toEqual([key, key])
    expect(openCheckpoint(note, key)).toEqual({ origin: ORIGIN, size: 3, root: bytes(32), note })
    expect(reference.isSignedBy(note, ORIGIN, publicKey)).toBe(true)
    const extended = resign(`${text}anything\nelse\n`)
    expect(openCheckpoint(extended, key).size).toBe(3)
  })

  const root = reference.base64(bytes(32))
  test.each<[string, string]>([
    ['a size with a leading zero', resign(text.replace('\n3\n', '\n03\n'))],
    ['a size with a sign', resign(text.replace('\n3\n', '\n+3\n'))],
    ['a size with a space', resign(text.replace('\n3\n', '\n 3\n'))],
    ['a size above 2^53 - 1', resign(text.replace('\n3\n', '\n9007199254740992\n'))],
    ['a size of seventeen digits', resign(text.replace('\n3\n', '\n10000000000000000\n'))],
    ['an empty size', resign(text.replace('\n3\n', '\n\n'))],
    ['a short root', resign(text.replace(root, reference.base64(bytes(31))))],
    ['a root without padding', resign(text.replace('=\n', '\n'))],
    [
      'a root in base64url',
      resign(text.replace(root, reference.base64(bytes(32, 255)).replaceAll('/', '_'))),
    ],
    ['a root with unused bits', resign(text.replace('k=\n', 'l=\n'))],
    ['two lines only', resign(`${ORIGIN}\n3\n`)],
    ['an empty further line', resign(`${text}\n`)],
    ['an empty origin', resign(text.replace(ORIGIN, ''))],
    ['the origin of another log', resign(text.replace(ORIGIN, 'other.example/log'))],
    ['no empty line', note.replace('\n\n', '\n')],
    ['no signature', `${text}\n`],
    ['a signature line that is not ended', note.slice(0, -1)],
    ['a carriage return', note.replace('\n3\n', '\r\n3\r\n')],
    ['a tabulator', resign(`${text}a\tb\n`)],
    ['a lone surrogate', note.replace('3', '\ud800')],
    ['a hyphen for the dash', note.replace('\u2014', '-')],
    ['two spaces', note.replace('\u2014 ', '\u2014  ')],
    ['a signature of four bytes', `${text}\n\u2014 ${ORIGIN} ${reference.base64(bytes(4))}\n`],
    ['a plus in a name', `${note}\u2014 a+b ${reference.base64(bytes(68))}\n`],
    ['a wide space in a name', `${note}\u2014 a\u3000b ${reference.base64(bytes(68))}\n`],
    ['bad base64', note.replace(/.=*\n$/, '!\n')],
    ['too many signatures', `${text}\n${signature.repeat(65)}`],
    ['too many characters', resign(`${text}${'a'.repeat(65_536)}\n`)],
  ])('AUDIT-6 %s is refused', async (_, wrong) => {
    expect(await codeOf(() => openCheckpoint(wrong, key))).toBe('ERR_AUDIT_FORMAT')
  })

  test.each<[string, string]>([
    ['nothing', ''],
    ['no hash', `${ORIGIN}+${key.split('+')[2]}`],
    ['a hash in capitals', key.replace(/\+(.{8})\+/, (part) => part.toUpperCase())],
    ['another hash', key.replace(/\+.{8}\+/, '+00000000+')],
    ['another name', key.replace(ORIGIN, 'other.example')],
    ['a space in the name', key.replace(ORIGIN, 'clinic example')],
    ['the type of a witness', reference.verifierKey(ORIGIN, 4, publicKey)],
    ['a short key', reference.verifierKey(ORIGIN, 1, bytes(31))],
    ['no padding', key.replace(/=$/, '').replace(/.$/, '')],
    ['a line break', `${key}\n`],
  ])('AUDIT-6 a verifier key with %s is refused', async (_, wrong) => {
    expect(await codeOf(() => openCheckpoint(note, wrong))).toBe('ERR_AUDIT_FORMAT')
  })

  test('AUDIT-7 signatures of other keys are ignored, also under the same name', () => {
    const witness = reference.cosign(text, 'witness.example', seed(1), 1_700_000_000)
    const other = reference.signNote(text, ORIGIN, seed(8)).slice(text.length + 1)
    const garbage = `\u2014 ${ORIGIN} ${reference.base64(bytes(9))}\n`
    expect(openCheckpoint(`${note}${witness}${other}${garbage}`, key).size).toBe(3)
    expect(openCheckpoint(`${text}\n${other}${witness}${signature}${signature}`, key).size).toBe(3)
  })

  test.each<[string, string]>([
    ['that another key signed', reference.signNote(text, ORIGIN, seed(8))],
    ['that another name signed', reference.signNote(text, 'other.example', seed(7))],
    ['with another size', note.replace('\n3\n', '\n4\n')],
    ['with one signature that does not fit', `${note}${resign(`${text}more\n`).slice(text.length + 6)}`],
    ['with a short signature', `${text}\n\u2014 ${ORIGIN} ${signature.split(' ')[2]?.slice(0, 88)}\n`],
  ])('AUDIT-7 a note %s is refused', async (_, wrong) => {
    expect(await codeOf(() => openCheckpoint(wrong, key))).toBe('ERR_AUDIT_KEY')
  })

  test('AUDIT-8 a cosignature says when, and holds for its time and text only', async () => {
    const name = 'witness.example/w1'
    const witnessKey = reference.verifierKey(name, 4, ed25519PublicKey(seed(1)))
    const line = reference.cosign(text, name, seed(1), 1_679_315_147)
    expect(openCosignature(`${note}${line}`, witnessKey)).toEqual({ timeSeconds: 1_679_315_147 })
    const raw = Uint8Array.from(atob(line.split(' ')[2] ?? ''), (c) => c.charCodeAt(0))
    const changed = (at: number): string =>
      `${note}\u2014 ${name} ${reference.base64(raw.with(at, (raw[at] as number) ^ 1))}\n`
    // The time is the eight bytes behind the hash.
    for (const at of [4, 5, 11, 12, 75])
      expect(await codeOf(() => openCosignature(changed(at), witnessKey))).toBe('ERR_AUDIT_KEY')
    const moved = `${resign(text.replace('3', '4'))}${line}`
    const plain = reference.signNote(text, name, seed(1)).slice(text.length + 1)
    const short = `${note}\u2014 ${name} ${reference.base64(raw.slice(0, -1))}\n`
    for (const wrong of [moved, note, short, `${note}${plain}`])
      expect(await codeOf(() => openCosignature(wrong, witnessKey))).toBe('ERR_AUDIT_KEY')
    expect(await codeOf(() => openCosignature(`${note}${line}`, key))).toBe('ERR_AUDIT_FORMAT')
  })

  test('AUDIT-9 a signer that answers wrongly makes no checkpoint', async () => {
    const signer = await logSigner(ORIGIN, seed(7))
    const other = await logSigner(ORIGIN, seed(8))
    const head = { size: 3, root: bytes(32) }
    const { origin, publicKey: right } = signer
    for (const sign of [other.sign, async () => bytes(64), async () => 'signed' as unknown as Uint8Array])
      expect(await codeOf(() => signCheckpoint({ origin, publicKey: right, sign }, head))).toBe(
        'ERR_AUDIT_KEY',
      )
    signer.close()
    expect(await codeOf(() => signCheckpoint(signer, head))).toBe('ERR_AUDIT_INPUT')
  })
})
