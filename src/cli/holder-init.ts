/** `guise holder init` and `certificate`: what has to be there before a holder serves (SPEC §13.1, §13.8). @module */
/// <reference types="node" />

import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileAnchor } from '../audit/file-anchor.ts'
import { concatBytes, toBase64Url, utf8, wipe } from '../base/bytes.ts'
import { cryptoReady } from '../crypto/sodium.ts'
import { quorumHolder } from '../quorum/holder.ts'
import { selfSignedCertificate } from '../quorum/https-certificate.ts'
import { writeWhole } from '../quorum/local-files.ts'
import { createHolderFolder, type HolderSettings } from '../quorum/local-holder.ts'
import { type DealtQuorum, dealQuorum } from '../quorum/setup.ts'
import type { QuorumShare } from '../quorum/share.ts'
import { lmdbStore } from '../store/lmdb.ts'
import { type Request, secretSources, type Values } from './holder-options.ts'
import { type Io, UsageError } from './io.ts'
import { needed, openProvider, type SecretSource, wholeNumber } from './secret.ts'

const DEFAULT_DAYS = '3650'
const DEFAULT_WINDOW_MS = '300000'

interface Member {
  readonly index: number
  readonly verifierKey: string
}

/** Deals a quorum into folders. */
export async function initVerb({ values }: Request, io: Io): Promise<void> {
  const into = needed(values.into, '--into')
  const holders = number(values, 'holders')
  const plan = {
    realm: needed(values.realm, '--realm'),
    threshold: number(values, 'threshold'),
    holders,
    epoch: number(values, 'epoch', '1'),
  }
  const settings = settingsOf(values)
  const secrets = secretSources(values, holders)
  const summary = join(into, 'quorum.json')
  // A second key of the same epoch would be another key under one name.
  if (existsSync(summary)) throw new UsageError('--into holds a quorum already')
  await cryptoReady()
  const dealt = dealQuorum(plan)
  try {
    mkdirSync(into, { recursive: true, mode: 0o700 })
    const members: Member[] = []
    for (const [i, share] of dealt.shares.entries()) {
      const path = join(into, `holder-${share.index}`)
      members.push(await makeHolder(path, share, settings, secrets[i] as SecretSource))
    }
    const pinned = pinnedText(dealt, members, settings)
    writeWhole(summary, utf8(pinned) as Uint8Array)
    if (values.json) io.out(pinned)
    else io.out(`${plan.threshold} of ${holders} holders of ${plan.realm}: ${into}\n`)
  } finally {
    for (const share of dealt.shares) share.dispose()
  }
}

/** Makes what an end of a connection shows of itself. */
export async function certificateVerb({ values }: Request, io: Io): Promise<void> {
  const into = needed(values.into, '--into')
  await cryptoReady()
  const made = selfSignedCertificate(needed(values.name, '--name'), number(values, 'days', DEFAULT_DAYS))
  const [key, certificate] = [join(into, 'tls.key'), join(into, 'tls.crt')]
  if (existsSync(key) || existsSync(certificate)) throw new UsageError('--into holds a certificate already')
  mkdirSync(into, { recursive: true, mode: 0o700 })
  writeWhole(key, utf8(made.key) as Uint8Array)
  writeWhole(certificate, utf8(made.certificate) as Uint8Array)
  io.out(values.json ? `${JSON.stringify({ pin: made.pin, key, certificate })}\n` : `${made.pin}\n`)
}

async function makeHolder(
  path: string,
  share: QuorumShare,
  settings: HolderSettings,
  secret: SecretSource,
): Promise<Member> {
  const provider = openProvider(join(path, 'keys'), secret)
  try {
    using folder = await createHolderFolder(path, provider, { share, settings })
    const store = await lmdbStore({ path: join(path, 'store') })
    try {
      const key = folder.use((own) => concatBytes(own))
      const anchor = fileAnchor(join(path, 'anchor'))
      const opening = quorumHolder({ ...settings, shares: [share], key, store, anchor })
      using holder = await opening.finally(() => wipe(key))
      return { index: holder.index, verifierKey: holder.verifierKey }
    } finally {
      await store.close()
    }
  } finally {
    provider.close()
  }
}

/** What whoever asks pins; none of it is secret. */
function pinnedText({ key }: DealtQuorum, members: readonly Member[], { logKey }: HolderSettings): string {
  const { realm, epoch, refresh, threshold, holders } = key
  const named = { format: 1, realm, epoch, refresh, threshold, holders, logKey }
  return `${JSON.stringify({ ...named, key: toBase64Url(key.bytes), members })}\n`
}

function settingsOf(values: Values): HolderSettings {
  return {
    logKey: needed(values['log-key'], '--log-key'),
    budgets: {
      recordPerHour: number(values, 'record-per-hour'),
      recordTotal: number(values, 'record-total'),
      allPerHour: number(values, 'all-per-hour'),
    },
    windowMs: number(values, 'window-ms', DEFAULT_WINDOW_MS),
  }
}

type NumberName =
  | 'holders'
  | 'threshold'
  | 'epoch'
  | 'record-per-hour'
  | 'record-total'
  | 'all-per-hour'
  | 'window-ms'
  | 'days'

function number(values: Values, name: NumberName, otherwise?: string): number {
  return wholeNumber(needed(values[name] ?? otherwise, `--${name}`), `--${name}`)
}
