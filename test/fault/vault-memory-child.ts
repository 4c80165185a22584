/** Child process whose memory is searched: carries out verbs in phases and waits after each (I-03). @module */
/// <reference types="node" />

import { openSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { createInterface } from 'node:readline'
import { secondFactorConfirmed } from '../../src/vault/symbols.ts'
import type { ErasureReceipt, ShareSource } from '../../src/vault/types.ts'
import { telling } from './telling-store.ts'
import { subjectName } from './vault-people.ts'
import { basis, numberedBytes, openWorld, sampleOf } from './vault-world.ts'
import { openWorldQuorum } from './world-quorum.ts'

const [directory = '', custody = 'operator', text = '0', log = ''] = process.argv.slice(2)
const count = Number(text)
const holder = custody === 'holder'
const journal = openSync(log, 'a')
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const quorum = custody === 'quorum' ? await openWorldQuorum(dirname(log)) : undefined
const world = await openWorld(directory, {
  custody: custody as 'operator' | 'holder' | 'quorum',
  ...(quorum === undefined ? {} : { quorum }),
  between: (store) => telling(store, journal),
})
const { vault } = world
const receipts: ErasureReceipt[] = []
const devices: string[] = []

await phase('open', 0, async () => undefined)
await phase('enroll', count, async (i) => {
  const request = { ...sampleOf(say('enroll', i, i)), subject: subjectName(i), basis: basis() }
  await vault.enroll({ ...request, pending: true, ...share(i) })
})
await each('activate')
await phase('match', count, (i) => verify(i, i, false, 'match'))
await phase('nonmatch', count, (i) => verify(i, i, true, 'nonmatch'))
await phase('match with an operation id', count, (i) => verify(i, i, false, 'match', `operation-${i}`))
await each('rebind')
await each('suspend')
await each('resume')
if (holder) {
  await phase('addDevice', count, async (i) => {
    const request = { subject: subjectName(i), [secondFactorConfirmed]: true } as const
    devices.push(await vault.addDevice({ ...request, holderShare: shareOf(i), newShare: shareOf(count + i) }))
  })
  await phase('removeDevice', count, async (i) => {
    const request = { subject: subjectName(i), [secondFactorConfirmed]: true } as const
    await vault.removeDevice({ ...request, holderShare: shareOf(i), device: devices[i] as string })
  })
}
await phase('rotate', 1, async () => {
  await world.keyring.promote(await world.keyring.add())
  for await (const result of vault.rotate()) if (!result.ok) throw result.error
})
await phase('reissue', count, async (i) => {
  const request = { ...sampleOf(say('reissue', i, count + i)), subject: subjectName(i), basis: basis() }
  await vault.reissue({ ...request, ...share(i) })
})
await phase('match after reissue', count, (i) => verify(i, count + i, false, 'match'))
await each('hold')
await each('release')
await phase('revoke', Math.floor(count / 2), (i) => vault.revoke(subjectName(i), 'breach'))
await phase('describe', count, async (i) => void (await vault.describe(subjectName(i))))
await phase('erase', count, async (i) => void receipts.push(await vault.erase(subjectName(i))))
await phase('renewReceipt', count, async (i) => {
  await vault.renewReceipt(receipts[i] as ErasureReceipt)
})
await phase('close', 1, () => world.close())
// The control: bytes that the searching side sends are kept.
const kept: Uint8Array[] = []
for await (const line of { [Symbol.asyncIterator]: () => lines }) {
  kept.push(Uint8Array.from(Buffer.from(line, 'hex')))
  writeSync(1, `kept ${kept.length}\n`)
}

/** Runs a phase, lets one turn of the event loop pass, and waits until it has been searched. */
async function phase(name: string, times: number, task: (i: number) => Promise<void>): Promise<void> {
  for (let i = 0; i < times; i++) await task(i)
  await new Promise((resolve) => setImmediate(resolve))
  writeSync(1, `${name}\n`)
  await lines.next()
}

function each(verb: 'activate' | 'rebind' | 'suspend' | 'resume' | 'hold' | 'release'): Promise<void> {
  return phase(verb, count, (i) => vault[verb](subjectName(i)))
}

async function verify(
  i: number,
  face: number,
  wrong: boolean,
  expected: string,
  operationId?: string,
): Promise<void> {
  const request = { ...sampleOf(say(wrong ? 'wrong' : 'verify', i, face), wrong), subject: subjectName(i) }
  const options = operationId === undefined ? {} : { operationId }
  const { outcome } = await vault.verify({ ...request, ...share(i) }, options)
  if (outcome !== expected) throw new Error(`${subjectName(i)} is answered ${outcome}`)
}

/** The device's side: the bytes of a share follow from its number, and are wiped by the vault. */
function shareOf(number: number): ShareSource {
  return async () => {
    const bytes = numberedBytes(1 + number)
    // As most callers have it: a small array, which lies on the heap of the engine.
    const share = Uint8Array.from(bytes)
    bytes.fill(0)
    return share
  }
}

function share(i: number): { readonly holderShare?: ShareSource } {
  return holder ? { holderShare: shareOf(i) } : {}
}

/** Tells which face a verb is about, before it begins. */
function say(verb: string, subject: number, face: number): number {
  writeSync(journal, `${JSON.stringify({ verb, subject, face })}\n`)
  return face
}
