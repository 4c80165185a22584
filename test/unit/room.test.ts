/** Room for secrets that live as long as one call. @module */
import { describe, expect, test } from 'vitest'
import { giveRoom, takeRoom } from '../../src/base/room.ts'

describe('room', () => {
  test('is zeroed, of the length asked for, and nobody else has it', () => {
    const first = takeRoom(96)
    const second = takeRoom(96)
    expect([first.length, second.length]).toEqual([96, 96])
    expect(first.buffer).not.toBe(second.buffer)
    first.fill(7)
    expect(second.every((byte) => byte === 0)).toBe(true)
    giveRoom(first)
    giveRoom(second)
  })

  test('is wiped when it is given back, and lent again', () => {
    const first = takeRoom(700).fill(9)
    giveRoom(first)
    expect(first.every((byte) => byte === 0)).toBe(true)
    const again = takeRoom(1024)
    expect(again.buffer).toBe(first.buffer)
    expect(again.every((byte) => byte === 0)).toBe(true)
    giveRoom(again)
  })

  test('what is larger than the rooms that are kept has a buffer of its own, and is wiped alike', () => {
    const large = takeRoom(1025).fill(1)
    expect(large.buffer.byteLength).toBe(1025)
    giveRoom(large)
    expect(large.every((byte) => byte === 0)).toBe(true)
    expect(takeRoom(1025).buffer).not.toBe(large.buffer)
  })

  test('few are kept', () => {
    const taken = Array.from({ length: 20 }, () => takeRoom(8))
    for (const room of taken) giveRoom(room)
    const buffers = new Set(Array.from({ length: 20 }, () => takeRoom(8).buffer))
    expect(taken.filter((room) => buffers.has(room.buffer)).length).toBeLessThan(20)
  })
})
