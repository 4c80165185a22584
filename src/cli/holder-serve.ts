/** `guise holder serve` and `status`: one holder at work, and what it remembers (SPEC §13.5, §13.7). @module */
/// <reference types="node" />

import { readFileSync } from 'node:fs'
import { concatBytes, utf8, wipe } from '../base/bytes.ts'
import { systemClock } from '../base/clock.ts'
import { type QuorumHolder, quorumHolder } from '../quorum/holder.ts'
import { serveHolder } from '../quorum/https-holder.ts'
import type { TlsTrust } from '../quorum/https-tls.ts'
import { writeWhole } from '../quorum/local-files.ts'
import { type HolderStatus, holderStatus } from '../quorum/local-status.ts'
import { type OpenFolder, type Request, type Values, withFolder } from './holder-options.ts'
import { count, type Io, UsageError } from './io.ts'
import { needed, wholeNumber } from './secret.ts'

/** Serves until the process is told to end. */
export async function serveVerb(request: Request, io: Io): Promise<void> {
  const { values } = request
  const { host, port } = addressOf(needed(values.listen, '--listen'))
  const identity = {
    key: readFileSync(needed(values['tls-key'], '--tls-key'), 'utf8'),
    certificate: readFileSync(needed(values['tls-cert'], '--tls-cert'), 'utf8'),
  }
  const clients = trustOf(values)
  await withFolder(request, async (open) => {
    using holder = await openServed(open)
    const say = (line: object): void => {
      const time = new Date(systemClock.nowMs()).toISOString()
      io.out(`${JSON.stringify({ time, index: holder.index, ...line })}\n`)
    }
    const ended = toldToEnd()
    const server = await serveHolder({ holder, identity, clients, host, port, onEvent: say })
    say({ event: 'listening', host: server.host, port: server.port })
    await ended
    say({ event: 'ending' })
    await server.close()
    say({ event: 'ended' })
  })
}

/** Prints what the holder remembers; changes nothing. */
export async function statusVerb(request: Request, io: Io): Promise<void> {
  const status = await withFolder(request, ({ folder, store, anchor }) => holderStatus(folder, store, anchor))
  io.out(request.values.json ? `${JSON.stringify(status)}\n` : statusText(status))
}

/** Goes on with a vault's log that was rolled back and accepted (QUORUM-36). */
export async function acceptVerb(request: Request, io: Io): Promise<void> {
  const { values } = request
  const statement = readFileSync(needed(values.statement, '--statement'), 'utf8')
  const actor = needed(values.actor, '--actor')
  const out = needed(values.out, '--out')
  const { from, to } = await withFolder(request, async (open) => {
    using holder = await openServed(open)
    const done = await holder.accept({ statement, actor })
    writeWhole(out, utf8(done.statement) as Uint8Array)
    return done
  })
  io.out(
    values.json
      ? `${JSON.stringify({ accepted: true, from, to, statement: out })}\n`
      : `the log goes on from ${count(to)} entries, where ${count(from)} were seen; signed in ${out}\n`,
  )
}

/** Opens the holder with all shares of its folder. */
async function openServed({ folder, store, anchor }: OpenFolder): Promise<QuorumHolder> {
  const shares = folder.shares()
  const key = folder.use((own) => concatBytes(own))
  try {
    return await quorumHolder({ ...folder.settings(), shares, key, store, anchor })
  } finally {
    wipe(key)
    for (const share of shares) share.dispose()
  }
}

function statusText(status: HolderStatus): string {
  const { realm, index, shares, generations, revoked, answers, budgets, seen, sequence, anchored } = status
  const lines = [
    `${realm}, holder ${index}`,
    ...shares.map(
      (share) =>
        `share       epoch ${share.epoch}, refresh ${share.refresh}, ${share.threshold} of ${share.holders}, group ${share.groupKey}`,
    ),
    `key         ${status.verifierKey}`,
    `generations ${count(generations)}, ${count(revoked)} of them revoked`,
    `answers     ${count(answers)} in the last counted hour, of at most ${count(budgets.allPerHour)}`,
    `template    at most ${count(budgets.recordPerHour)} an hour, ${count(budgets.recordTotal)} in all`,
    `log         ${count(seen)} entries seen`,
    ...status.accepted.map(
      ({ from, to, actor, at }) => `accepted    from ${count(from)} to ${count(to)} by ${actor} at ${at}`,
    ),
    `commits     ${count(sequence)}, ${anchored === undefined ? 'none' : count(anchored)} anchored`,
    `serves      from epoch ${status.leastEpoch} on${status.floors
      .map(({ epoch, refresh }) => `, of epoch ${epoch} from refresh ${refresh} on`)
      .join('')}`,
  ]
  return `${lines.join('\n')}\n`
}

function trustOf(values: Values): TlsTrust {
  const pins = values['client-pin']
  const authority = values['client-ca']
  if ((pins === undefined) === (authority === undefined))
    throw new UsageError('give --client-pin or --client-ca, and not both')
  return authority === undefined ? { pins: pins ?? [] } : { authority: readFileSync(authority, 'utf8') }
}

function addressOf(text: string): { readonly host: string; readonly port: number } {
  const [, host = '', port = ''] = /^(\[[^\]]+\]|[^:]+):(\d{1,5})$/.exec(text) ?? []
  if (host === '') throw new UsageError('--listen must be HOST:PORT')
  return { host: host.replaceAll(/^\[|\]$/g, ''), port: wholeNumber(port, '--listen') }
}

function toldToEnd(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve())
  })
}
