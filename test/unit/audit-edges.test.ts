/** Arguments and hosts of the audit log that no requirement names. @module */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type Anchor,
  exportLog,
  logSigner,
  openCheckpoint,
  signCheckpoint,
  verifierKey,
  verifyLog,
  witnessAnchor,
  writerChain,
} from 'guise/audit'
import { fileAnchor } from 'guise/node'
import { afterAll, describe, expect, test, vi } from 'vitest'
import {
  checkpointAt,
  codeOf,
  eventAt,
  exportBytes,
  looseExport,
  ORIGIN,
  seed,
  testLog,
} from '../support/audit.ts'
import { witnessKey } from '../support/witness.ts'

const folder = mkdtempSync(join(tmpdir(), 'guise-audit-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const log = await testLog(9)
const { entries, checkpoint, signer } = log
const logKey = signer.verifierKey
const bytes = await exportBytes(entries, checkpoint)

async function collect(call: AsyncIterable<unknown>): Promise<number> {
  let pieces = 0
  for await (const _ of call) pieces += 1
  return pieces
}

const at = (text: unknown): string => text as string

test.each<[string, () => unknown]>([
  ['a note that is no text', () => openCheckpoint(at(7), logKey)],
  ['a key that is no text', () => openCheckpoint(checkpoint.note, at(7))],
  ['an origin that is no text', () => logSigner(at(7), seed(1))],
  ['an origin with a space', () => logSigner('clinic example', seed(1))],
  ['an origin that is no Unicode', () => verifierKey('\ud800', new Uint8Array(32))],
  ['an origin that is too long', () => verifierKey('é'.repeat(128), new Uint8Array(32))],
  ['a short public key', () => verifierKey(ORIGIN, new Uint8Array(31))],
  ['a short seed', () => logSigner(ORIGIN, new Uint8Array(31))],
  ['a signer that does not sign', () => signCheckpoint({ ...signer, sign: undefined as never }, checkpoint)],
  ['a negative size', () => signCheckpoint(signer, { ...checkpoint, size: -1 })],
  ['a short root', () => signCheckpoint(signer, { ...checkpoint, root: new Uint8Array(31) })],
  ['a realm in capitals', () => writerChain('Clinic')],
  ['a clock without a time', () => writerChain('clinic', { clock: {} as never })],
  ['an event that is none', () => writerChain('clinic').next(null as never)],
  ['an export with too few entries', () => collect(exportLog(entries.slice(1), checkpoint))],
  ['an export with another size', () => collect(exportLog(entries, { ...checkpoint, size: 8 }))],
  ['an export of something else', () => collect(exportLog(['a' as never, ...entries], checkpoint))],
  ['an export of what cannot be iterated', () => verifyLog(7 as never, { logKey })],
  ['pieces that are no bytes', () => verifyLog(['a' as never], { logKey })],
  ['no options', () => verifyLog([bytes], undefined as never)],
  ['no writers', () => verifyLog([bytes], { logKey, maxWriters: 0 })],
  ['an anchor that is none', () => verifyLog([bytes], { logKey, anchor: 7 as never })],
  ['a path that is none', () => fileAnchor('')],
])('%s is a wrong argument', async (_, call) => {
  expect(await codeOf(call)).toBe('ERR_AUDIT_INPUT')
})

test('an anchor of another log is a wrong argument, on either side', async () => {
  const other = await logSigner('other.example', seed(1))
  const anchor = await signCheckpoint(other, checkpoint)
  expect(await codeOf(() => verifyLog([bytes], { logKey, anchor }))).toBe('ERR_AUDIT_INPUT')
  const witness = witnessAnchor(witnessOptions())
  expect(await codeOf(() => witness.advance(anchor))).toBe('ERR_AUDIT_INPUT')
})

describe('exports', () => {
  test('come in pieces of about 64 KiB, and end with a whole one too', async () => {
    const many = await testLog(2000)
    expect(await collect(exportLog(many.entries, many.checkpoint))).toBeGreaterThan(2)
    const large = Array.from({ length: 70 }, () => new Uint8Array(1020))
    const sized = await checkpointAt(many, 65)
    // 64 entries of 1,024 bytes with their lengths fill a piece.
    expect(await collect(exportLog(large, sized))).toBe(2)
    expect(await collect(exportLog(large, await checkpointAt(many, 64)))).toBe(1)
  })

  test.each<[string, Uint8Array]>([
    ['nothing', new Uint8Array(0)],
    ['another label', bytes.with(3, 0)],
    ['a note that is too long', looseExport([], 'a').with(13, 1)],
    ['a note that is not UTF-8', bytes.with(17, 0xff)],
  ])('of %s are refused', async (_, wrong) => {
    expect(await codeOf(() => verifyLog([wrong], { logKey }))).toBe('ERR_AUDIT_FORMAT')
  })

  test('with an entry of no length or of too many bytes are edited', async () => {
    for (const length of [0, 1025]) {
      const wrong = [...entries.slice(0, 4), new Uint8Array(length), ...entries.slice(5)]
      const call = (): unknown => verifyLog([looseExport(wrong, checkpoint.note)], { logKey })
      expect(await codeOf(call)).toBe('ERR_AUDIT_EDIT')
    }
  })

  test('with a gap and then nonsense lack an entry', async () => {
    const chain = writerChain('clinic')
    const [first, , third] = [0, 1, 2].map((i) => chain.next(eventAt(i))) as [
      Uint8Array,
      Uint8Array,
      Uint8Array,
    ]
    for (const last of [Uint8Array.of(1), new Uint8Array(1025), chain.next(eventAt(3))]) {
      const size = (await checkpointAt(log, 2)).note
      const call = (): unknown => verifyLog([looseExport([first, third, last], size)], { logKey })
      expect(await codeOf(call)).toBe('ERR_AUDIT_DELETION')
    }
  })

  test('a source is let go, and a signal is heard', async () => {
    const many = await testLog(1000)
    const reason = new Error('enough')
    const source = await exportBytes(many.entries, many.checkpoint)
    const read = vi.fn(async () => undefined)
    const anchor: Anchor = { read, advance: async () => undefined }
    const signal = AbortSignal.abort(reason)
    await expect(verifyLog([source], { logKey, signal, anchor })).rejects.toBe(reason)
    expect(read).toHaveBeenCalledWith({ signal })
    await expect(signer.sign(source, { signal })).rejects.toBe(reason)
    await expect(fileAnchor(join(folder, 'a')).read({ signal })).rejects.toBe(reason)
  })
})

test('a signer is disposed of by its block', async () => {
  const own = await logSigner(ORIGIN, seed(2))
  own[Symbol.dispose]()
  expect(await codeOf(() => own.sign(bytes))).toBe('ERR_AUDIT_INPUT')
})

describe('a file anchor', () => {
  test('that cannot be read or written says so', async () => {
    const path = join(folder, 'folder')
    mkdirSync(path)
    expect(await codeOf(() => fileAnchor(path).read())).toBe('ERR_AUDIT_ANCHOR')
    const blocked = join(folder, 'blocked')
    mkdirSync(`${blocked}.tmp`)
    await expect(fileAnchor(blocked).advance(checkpoint)).rejects.toMatchObject({
      code: 'ERR_AUDIT_ANCHOR',
      retryable: true,
    })
    const nowhere = fileAnchor(join(folder, 'none', 'anchor'))
    expect(await nowhere.read()).toBeUndefined()
    expect(await codeOf(() => nowhere.advance(checkpoint))).toBe('ERR_AUDIT_ANCHOR')
  })

  test('leaves what stands in the way of its new file', async () => {
    const path = join(folder, 'left')
    writeFileSync(`${path}.tmp`, 'half a note')
    chmodSync(`${path}.tmp`, 0o600)
    await fileAnchor(path).advance(checkpoint)
    expect((await fileAnchor(path).read())?.note).toBe(checkpoint.note)
  })
})

function witnessOptions(url = 'https://witness.example'): Parameters<typeof witnessAnchor>[0] {
  return {
    url,
    witnessKey,
    origin: ORIGIN,
    consistency: async () => [],
    fetch: async () => Promise.reject(new TypeError('no network')),
  }
}

describe('a witness', () => {
  test.each<[string, () => unknown]>([
    ['no address', () => witnessAnchor(witnessOptions('witness'))],
    ['an open line', () => witnessAnchor(witnessOptions('http://witness.example'))],
    ['a file', () => witnessAnchor(witnessOptions('file:///witness'))],
    ['a query', () => witnessAnchor(witnessOptions('https://witness.example/?a=b'))],
    ['a fragment', () => witnessAnchor(witnessOptions('https://witness.example/#a'))],
    ['no proofs', () => witnessAnchor({ ...witnessOptions(), consistency: 7 as never })],
    ['no time', () => witnessAnchor({ ...witnessOptions(), timeoutMs: 0 })],
    ['no options', () => witnessAnchor(undefined as never)],
  ])('with %s is a wrong argument', async (_, call) => {
    expect(await codeOf(call)).toBe('ERR_AUDIT_INPUT')
  })

  test('is asked with the global fetch unless another is given', async () => {
    const { fetch: _, ...options } = witnessOptions('http://localhost:1/a')
    const spy = vi.spyOn(globalThis, 'fetch').mockRejectedValue(new TypeError('no network'))
    expect(await codeOf(() => witnessAnchor(options).advance(checkpoint))).toBe('ERR_AUDIT_ANCHOR')
    expect(spy.mock.calls[0]?.[0]).toBe('http://localhost:1/a/add-checkpoint')
    spy.mockRestore()
  })

  test('is never sent a proof that is too long', async () => {
    const conflict = new Response('3\n', { status: 409, headers: { 'content-type': 'text/x.tlog.size' } })
    const consistency = async (): Promise<Uint8Array[]> =>
      Array.from({ length: 64 }, () => new Uint8Array(32))
    const anchor = witnessAnchor({ ...witnessOptions(), consistency, fetch: async () => conflict })
    expect(await codeOf(() => anchor.advance(checkpoint))).toBe('ERR_AUDIT_INPUT')
  })

  test('that names no type of its conflict reports a fork', async () => {
    const fetch = async (): Promise<Response> => new Response(null, { status: 409 })
    expect(await codeOf(() => witnessAnchor({ ...witnessOptions(), fetch }).advance(checkpoint))).toBe(
      'ERR_AUDIT_FORK',
    )
  })
})
