/** How long a refusal takes, by why it is refused: whoever asks learns nothing from it (I-07). @module */
/// <reference types="node" />

import { randomInt } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createKeyring, openVault, revealReason, type Store, type Vault } from 'guise'
import { lmdbStore } from 'guise/lmdb'
import { allowHighFalseMatchRate } from '../../src/vault/symbols.ts'
import { basis, MODEL, memoryProvider, PURPOSE, point, SIGNER, sample } from '../support/vault.ts'

const PEOPLE = 16
/** So many failures lock. */
const TOTAL = 2

/** Whom a question is about. `planted` is an unknown subject whose answer is kept back for a while. */
export const KINDS = ['unknown', 'elsewhere', 'revoked', 'suspended', 'locked', 'planted'] as const
export type Kind = (typeof KINDS)[number]

export interface RefusalTimes {
  /** Microseconds, in the order in which they were measured. */
  readonly times: Readonly<Record<Kind, readonly number[]>>
  /** Every answer that was given, as JSON, and the codes of errors. */
  readonly answers: ReadonlySet<string>
}

/** Asks `rounds` times about each kind, in a new random order each time, on a vault whose entries are durable. */
export async function refusalTimes(rounds: number, plantedUs: number): Promise<RefusalTimes> {
  const directory = mkdtempSync(join(tmpdir(), 'guise-refusals-'))
  const store = await lmdbStore({ path: join(directory, 'store') })
  try {
    const vault = await vaultOf(store, 'clinic')
    const other = await vaultOf(store, 'pharmacy')
    await enrol(vault, other)
    const times: Record<Kind, number[]> = {
      unknown: [],
      elsewhere: [],
      revoked: [],
      suspended: [],
      locked: [],
      planted: [],
    }
    const answers = new Set<string>()
    for (let round = -100; round < rounds; round++) {
      for (const kind of shuffled(KINDS)) {
        const request = { ...sample(99, round & 255), subject: subjectOf(kind, round & (PEOPLE - 1)) }
        const begun = process.hrtime.bigint()
        const answer = await vault.verify(request).then(JSON.stringify, String)
        if (kind === 'planted') keepBack(plantedUs)
        const us = Number(process.hrtime.bigint() - begun) / 1000
        answers.add(answer)
        if (round >= 0) times[kind].push(us)
      }
    }
    await vault.close()
    await other.close()
    return { times, answers }
  } finally {
    await store.close()
    rmSync(directory, { recursive: true, force: true })
  }
}

async function vaultOf(store: Store, realm: string): Promise<Vault> {
  const keyring = await createKeyring({ realm, provider: memoryProvider(), store })
  return await openVault({
    keyring,
    store,
    model: MODEL,
    purpose: PURPOSE,
    operatingPoints: [point()],
    custody: { profile: 'operator' },
    logSigner: SIGNER,
    attempts: { consecutive: TOTAL, total: TOTAL, realmPerHour: 1_000_000 },
    [revealReason]: false as never,
    [allowHighFalseMatchRate]: true,
  })
}

async function enrol(vault: Vault, other: Vault): Promise<void> {
  for (let i = 0; i < PEOPLE; i++) {
    const request = (kind: Kind) => ({ ...sample(i), subject: subjectOf(kind, i), basis: basis() })
    for (const kind of ['revoked', 'suspended', 'locked'] as const) await vault.enroll(request(kind))
    await other.enroll(request('elsewhere'))
    await vault.revoke(subjectOf('revoked', i), 'fraud')
    await vault.suspend(subjectOf('suspended', i))
    for (let failure = 0; failure < TOTAL; failure++) {
      await vault.verify({ ...sample(1000 + i, failure), subject: subjectOf('locked', i) })
    }
  }
}

/** One length, so that only what is found differs. */
function subjectOf(kind: Kind, person: number): string {
  return `${kind === 'planted' ? 'unknown' : kind}-${person}`.padEnd(16, '.')
}

function keepBack(us: number): void {
  const end = process.hrtime.bigint() + BigInt(Math.round(us * 1000))
  while (process.hrtime.bigint() < end);
}

function shuffled<Item>(items: readonly Item[]): readonly Item[] {
  const out = [...items]
  for (let i = out.length - 1; i > 0; i--) {
    const j = randomInt(i + 1)
    ;[out[i], out[j]] = [out[j] as Item, out[i] as Item]
  }
  return out
}

export interface Comparison {
  /** Welch's t of the two means. */
  readonly t: number
  /** Difference of the means in parts of the first. */
  readonly effect: number
  /** Half the width of its interval of 95 %. */
  readonly spread: number
}

/** Compares what lies below the nine tenths of both: above it stand the flushes that the disk took its time for. */
export function compareTimes(first: readonly number[], second: readonly number[]): Comparison {
  const bound = [...first, ...second].sort((a, b) => a - b)[Math.floor(0.9 * (first.length + second.length))]
  const a = momentsOf(first.filter((us) => us < (bound as number)))
  const b = momentsOf(second.filter((us) => us < (bound as number)))
  const error = Math.sqrt(a.variance / a.n + b.variance / b.n)
  const difference = b.mean - a.mean
  return { t: difference / error, effect: difference / a.mean, spread: (1.96 * error) / a.mean }
}

function momentsOf(values: readonly number[]): { n: number; mean: number; variance: number } {
  const n = values.length
  const mean = values.reduce((sum, value) => sum + value, 0) / n
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1)
  return { n, mean, variance }
}
