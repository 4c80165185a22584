/** Parts of the vault's log that no vault shows alone: the entry writer, the map of last changes, chains, turns, fifo. @module */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { WriterChains } from '../../src/audit/chains.ts'
import { ACTIONS, type AuditEntry, BASIS_KINDS, encodeEntry, OUTCOMES } from '../../src/audit/entry.ts'
import { EntryWriter } from '../../src/audit/entry-writer.ts'
import { Fifo } from '../../src/audit/fifo.ts'
import { LastChanges } from '../../src/audit/last-change.ts'
import type { Realm } from '../../src/base/brand.ts'
import { toHex } from '../../src/base/bytes.ts'
import { Turns } from '../../src/base/turns.ts'
import { randomBytes } from '../../src/crypto/random.ts'

const bytes = (length: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: length, maxLength: length })
const orNull = <Value>(value: fc.Arbitrary<Value>): fc.Arbitrary<Value | null> =>
  fc.option(value, { nil: null })
const uint = fc.oneof(
  fc.constantFrom(0, 23, 24, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER),
  fc.nat(),
)
const short = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 16 })
  .filter((text) => new TextEncoder().encode(text).length <= 64)

describe('the entry writer', () => {
  test('writes what encodeEntry gives, whatever the fields', () => {
    const writer = new EntryWriter('clinic' as Realm)
    const room = new Uint8Array(600)
    const entry = fc.record({
      realm: fc.constant('clinic'),
      writer: bytes(16),
      sequence: uint,
      previous: bytes(32),
      timeMs: uint.map((value) => value % 8_640_000_000_000_001),
      actor: orNull(short),
      action: fc.constantFrom(...ACTIONS),
      handle: orNull(bytes(16)),
      record: orNull(bytes(16)),
      generation: orNull(bytes(20)),
      outcome: fc.constantFrom(...OUTCOMES),
      epoch: orNull(uint),
      policy: orNull(short),
      basis: orNull(fc.constantFrom(...BASIS_KINDS)),
      state: orNull(bytes(16)),
      attempts: orNull(bytes(16)),
      ring: orNull(bytes(16)),
    })
    fc.assert(
      fc.property(entry, fc.integer({ min: 0, max: 9 }), (fields, at) => {
        room.fill(0)
        const end = writer.write(room, at, fields)
        expect(toHex(room.subarray(at, end))).toBe(toHex(encodeEntry(fields as AuditEntry)))
      }),
      { numRuns: 1000 },
    )
  })
})

describe('the map of last changes', () => {
  test('knows every subject, by its newest tags, in 48 bytes', { timeout: 60_000 }, () => {
    const changes = new LastChanges()
    const subjects = 200_000
    const names = randomBytes(16 * subjects)
    const handle = (i: number): Uint8Array => names.subarray(16 * i, 16 * i + 16)
    const tag = (i: number, turn: number): Uint8Array => {
      const out = new Uint8Array(16)
      new DataView(out.buffer).setUint32(0, i)
      new DataView(out.buffer).setUint32(4, turn)
      return out
    }
    for (let i = 0; i < subjects; i++) {
      changes.set(handle(i), 'state', tag(i, 1))
      changes.set(handle(i), 'attempts', tag(i, 2))
    }
    for (let i = 0; i < subjects; i += 3) changes.set(handle(i), 'attempts', tag(i, 3))
    for (let i = 0; i < subjects; i++) {
      const turn = i % 3 === 0 ? 3 : 2
      if (
        !changes.isLast(handle(i), 'state', tag(i, 1)) ||
        !changes.isLast(handle(i), 'attempts', tag(i, turn)) ||
        changes.isLast(handle(i), 'attempts', tag(i, 5 - turn))
      )
        throw new Error(`subject ${i} is not as it was set`)
    }
    expect(changes.size).toBe(subjects)
    expect(changes.has(randomBytes(16))).toBe(false)
    expect(changes.isLast(randomBytes(16), 'state', tag(0, 1))).toBe(false)
    expect(changes.bytes / subjects).toBeLessThan(48)
    const copy = new LastChanges()
    for (const words of changes.export()) copy.import(words)
    expect(copy.size).toBe(subjects)
    for (let i = 0; i < subjects; i += 17) expect(copy.isLast(handle(i), 'state', tag(i, 1))).toBe(true)
  })
})

describe('chains of writers', () => {
  const place = (sequence: number, previous: Uint8Array, timeMs = 1) => ({
    writer: 'w',
    sequence,
    previous,
    leaf: new Uint8Array(32).fill(sequence + 1),
    timeMs,
  })

  test('take each entry once, miss none, and forget who was silent for a day', () => {
    const chains = new WriterChains()
    const zero = new Uint8Array(32)
    expect(chains.follow(place(0, zero))).toBe('next')
    expect(chains.follow(place(0, zero))).toBe('known')
    expect(chains.follow(place(2, zero))).toBe('gap')
    expect(() => chains.follow(place(1, zero))).toThrow('does not continue')
    expect(chains.follow(place(1, new Uint8Array(32).fill(1)))).toBe('next')
    const copy = new WriterChains()
    for (const link of chains.export()) copy.import(...link)
    expect(copy.follow(place(2, new Uint8Array(32).fill(2)))).toBe('next')
    for (let i = 0; i < 65_536; i++) {
      chains.follow({
        writer: `x${i % 7}`,
        sequence: Math.floor(i / 7),
        previous: zero,
        leaf: zero,
        timeMs: 10 ** 9,
      })
    }
    expect(chains.size).toBe(7)
  })
})

describe('turns and queues', () => {
  test('one task at a time; whoever asks before it begins shares it', async () => {
    const turns = new Turns()
    const log: string[] = []
    const task = (name: string) => async (): Promise<void> => {
      log.push(`${name} begins`)
      await Promise.resolve()
      log.push(`${name} ends`)
    }
    const failing = turns.run(() => Promise.reject(new RangeError('planted')))
    const shared = [turns.share(task('a')), turns.share(task('b'))]
    const own = turns.run(task('c'))
    await expect(failing).rejects.toThrow('planted')
    await Promise.all([...shared, own, turns.share(task('d'))])
    expect(log).toEqual(['a begins', 'a ends', 'c begins', 'c ends', 'd begins', 'd ends'])
    expect(shared[0]).toBe(shared[1])
  })

  test('first in, first out, with a way out for others', () => {
    const fifo = new Fifo<number>()
    for (let i = 0; i < 3000; i++) fifo.add(i)
    expect(fifo.peek()).toBe(0)
    expect(fifo.first(3)).toEqual([0, 1, 2])
    fifo.drop(2000)
    expect([fifo.peek(), fifo.size]).toEqual([2000, 1000])
    expect(fifo.take((item) => item === 2500)).toBe(2500)
    expect(fifo.take((item) => item === 2500)).toBeUndefined()
    fifo.drop(5000)
    expect([fifo.peek(), fifo.size]).toEqual([undefined, 0])
  })
})
