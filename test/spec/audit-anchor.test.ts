/** SPEC §14.5: anchors in a file and at a witness. @module */
import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { type Anchor, type Checkpoint, openCosignature, witnessAnchor } from 'guise/audit'
import { fileAnchor } from 'guise/node'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { compile } from '../fault/compile.ts'
import { cosign } from '../reference/audit.ts'
import { checkpointAt, codeOf, ORIGIN, seed, type TestLog, testLog } from '../support/audit.ts'
import { startWitness, type TestWitness, WITNESS, witnessKey } from '../support/witness.ts'

const folder = mkdtempSync(join(tmpdir(), 'guise-anchor-'))
let compiled = ''
let count = 0

beforeAll(() => {
  compiled = compile({ folders: ['src/base', 'src/crypto', 'src/audit'] })
}, 120_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const newPath = (): string => join(folder, `anchor-${count++}`)
const log = await testLog(30)
const other = await testLog(30)

/** Advances in a process of its own; the sizes that it won. Killed after `killAfter` of them. */
async function advanceIn(
  path: string,
  rounds: number,
  killAfter = Number.POSITIVE_INFINITY,
): Promise<readonly number[]> {
  const program = join(compiled, 'test', 'fault', 'audit-anchor-child.js')
  const child = spawn(process.execPath, [program, path, String(rounds)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let text = ''
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString()
    if (text.split('won ').length > killAfter) child.kill('SIGKILL')
  })
  const [code, signal] = await new Promise<readonly [number | null, string | null]>((resolve) => {
    child.on('close', (...how) => resolve(how))
  })
  expect([code, signal]).toEqual(killAfter === Number.POSITIVE_INFINITY ? [0, null] : [null, 'SIGKILL'])
  return [...text.matchAll(/won (\d+)\n/g)].map(([, size]) => Number(size))
}

/** What every anchor does. */
async function goesForwardOnly(anchor: Anchor): Promise<void> {
  expect(await anchor.read()).toBeUndefined()
  const [ten, twenty] = [await checkpointAt(log, 10), await checkpointAt(log, 20)]
  await anchor.advance(ten)
  await anchor.advance(ten)
  await anchor.advance(twenty)
  const refused: [string, Checkpoint][] = [
    ['ERR_AUDIT_ROLLBACK', ten],
    ['ERR_AUDIT_FORK', await checkpointAt(other, 20)],
    ['ERR_AUDIT_INPUT', { ...twenty, size: 21 }],
    ['ERR_AUDIT_FORMAT', { ...twenty, note: 'note' }],
  ]
  for (const [code, checkpoint] of refused) expect(await codeOf(() => anchor.advance(checkpoint))).toBe(code)
  expect(await anchor.read()).toMatchObject({ origin: ORIGIN, size: 20, root: twenty.root })
  await anchor.advance(log.checkpoint)
  expect((await anchor.read())?.size).toBe(30)
}

describe('in a file', () => {
  test('AUDIT-13 goes forward only', async () => {
    const path = newPath()
    await goesForwardOnly(fileAnchor(path))
    expect(readFileSync(path, 'utf8')).toBe(log.checkpoint.note)
  })

  test('AUDIT-13 is of one log', async () => {
    const anchor = fileAnchor(newPath())
    await anchor.advance(log.checkpoint)
    const note = log.checkpoint.note.replaceAll(ORIGIN, 'other.example/guise')
    const strange = { ...log.checkpoint, origin: 'other.example/guise', note }
    expect(await codeOf(() => anchor.advance(strange))).toBe('ERR_AUDIT_ANCHOR')
  })

  test.each([
    ['nothing', ''],
    ['half a note', log.checkpoint.note.slice(0, 40)],
    ['what is not UTF-8', Uint8Array.of(0xff)],
    ['too much', 'a'.repeat(300_000)],
  ])('AUDIT-13 does not answer from %s', async (_, content) => {
    const path = newPath()
    writeFileSync(path, content)
    expect(await codeOf(() => fileAnchor(path).read())).toBe('ERR_AUDIT_ANCHOR')
    expect(await codeOf(() => fileAnchor(path).advance(log.checkpoint))).toBe('ERR_AUDIT_ANCHOR')
  })

  test('AUDIT-13 of four processes at once: no size is won twice, and the last one stays', async () => {
    const path = newPath()
    const won = (await Promise.all([25, 25, 25, 25].map((rounds) => advanceIn(path, rounds)))).flat()
    expect(won).toHaveLength(100)
    expect(new Set(won).size).toBe(100)
    expect((await fileAnchor(path).read())?.size).toBe(100)
    expect(readdirSync(folder).filter((name) => name.startsWith(`${basename(path)}.`))).toEqual([])
  }, 60_000)

  test('AUDIT-14 what was acknowledged survives a kill, and keeps nobody from advancing', async () => {
    const path = newPath()
    let acknowledged = 0
    for (let kill = 0; kill < 5; kill++) {
      const won = await advanceIn(path, 100_000, 1 + kill * 5)
      const size = (await fileAnchor(path).read())?.size ?? 0
      const last = won.at(-1) ?? 0
      expect(last).toBeGreaterThan(acknowledged)
      // One more may have been written, and not told.
      expect([last, last + 1]).toContain(size)
      acknowledged = size
    }
    expect(await advanceIn(path, 3)).toEqual([acknowledged + 1, acknowledged + 2, acknowledged + 3])
  }, 60_000)
})

describe('at a witness', () => {
  const consistency = (from: number, to: number): Promise<readonly Uint8Array[]> =>
    log.tree.consistency(from, to)
  const witnesses: TestWitness[] = []
  afterAll(() => Promise.all(witnesses.map((witness) => witness.close())))

  async function witness(path = newPath(), { signer }: TestLog = log): Promise<TestWitness> {
    const started = await startWitness(path, signer.verifierKey)
    witnesses.push(started)
    return started
  }

  test('AUDIT-13 goes forward only', async () => {
    const { url } = await witness()
    await goesForwardOnly(witnessAnchor({ url, witnessKey, origin: ORIGIN, consistency }))
  })

  test('AUDIT-15 keeps the cosignature, and no other', async () => {
    const { url } = await witness()
    const kept = fileAnchor(newPath())
    const anchor = witnessAnchor({ url, witnessKey, origin: ORIGIN, consistency, kept })
    await anchor.advance(log.checkpoint)
    const note = (await anchor.read())?.note ?? ''
    expect(openCosignature(note, witnessKey)).toEqual({ timeSeconds: 1_700_000_000 })
    expect(note.startsWith(log.checkpoint.note)).toBe(true)
    expect(note.split('\u2014')).toHaveLength(3)
    await anchor.advance(log.checkpoint)
    expect((await anchor.read())?.note).toBe(note)
    await anchor.advance({ ...log.checkpoint, note })
    expect((await anchor.read())?.note).toBe(note)
  })

  test('AUDIT-15 learns the size that the witness has, and refuses to go back behind it', async () => {
    const path = newPath()
    const first = await witness(path)
    const options = { witnessKey, origin: ORIGIN, consistency }
    await witnessAnchor({ ...options, url: first.url }).advance(await checkpointAt(log, 20))
    // Another process, another machine, after everything here was put back.
    const second = await witness(path)
    const anchor = witnessAnchor({ ...options, url: second.url })
    expect(await codeOf(async () => anchor.advance(await checkpointAt(log, 10)))).toBe('ERR_AUDIT_ROLLBACK')
    await anchor.advance(log.checkpoint)
    expect(second.requests.map((body) => body.split('\n')[0])).toEqual(['old 0', 'old 0', 'old 20'])
    expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ size: 30 })
  })

  test('AUDIT-15 does not cosign a fork, at the same size or a larger one', async () => {
    const path = newPath()
    const { url } = await witness(path)
    await witnessAnchor({ url, witnessKey, origin: ORIGIN, consistency }).advance(await checkpointAt(log, 20))
    const forked = witnessAnchor({
      url,
      witnessKey,
      origin: ORIGIN,
      consistency: (from, to) => other.tree.consistency(from, to),
    })
    expect(await codeOf(async () => forked.advance(await checkpointAt(other, 20)))).toBe('ERR_AUDIT_FORK')
    expect(await codeOf(() => forked.advance(other.checkpoint))).toBe('ERR_AUDIT_FORK')
    expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ size: 20 })
  })

  const text = log.checkpoint.note.slice(0, log.checkpoint.note.lastIndexOf('\n\n') + 1)
  const size = (body: string): Response =>
    new Response(body, { status: 409, headers: { 'content-type': 'text/x.tlog.size' } })
  test.each<[string, string, boolean, () => Response | Promise<Response>]>([
    [
      'a cosignature of another witness',
      'ERR_AUDIT_KEY',
      false,
      () => new Response(cosign(text, WITNESS, seed(3), 1)),
    ],
    [
      'a cosignature over another text',
      'ERR_AUDIT_KEY',
      false,
      () => new Response(cosign('a\n', WITNESS, seed(1), 1)),
    ],
    ['no cosignature', 'ERR_AUDIT_FORMAT', false, () => new Response('')],
    ['an empty answer', 'ERR_AUDIT_FORMAT', false, () => new Response(null)],
    ['what is no signature line', 'ERR_AUDIT_FORMAT', false, () => new Response('yes\n')],
    ['more than 64 KiB', 'ERR_AUDIT_ANCHOR', false, () => new Response('a'.repeat(70_000))],
    ['what is not UTF-8', 'ERR_AUDIT_ANCHOR', true, () => new Response(Uint8Array.of(0xff))],
    ['a size that is none', 'ERR_AUDIT_ANCHOR', false, () => size('07\n')],
    ['a size without a line break', 'ERR_AUDIT_ANCHOR', false, () => size('7')],
    ['another size each time', 'ERR_AUDIT_ANCHOR', true, () => size(`${1 + (count++ % 20)}\n`)],
    ['the size that it was asked from', 'ERR_AUDIT_FORK', false, () => size('0\n')],
    ['a conflict without a size', 'ERR_AUDIT_FORK', false, () => new Response('', { status: 409 })],
    ['that the log is unknown', 'ERR_AUDIT_ANCHOR', false, () => new Response('', { status: 404 })],
    ['that the key is unknown', 'ERR_AUDIT_ANCHOR', false, () => new Response('', { status: 403 })],
    ['that the request is bad', 'ERR_AUDIT_ANCHOR', false, () => new Response('', { status: 400 })],
    ['that it is busy', 'ERR_AUDIT_ANCHOR', true, () => new Response('', { status: 429 })],
    ['that it is broken', 'ERR_AUDIT_ANCHOR', true, () => new Response('', { status: 503 })],
    ['nothing', 'ERR_AUDIT_ANCHOR', true, () => Promise.reject(new TypeError('fetch failed'))],
  ])('AUDIT-15 an answer of %s does not count', async (_, code, retryable, answer) => {
    const fetch = async (): Promise<Response> => answer()
    const anchor = witnessAnchor({
      url: 'https://witness.example',
      witnessKey,
      origin: ORIGIN,
      consistency,
      fetch,
    })
    await expect(anchor.advance(log.checkpoint)).rejects.toMatchObject({ code, retryable })
    expect(await anchor.read()).toBeUndefined()
  })

  test('AUDIT-15 waits for a bounded time, and no longer than the caller wants', async () => {
    const fetch = (_: string, { signal }: RequestInit): Promise<Response> =>
      new Promise((_resolve, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason as Error))
      })
    const options = { url: 'https://witness.example', witnessKey, origin: ORIGIN, consistency, fetch }
    const slow = witnessAnchor({ ...options, timeoutMs: 20 })
    await expect(slow.advance(log.checkpoint)).rejects.toMatchObject({
      code: 'ERR_AUDIT_ANCHOR',
      retryable: true,
    })
    const reason = new Error('enough')
    const signal = AbortSignal.abort(reason)
    await expect(witnessAnchor(options).advance(log.checkpoint, { signal })).rejects.toBe(reason)
  })

  test('AUDIT-15 what is kept on this side is believed only with its cosignature', async () => {
    const kept = fileAnchor(newPath())
    await kept.advance(log.checkpoint)
    const anchor = witnessAnchor({
      url: 'https://witness.example',
      witnessKey,
      origin: ORIGIN,
      consistency,
      kept,
    })
    expect(await codeOf(() => anchor.read())).toBe('ERR_AUDIT_KEY')
  })
})
