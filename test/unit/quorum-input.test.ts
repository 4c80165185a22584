/** What callers of a quorum may get wrong: keys, members, shares, plans, steps out of turn, names of certificates. @module */
import { X509Certificate } from 'node:crypto'
import { helpRepair, type QuorumKey, quorumOf, readQuorumKey, refreshQuorum } from 'guise/quorum'
import { describe, expect, test } from 'vitest'
import { selfSignedCertificate } from '../../src/quorum/https-certificate.ts'
import { resumableRefresh } from '../../src/quorum/refresh.ts'
import { type QuorumWorld, quorumWorld } from '../support/quorum.ts'

const input = expect.objectContaining({ code: 'ERR_QUORUM_INPUT' })
const world = (): Promise<QuorumWorld> => quorumWorld(2, 3)

describe('quorumOf', () => {
  test('takes one to four keys of one realm and size, each epoch once', async () => {
    const { dealt, quorum } = await world()
    const other = await quorumWorld(3, 3)
    const wrong: readonly unknown[] = [
      [],
      undefined,
      [dealt.key, 'key'],
      [dealt.key, other.dealt.key],
      [dealt.key, readQuorumKey(dealt.key.bytes)],
      Array.from({ length: 5 }, () => dealt.key),
    ]
    for (const keys of wrong) expect(() => quorum(undefined, { keys: keys as QuorumKey[] })).toThrow(input)
    expect(() => quorum()).not.toThrow()
  })

  test('takes every holder once, and a time that is one', async () => {
    const { members, quorum } = await world()
    const [first, second, third] = members()
    for (const holders of [[first, second], [first, second, second], [first, second, third, third], 'all']) {
      expect(() => quorum(undefined, { holders: holders as never })).toThrow(input)
    }
    expect(() => quorum(undefined, { timeoutMs: 0 })).toThrow(input)
    expect(() => quorumOf(undefined as never)).toThrow(input)
  })
})

describe('a holder', () => {
  test('is given shares of one index, each refresh of an epoch once', async () => {
    const { dealt, reopen } = await world()
    const [one, two] = dealt.shares
    for (const shares of [[], undefined, [one, two], [one, one], [one, 'share']]) {
      await expect(reopen(1, { shares: shares as never })).rejects.toThrow(input)
    }
    await expect(reopen(1, { windowMs: 1 })).rejects.toThrow(input)
  })
})

describe('a refresh', () => {
  test('goes on only with what was saved of it, in turn', async () => {
    const { dealt } = await world()
    const [share] = dealt.shares
    expect(share).toBeDefined()
    if (share === undefined) return
    for (const saved of [new Uint8Array(31), new Uint8Array(32).fill(255)]) {
      expect(() => resumableRefresh(share, saved)).toThrow(
        expect.objectContaining({ code: 'ERR_QUORUM_FORMAT' }),
      )
    }
    const [a, b, c] = dealt.shares.map((one) => refreshQuorum(one))
    const openings = [a, b, c].map((one) => one?.opening as Uint8Array)
    a?.deal(openings)
    expect(() => a?.deal(openings)).toThrow(input)
    expect(() => b?.finish([])).toThrow(input)
  })
})

describe('a replacement', () => {
  test('needs as many helpers as the threshold, ascending, without the lost one', async () => {
    const { dealt } = await world()
    const [share, second] = dealt.shares
    if (share === undefined || second === undefined) throw new Error('no shares')
    const wrong: readonly (readonly number[])[] = [[1], [2, 1], [1, 3], [1, 4], [1, 1]]
    for (const helpers of wrong) expect(() => helpRepair(share, { lost: 3, helpers })).toThrow(input)
    expect(() => helpRepair(share, { lost: 1, helpers: [2, 3] })).toThrow(input)
    expect(() => helpRepair(share, { lost: 0, helpers: [1, 2] })).toThrow(input)
    const [a, b] = [share, second].map((one) => helpRepair(one, { lost: 3, helpers: [1, 2] }))
    const openings = [a, b].map((one) => one?.opening as Uint8Array)
    expect(() => a?.deal([openings[1] as Uint8Array, openings[1] as Uint8Array])).toThrow()
    a?.deal(openings)
    expect(() => a?.deal(openings)).toThrow(input)
  })
})

describe('a certificate of its own', () => {
  test.each([
    ['holder-1.example', 'DNS:holder-1.example'],
    ['192.0.2.7', 'IP Address:192.0.2.7'],
    ['::1', 'IP Address:0:0:0:0:0:0:0:1'],
    ['2001:db8::7:0', 'IP Address:2001:DB8:0:0:0:0:7:0'],
    ['1:2:3:4:5:6:7:8', 'IP Address:1:2:3:4:5:6:7:8'],
  ])('names %s', (name, said) => {
    const { certificate } = selfSignedCertificate(name, 30)
    const read = new X509Certificate(certificate)
    expect(read.subjectAltName).toBe(said)
    expect(read.verify(read.publicKey)).toBe(true)
  })

  test('may live beyond 2050, where the year has four digits', () => {
    const read = new X509Certificate(selfSignedCertificate('holder.example', 36_500).certificate)
    expect(new Date(read.validTo).getUTCFullYear()).toBeGreaterThan(2100)
  })

  test.each([
    ['', 30],
    ['-', 30],
    ['a b', 30],
    [`${'a'.repeat(64)}b`, 30],
    ['holder.example', 0],
    ['holder.example', 36_501],
  ])('refuses %j for %d days', (name, days) => {
    expect(() => selfSignedCertificate(name, days)).toThrow(input)
  })
})
