import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Needles, scanFolder } from '../../src/cli/byte-scan.ts'
import { numbers } from '../support/vault.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'guise-scan-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

function bytes(seed: number, length: number): Uint8Array {
  const random = numbers(seed)
  return Uint8Array.from({ length }, () => Math.floor(256 * random()))
}

test('a piece is found at any offset, whole only', () => {
  const needles = new Needles()
  const secret = bytes(1, 64)
  expect(needles.count(secret)).toBe(0)
  expect(needles.add(secret)).toBe(4)
  for (let offset = 0; offset < 20; offset++) {
    const hay = new Uint8Array(200)
    hay.set(secret, offset)
    expect(needles.count(hay)).toBe(4)
    expect(needles.count(hay.subarray(offset + 1, offset + 64))).toBe(3)
    hay[offset + 33] = (hay[offset + 33] as number) ^ 1
    expect(needles.count(hay)).toBe(3)
  }
  expect(needles.count(secret.subarray(0, 15))).toBe(0)
  expect(needles.count(bytes(2, 100_000))).toBe(0)
})

test('many pieces, and pieces added after a scan, are all found', () => {
  const needles = new Needles()
  const secrets = Array.from({ length: 300 }, (_, i) => bytes(i + 1, 80))
  for (const secret of secrets) needles.add(secret)
  expect(secrets.every((secret) => needles.count(secret) === 5)).toBe(true)
  const late = bytes(9999, 39)
  expect(needles.add(late)).toBe(2)
  expect(needles.count(late)).toBe(2)
  expect(secrets.every((secret) => needles.count(secret) === 5)).toBe(true)
  expect(needles.add(bytes(3, 15))).toBe(0)
})

test('pieces that share their hash are told apart', () => {
  const needles = new Needles()
  const one = new Uint8Array(16).fill(7)
  const two = Uint8Array.from(one)
  // The first and third word do not enter the hash.
  two[0] = 8
  two[9] = 8
  needles.add(one)
  expect(needles.count(two)).toBe(0)
  needles.add(two)
  expect([needles.count(one), needles.count(two)]).toEqual([1, 1])
})

test('every file below a folder is read, and those with hits are named', async () => {
  const secret = bytes(5, 32)
  const needles = new Needles()
  needles.add(secret)
  mkdirSync(join(folder, 'a', 'b'), { recursive: true })
  writeFileSync(join(folder, 'clean'), bytes(6, 1000))
  writeFileSync(join(folder, 'a', 'b', 'dirty'), new Uint8Array([0, ...secret, 1]))
  expect(await scanFolder(folder, needles)).toEqual({
    files: 2,
    bytes: 1034,
    hits: 2,
    found: [join('a', 'b', 'dirty')],
  })
})
