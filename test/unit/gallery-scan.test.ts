/** Which scan runs, the threads that help it, and what it leaves in memory (SPEC §16.4, §16.5). @module */
/// <reference types="node" />

import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Worker } from 'node:worker_threads'
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import type { Realm } from '../../src/base/brand.ts'
import { fromBase64 } from '../../src/base/bytes.ts'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { turboshake128 } from '../../src/crypto/xof.ts'
import { knownAnswer, ownAt, type ScanModule, startModule, startScan } from '../../src/gallery/assembly.ts'
import { GalleryError } from '../../src/gallery/errors.ts'
import { BLOCKS_AT, CONTROL_AT } from '../../src/gallery/layout.ts'
import { KERNEL } from '../../src/gallery/scan.generated.ts'
import { type Hit, scanPortable, scanTable } from '../../src/gallery/scan.ts'
import { GalleryTable, type TableOptions } from '../../src/gallery/table.ts'
import { defaultThreads } from '../../src/gallery/threads.ts'
import { Gallery } from '../../src/vault/gallery.ts'
import { enrollPeople, gallery, galleryVault, pseudonym, search } from '../support/gallery.ts'
import { rowsOf, typedCode } from '../support/rows.ts'

const BITS = 64
const CAPACITY = 8
/** More than a search by one thread takes. */
const SHARDS = 3000
const integers = Int32Array.from({ length: 64 }, (_, i) => (Math.imul(i + 1, 0x9e37_79b1) >> 13) | 0)
const question = { integers, bits: BITS, threshold: 3000 } as const

beforeAll(cryptoReady)

/** Always the same gallery. */
function filled(options: TableOptions, shards = SHARDS): GalleryTable {
  const table = new GalleryTable(CAPACITY, BITS, options)
  const bytes = turboshake128(new Uint8Array(1), shards * (32 + CAPACITY * 24))
  let at = 0
  const next = (length: number): Uint8Array => {
    at += length
    return bytes.subarray(at - length, at)
  }
  for (let number = 1; number <= shards; number++) {
    table.addShard(next(32))
    for (let slot = 0; slot < CAPACITY; slot++) table.addSlot(number, { handle: next(16), code: next(8) })
  }
  return table
}

const textOf = (hits: readonly Hit[]): string =>
  hits.map(({ number, slot, rank, handle }) => [number, slot, rank, ...handle].join()).join(' ')

describe('the choice', () => {
  afterEach(() => void vi.unstubAllGlobals())

  test.each([
    ['no base64', '?'],
    ['no module', 'AAAA'],
    ['a module without the exports', 'AGFzbQEAAAA='],
  ])('%s leaves the portable one', (_, text) => {
    expect(startScan(text)).toBeUndefined()
  })

  test('so does one that computes anything else', () => {
    const faulty = fromBase64(KERNEL) as Uint8Array
    const at = Buffer.from(faulty).indexOf(Buffer.from(Int32Array.of(8, 128, 2048, 32_768).buffer))
    faulty[at] = 4
    const text = Buffer.from(faulty).toString('base64')
    expect(knownAnswer(startModule(text))).not.toBe(knownAnswer(startModule(KERNEL)))
    expect(startScan(text)).toBeUndefined()
  })

  test('so does a runtime without WebAssembly, or without shared memory', async () => {
    const { Memory, ...rest } = { Memory: WebAssembly.Memory, Module: WebAssembly.Module }
    vi.stubGlobal('WebAssembly', {
      ...rest,
      Memory: function memory(options: WebAssembly.MemoryDescriptor) {
        if (options.shared === true) throw new TypeError('planted')
        return new Memory(options)
      },
    })
    expect(startScan()).toBeUndefined()
    vi.stubGlobal('WebAssembly', undefined)
    const table = filled({}, 40)
    expect(table.engine).toBeUndefined()
    const near = { ...question, threshold: 1 }
    const found = await scanTable(table, near)
    vi.unstubAllGlobals()
    const other = filled({}, 40)
    expect(other.engine).toBeDefined()
    expect(textOf(await scanTable(other, near))).toBe(textOf(found))
    expect(found.length).toBeGreaterThan(0)
    await Promise.all([table.wipe(), other.wipe()])
  })

  test('two threads where there are two processors, one elsewhere', () => {
    expect(defaultThreads()).toBeGreaterThan(0)
    vi.stubGlobal('process', undefined)
    expect(defaultThreads()).toBe(1)
  })
})

describe('threads', () => {
  const threads = process.getBuiltinModule('node:worker_threads')
  const { Worker: Real } = threads
  const started: Worker[] = []
  let expected = ''

  beforeAll(async () => {
    expected = textOf(await scanPortable(filled({}), question))
    threads.Worker = class extends Real {
      constructor(...args: ConstructorParameters<typeof Worker>) {
        super(...args)
        started.push(this)
      }
    }
    return () => {
      threads.Worker = Real
    }
  })
  afterEach(() => {
    started.length = 0
  })

  test('find what one finds, several searches at once', async () => {
    const table = filled({ threads: 3 })
    const found = await Promise.all([1, 2, 3, 4].map(() => scanTable(table, question)))
    expect(found.map(textOf)).toEqual([expected, expected, expected, expected])
    expect(expected.length).toBeGreaterThan(100)
    expect(started).toHaveLength(2)
    expect(started.every(({ threadId }) => threadId > 0)).toBe(true)
    await table.wipe()
    expect(started.map(({ threadId }) => threadId)).toEqual([-1, -1])
  })

  test('keep key streams, too', async () => {
    const table = filled({ threads: 2, cacheStreams: 64 })
    expect(textOf(await scanTable(table, question))).toBe(expected)
    await table.wipe()
  })

  test('are not started for a gallery that one has searched before', async () => {
    const table = filled({ threads: 2 }, 100)
    await scanTable(table, question)
    expect(started).toHaveLength(0)
    await table.wipe()
  })

  test('GALLERY-26 one that dies in a search, or before: nothing is lost, and another one is started', async () => {
    const table = filled({ threads: 2 })
    await scanTable(table, question)
    const under = scanTable(table, question)
    await Promise.resolve()
    const ended = started[0]?.terminate()
    expect(textOf(await under)).toBe(expected)
    // Its end may be heard of behind that of the search.
    await ended
    expect(textOf(await scanTable(table, question))).toBe(expected)
    expect(started).toHaveLength(2)
    await started[1]?.terminate()
    expect(textOf(await scanTable(table, question))).toBe(expected)
    await table.wipe()
  })

  test('that always die are given up', async () => {
    const table = filled({ threads: 2 })
    for (let turn = 0; turn < 8; turn++) {
      const search = scanTable(table, question)
      await Promise.resolve()
      void started.at(-1)?.terminate()
      expect(textOf(await search)).toBe(expected)
    }
    expect(started.length).toBeLessThan(8)
    await table.wipe()
  })

  test('whose host has neither quick turns nor threads: messages let the event loop turn', async () => {
    vi.stubGlobal('setImmediate', undefined)
    const builtin = vi.spyOn(process, 'getBuiltinModule').mockReturnValue(undefined)
    const table = filled({ threads: 2 })
    const found = await scanTable(table, question)
    vi.unstubAllGlobals()
    expect(builtin).toHaveBeenCalledWith('node:worker_threads')
    builtin.mockRestore()
    expect(textOf(found)).toBe(expected)
    expect(started).toHaveLength(0)
    await table.wipe()
  })

  test('that nobody may start', async () => {
    const table = filled({ threads: 2 })
    const own = threads.Worker
    threads.Worker = function refuse() {
      throw new Error('planted')
    } as unknown as typeof Worker
    expect(textOf(await scanTable(table, question))).toBe(expected)
    threads.Worker = own
    await table.wipe()
  })

  test('a signal ends the search, also one that waits, and the next one works', async () => {
    const table = filled({ threads: 2 })
    const controller = new AbortController()
    const [first, second, third] = [controller.signal, controller.signal, undefined].map((signal) =>
      scanTable(table, { ...question, signal }),
    )
    setImmediate(() => controller.abort(new Error('enough')))
    await expect(first).rejects.toThrow('enough')
    await expect(second).rejects.toThrow('enough')
    expect(textOf(await (third as NonNullable<typeof third>))).toBe(expected)
    await table.wipe()
  })

  test.each([1, 2])('GALLERY-26 the event loop turns while %i of them search', async (count) => {
    const table = filled({ threads: count })
    let turns = 0
    let over = false
    const again = (): void => {
      turns += 1
      if (!over) setImmediate(again)
    }
    setImmediate(again)
    await scanTable(table, question)
    over = true
    // Two threads: what the other one took needed no turn of this one.
    expect(turns).toBeGreaterThanOrEqual(count === 1 ? Math.floor(SHARDS / 256) : 1)
    await table.wipe()
  })

  test('keep no process alive', { timeout: 60_000 }, () => {
    const dist = new URL('../../dist/', import.meta.url).href
    const script = `
      const { GalleryTable } = await import('${dist}gallery/table.js')
      const { scanTable } = await import('${dist}gallery/scan.js')
      const table = new GalleryTable(8, 64, { threads: 2 })
      for (let number = 1; number <= 3000; number++) {
        table.addShard(new Uint8Array(32).fill(number))
        table.addSlot(number, { handle: new Uint8Array(16).fill(1), code: new Uint8Array(8) })
      }
      const found = await scanTable(table, { integers: new Int32Array(64).fill(131072), bits: 64, threshold: 1 })
      console.log(table.engine === undefined ? 'portable' : found.length)`
    const cwd = fileURLToPath(dist)
    const options = { encoding: 'utf8', cwd, timeout: 30_000 } as const
    const run = spawnSync(process.execPath, ['--input-type=module', '-e', script], options)
    expect([run.status, run.stdout.trim()]).toEqual([0, '64'])
  })
})

describe('memory', () => {
  function watched(options: TableOptions): { readonly table: GalleryTable; readonly memory: Uint8Array } {
    let scan: ScanModule | undefined
    const table = filled({
      ...options,
      start: () => {
        scan = startModule(KERNEL)
        return scan
      },
    })
    return { table, memory: new Uint8Array((scan as unknown as ScanModule).memory.buffer) }
  }
  /** Beside what the module came with and the words that threads count with. */
  const written = (memory: Uint8Array): number =>
    memory.findLastIndex((byte, at) => byte !== 0 && at > CONTROL_AT + 12)

  test.each([1, 2])('GALLERY-12 a search by %i threads leaves nothing of the probe', async (count) => {
    const { table, memory } = watched({ threads: count })
    const own = memory.subarray(CONTROL_AT + 12, BLOCKS_AT)
    // Where the last of the threads works: it takes part.
    const last = memory.subarray(ownAt(count - 1), ownAt(count))
    const seen = { times: 0 }
    const spy = setInterval(() => {
      seen.times += last.some((byte) => byte !== 0) ? 1 : 0
    }, 0)
    // A thread takes its time to start, and the search is short.
    const endMs = performance.now() + 20_000
    for (let turn = 0; turn < 5 || (seen.times === 0 && performance.now() < endMs); turn++) {
      await scanTable(table, question)
    }
    clearInterval(spy)
    expect(seen.times).toBeGreaterThan(0)
    expect(own.every((byte) => byte === 0)).toBe(true)
    expect(written(memory)).toBeGreaterThan(BLOCKS_AT)
    await table.wipe()
  })

  test('GALLERY-12 one that is ended leaves nothing either, and a closed index none of its codes and keys', async () => {
    const { table, memory } = watched({ threads: 2, cacheStreams: 64 })
    const controller = new AbortController()
    const search = scanTable(table, { ...question, signal: controller.signal })
    setImmediate(() => controller.abort(new Error('enough')))
    await expect(search).rejects.toThrow('enough')
    expect(memory.subarray(ownAt(0), BLOCKS_AT).every((byte) => byte === 0)).toBe(true)
    expect(written(memory)).toBeGreaterThan(BLOCKS_AT)
    await table.wipe()
    expect(written(memory)).toBe(-1)
    expect([table.bytes, table.shards, table.members]).toEqual([0, 0, 0])
  })
})

test('GALLERY-13 key streams that a search makes are those of libsodium', () => {
  const { exports, memory } = startModule(KERNEL)
  expect(Object.keys(exports)).toEqual(expect.arrayContaining(['begin', 'scan', 'twoStreams']))
  const label = Uint8Array.from([11, ...Buffer.from('guise/v1/B6')])
  const { twoStreams } = exports as unknown as { twoStreams(...places: number[]): void }
  const bytes = new Uint8Array(memory.buffer)
  bytes.set(label, 4096)
  for (let i = 0; i < 300; i++) {
    const [a, b] = [turboshake128(Uint8Array.of(1, i), 32), turboshake128(Uint8Array.of(2, i), 32)]
    bytes.set(a, 4200)
    bytes.set(b, 4300)
    const blocks = 1 + (i % 129)
    twoStreams(4096, 4200, 4300, 65_536, 98_304, blocks, 8192)
    for (const [key, at] of [
      [a, 65_536],
      [b, 98_304],
    ] as const) {
      const expected = turboshake128([label, key], blocks * 168)
      expect(Buffer.compare(bytes.subarray(at, at + expected.length), expected)).toBe(0)
    }
  }
})

test('kept key streams of a gallery that no memory holds are refused before it is opened', () => {
  const profile = {
    realm: 'clinic' as Realm,
    purpose: 'one-record',
    model: 'model@1',
    meanHash: new Uint8Array(32),
    dimensions: 4096,
    bits: 1024,
  } as const
  const settings = {
    profile,
    basis: 'consent',
    points: new Map(),
    queriesPerHour: 1,
    threads: 1,
    parts: undefined,
    partTimeoutMs: 1,
  } as const
  const open = (limit: number, cacheKeyStreams: boolean) => () =>
    new Gallery({ ...settings, limit, cacheKeyStreams })
  expect(open(10_000_000, false)).not.toThrow()
  expect(open(1_000_000, true)).not.toThrow()
  expect(open(10_000_000, true)).toThrow(GalleryError)
})

test('GALLERY-2 threads and kept key streams are no part of it: every process has its own', async () => {
  const world = await galleryVault({ gallery: gallery({ threads: 1 }) })
  await enrollPeople(world.vault, [1, 2, 3])
  const { version } = (await rowsOf(world.store, 'galleries'))[0] ?? {}
  const other = await world.open({ gallery: gallery({ threads: 8, cacheKeyStreams: true }) })
  expect(await search(other, 2)).toEqual([await pseudonym(world.vault, 2)])
  expect((await rowsOf(world.store, 'galleries'))[0]?.version).toBe(version)
  const wrong: readonly object[] = [{ threads: 0 }, { threads: 9 }, { threads: 1.5 }, { cacheKeyStreams: 1 }]
  for (const one of wrong) {
    expect(await typedCode(world.open({ gallery: gallery(one) }))).toBe('ERR_GALLERY_DECLARATION')
  }
})
