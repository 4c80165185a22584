/** Revocations of members whose shards others fill without a pause: each wins, and soon (GALLERY-8); the counts differ by tier. @module */
/// <reference types="node" />

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, test } from 'vitest'
import type { Store } from '../../src/store/store.ts'
import { compile } from './compile.ts'
import { VAULT_FOLDERS } from './vault-folders.ts'
import { basis, openWorld, sampleOf } from './vault-world.ts'

export interface RevokeOptions {
  readonly processes: number
  /** Enrolments that each has under way. */
  readonly inFlight: number
  readonly revocations: number
}

interface RevokeResult {
  /** How often each revocation met a conflict. */
  readonly conflicts: readonly number[]
  readonly tookMs: readonly number[]
  /** Revocations that were given up. */
  readonly lost: number
  readonly enrolled: number
}

const LIMIT = 1_000_000
/** A decision is made anew so often, then the call fails. */
const MOST_TRIES = 64

export function revokeTests(options: RevokeOptions, timeout: number): void {
  const { processes, inFlight, revocations } = options
  test(`GALLERY-8 ${revocations} members are revoked while ${processes} processes fill their shards, ${inFlight} enrolments each at once`, {
    timeout,
  }, async () => {
    const { conflicts, tookMs, lost, enrolled } = await revokeUnderLoad(options)
    const most = Math.max(...conflicts)
    const sorted = [...tookMs].sort((a, b) => a - b)
    const quantile = (q: number): number => Math.round(sorted[Math.floor(q * (sorted.length - 1))] as number)
    const counts = Array.from({ length: most + 1 }, (_, n) => conflicts.filter((c) => c === n).length)
    console.info(
      `${revocations} revocations beside ${enrolled} enrolments: conflicts ${counts.join(' ')}, ms median ${quantile(0.5)}, 99th ${quantile(0.99)}, most ${quantile(1)}`,
    )
    expect(lost).toBe(0)
    expect(enrolled).toBeGreaterThan(revocations)
    // A few may meet nobody.
    if (revocations >= 100) expect(conflicts.some((count) => count > 0)).toBe(true)
    expect(most).toBeLessThan(MOST_TRIES / 2)
  })
}

async function revokeUnderLoad({ processes, inFlight, revocations }: RevokeOptions): Promise<RevokeResult> {
  const base = mkdtempSync(join(tmpdir(), 'guise-revoke-'))
  const directory = join(base, 'store')
  mkdirSync(directory, { mode: 0o700 })
  let met = 0
  const count = (store: Store): Store => ({
    durable: store.durable,
    get: (table, key, options) => store.get(table, key, options),
    scan: (table, from, options) => store.scan(table, from, options),
    close: () => store.close(),
    [Symbol.asyncDispose]: () => store.close(),
    commit: async (steps, options) => {
      try {
        return await store.commit(steps, options)
      } catch (error) {
        const changes = steps.some(({ step, table }) => step === 'put' && table === 'states')
        if (changes && (error as { code?: unknown }).code === 'ERR_STORE_CONFLICT') met += 1
        throw error
      }
    },
  })
  const world = await openWorld(directory, { gallery: true, galleryLimit: LIMIT, between: count })
  try {
    const script = join(compile({ folders: VAULT_FOLDERS }), 'test', 'fault', 'gallery-enrol-child.js')
    const children = Array.from({ length: processes }, (_, name) => {
      const numbers = [name, inFlight, LIMIT].map(String)
      const child = spawn(process.execPath, [script, directory, ...numbers], {
        stdio: ['pipe', 'pipe', 'inherit'],
      })
      return { child, lines: createInterface({ input: child.stdout })[Symbol.asyncIterator]() }
    })
    await Promise.all(children.map(({ lines }) => lines.next()))
    const conflicts: number[] = []
    const tookMs: number[] = []
    let lost = 0
    for (let person = 0; person < revocations; person++) {
      const subject = `person-${person}`
      await world.vault.enroll({ subject, basis: basis(), ...sampleOf(person) })
      met = 0
      const begin = performance.now()
      await world.vault.revoke(subject, 'other').catch(() => {
        lost += 1
      })
      tookMs.push(performance.now() - begin)
      conflicts.push(met)
    }
    let enrolled = 0
    for (const { child, lines } of children) {
      const closed = once(child, 'close')
      child.stdin.end()
      const { value } = await lines.next()
      enrolled += (JSON.parse(String(value)) as { enrolled: number }).enrolled
      await closed
    }
    return { conflicts, tookMs, lost, enrolled }
  } finally {
    await world.close()
    rmSync(base, { recursive: true, force: true })
  }
}
