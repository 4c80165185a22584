/** Rotation under faults: one epoch after another, killed anywhere, resumed by the next run (I-17, VAULT-13). @module */
/// <reference types="node" />

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fromBase64 } from '../../src/base/bytes.ts'
import { realmPrefix } from '../../src/base/identifier.ts'
import { isSubjectKey } from '../../src/record/place.ts'
import { decodeReferenceRow } from '../../src/record/reference-row.ts'
import { decodeSecretRow } from '../../src/record/secret-row.ts'
import { openCode } from '../../src/seal/code.ts'
import { findSubject, readState } from '../../src/vault/lookup.ts'
import { readSecret, withRecordSecret } from '../../src/vault/wrap.ts'
import type { Acknowledge, Driver, RunOptions, Verdict } from './driver.ts'
import { subjectName } from './vault-people.ts'
import { basis, openWorld, sampleOf, type World, type WorldOptions } from './vault-world.ts'

const RECORDS = Number(process.env['GUISE_ROTATE_RECORDS'] ?? 300)
/** Lines that only measure time: kills are counted in lines, and would otherwise follow the end of a page. */
const TICK_MS = Math.max(1, RECORDS / 300)

const PAGE = 64

/** Progress as the last verification saw it. */
interface Progress {
  readonly primary: number
  /** Wraps that were not under the primary epoch yet. */
  readonly left: number
  readonly finished: number
}

export const driver: Driver = rotateDriver()

/** @param options the store that a control puts between; verification looks at the real one */
export function rotateDriver(options: WorldOptions = {}): Driver {
  return {
    async run(directory, run, acknowledge) {
      const world = await openWorld(directory, options)
      await enrollAll(world)
      acknowledge('ready')
      const clock = setInterval(() => acknowledge('tick'), TICK_MS)
      await rotateOn(world, run, acknowledge)
      clearInterval(clock)
      await world.close()
    },

    async verify(directory, acknowledged) {
      const world = await openWorld(directory)
      try {
        return await inspect(directory, world, acknowledged)
      } finally {
        await world.close()
      }
    },
  }
}

/** Goes on where a killed run stopped. */
async function enrollAll({ vault }: World): Promise<void> {
  let known = 0
  while (known < RECORDS && (await vault.describe(subjectName(known))) !== undefined) known += 64
  const first = Math.max(0, known - 64)
  const requests = function* () {
    for (let i = first; i < RECORDS; i++) {
      yield { ...sampleOf(i), subject: subjectName(i), basis: basis() }
    }
  }
  for await (const result of vault.enrollMany(requests())) {
    if (!result.ok && result.error.code !== 'ERR_VAULT_ENROLLED') throw result.error
  }
}

/** Finishes the rotation that is under way, then promotes the next epoch. */
async function rotateOn(
  { vault, keyring }: World,
  options: RunOptions,
  acknowledge: Acknowledge,
): Promise<void> {
  for (let round = 0; round < options.rounds; round++) {
    let wrapped: string[] = []
    for await (const result of vault.rotate()) {
      if (!result.ok) throw result.error
      wrapped.push(result.value)
      if (wrapped.length < PAGE) continue
      acknowledge(`wrapped/${keyring.primary}/${wrapped.join(' ')}`)
      wrapped = []
    }
    acknowledge(`rotated/${keyring.primary}`)
    await keyring.promote(await keyring.add())
  }
}

async function inspect(directory: string, world: World, acknowledged: readonly string[]): Promise<Verdict> {
  const { keyring } = world
  const lost: string[] = []
  const epochs = await epochsOfWraps(world)
  for (const token of acknowledged) {
    const [what, epoch = '', records = ''] = token.split('/')
    if (what === 'rotated' && [...epochs.values()].some((found) => found < Number(epoch))) lost.push(token)
    if (what !== 'wrapped') continue
    for (const record of records.split(' ')) {
      const found = epochs.get(Buffer.from(fromBase64(record) ?? []).toString('hex')) ?? 0
      if (found < Number(epoch)) lost.push(`${record} was under epoch ${epoch} and is under ${found}`)
    }
  }
  const torn = await unreadable(world, epochs)
  const left = [...epochs.values()].filter((epoch) => epoch !== keyring.primary).length
  const before = readProgress(directory)
  if (keyring.primary < before.primary) lost.push('the primary epoch went back')
  if (keyring.primary === before.primary && left > before.left) lost.push(`${left - before.left} went back`)
  const finished = before.finished + acknowledged.filter((token) => token.startsWith('rotated/')).length
  writeFileSync(fileOf(directory), JSON.stringify({ primary: keyring.primary, left, finished }))
  return { lost, torn }
}

/** The epoch of each wrap by record; a record with two wraps is a fault in itself. */
async function epochsOfWraps({ ctx }: World): Promise<ReadonlyMap<string, number>> {
  const epochs = new Map<string, number>()
  const prefix = realmPrefix(ctx.realm)
  for await (const { key, bytes } of ctx.secrets.scan('secrets', prefix)) {
    if (!isSubjectKey(ctx.realm, key)) continue
    const record = key.slice(prefix.length, prefix.length + 16)
    const name = Buffer.from(record).toString('hex')
    if (epochs.has(name)) throw new Error(`record ${name} has two wraps`)
    const place = { realm: ctx.realm, record, generation: key.slice(prefix.length + 16) }
    epochs.set(name, decodeSecretRow(bytes, place).epoch)
  }
  return epochs
}

/** Opens wrap and code of everybody. */
async function unreadable({ ctx }: World, epochs: ReadonlyMap<string, number>): Promise<string[]> {
  const torn: string[] = []
  let readable = 0
  for (let i = 0; i < RECORDS; i++) {
    const { handle } = await findSubject(ctx, subjectName(i))
    const state = handle && (await readState(ctx, handle))?.row
    if (state === undefined) continue
    const stored = await ctx.store.get('references', Buffer.concat([realmPrefix(ctx.realm), state.record]))
    const secret = await readSecret(ctx, state)
    if (stored === undefined || secret === undefined) {
      torn.push(`${subjectName(i)} lacks a part`)
      continue
    }
    const reference = decodeReferenceRow(stored.bytes, ctx.settings.profile, state)
    await ctx.ring.loadEpoch(secret.row.epoch)
    try {
      withRecordSecret(ctx, state, secret.row, {}, (recordSecret) =>
        openCode(recordSecret, reference.header, reference, ctx.settings.profile.bits / 8, () => undefined),
      )
      readable++
    } catch (error) {
      torn.push(`${subjectName(i)}: ${String(error)}`)
    }
  }
  if (readable !== epochs.size) torn.push(`${epochs.size} wraps, ${readable} of them open`)
  return torn
}

function fileOf(directory: string): string {
  return process.env['GUISE_ROTATE_PROGRESS'] ?? join(dirname(directory), 'progress.json')
}

function readProgress(directory: string): Progress {
  const file = fileOf(directory)
  if (!existsSync(file)) return { primary: 0, left: 0, finished: 0 }
  return JSON.parse(readFileSync(file, 'utf8')) as Progress
}
