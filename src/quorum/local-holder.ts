/** A holder's folder: its key wrapped by a provider, shares and settings sealed under it (SPEC §13.8). @module */
/// <reference types="node" />

import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Realm } from '../base/brand.ts'
import { concatBytes, fixedLabel, fromBase64, toBase64Url, utf8, wipe } from '../base/bytes.ts'
import { asArray, asText, asUint, decodeCbor, encodeCbor } from '../base/cbor.ts'
import { checkRealm } from '../base/identifier.ts'
import { Secret } from '../base/secret.ts'
import { committingOpen, committingSeal } from '../crypto/committing.ts'
import { randomBytes } from '../crypto/random.ts'
import { cryptoReady } from '../crypto/sodium.ts'
import type { KeyProvider } from '../keys/provider.ts'
import { packSealed, unpackSealed } from '../keys/sealed.ts'
import type { QuorumBudgets } from './budgets.ts'
import { malformed, rejectInput } from './errors.ts'
import { FORMAT, indexOf, requireKind } from './key.ts'
import { readWhole, removeWhole, writeWhole } from './local-files.ts'
import { type QuorumShare, readQuorumShare } from './share.ts'

const KIND = 38
const NAME = 'holder.json'
const SETTINGS = 'settings'
const LABEL = 'guise/v1/quorum-file'
const KEY_BYTES = 32
const MAX_FILE_BYTES = 65_536
const MAX_SETTINGS_BYTES = 1024
const MAX_BUDGET = 1_000_000_000
const SHARE = /^share-(\d{1,10})-(\d{1,10})$/

/** What a holder serves by. */
export interface HolderSettings {
  readonly logKey: string
  readonly budgets: QuorumBudgets
  readonly windowMs: number
}

interface FolderName {
  readonly realm: Realm
  readonly index: number
}

/** An open folder. Its key is wiped on dispose. */
export class HolderFolder implements Disposable {
  readonly realm: Realm
  readonly index: number
  readonly #path: string
  readonly #key: Secret

  constructor(path: string, { realm, index }: FolderName, key: Uint8Array) {
    this.realm = realm
    this.index = index
    this.#path = path
    this.#key = new Secret(key, () => rejectInput('the folder is closed'))
  }

  /** Lends the holder key. */
  use<Result>(task: (key: Uint8Array) => Result): Result {
    return this.#key.use(task)
  }

  settings(): HolderSettings {
    const bytes = this.read(SETTINGS)
    if (bytes === undefined) throw malformed('the folder has no settings')
    const items = asArray(decodeCbor(bytes, MAX_SETTINGS_BYTES, malformed), 7, malformed)
    const [format, kind, logKey, recordPerHour, recordTotal, allPerHour, windowMs] = items
    requireKind(format, kind, KIND)
    return {
      logKey: asText(logKey, 512, malformed),
      budgets: {
        recordPerHour: asUint(recordPerHour, MAX_BUDGET, malformed),
        recordTotal: asUint(recordTotal, MAX_BUDGET, malformed),
        allPerHour: asUint(allPerHour, MAX_BUDGET, malformed),
      },
      windowMs: asUint(windowMs, MAX_BUDGET, malformed),
    }
  }

  writeSettings({ logKey, budgets, windowMs }: HolderSettings): void {
    const { recordPerHour, recordTotal, allPerHour } = budgets
    const items = [FORMAT, KIND, logKey, recordPerHour, recordTotal, allPerHour, windowMs]
    this.write(SETTINGS, encodeCbor(items))
  }

  /** All shares, oldest first; the caller disposes of them. */
  shares(): QuorumShare[] {
    const shares: QuorumShare[] = []
    try {
      for (const name of readdirSync(this.#path)) if (SHARE.test(name)) shares.push(this.#share(name))
      return shares.sort((a, b) => a.key.epoch - b.key.epoch || a.key.refresh - b.key.refresh)
    } catch (error) {
      for (const share of shares) share.dispose()
      throw error
    }
  }

  writeShare(share: QuorumShare): void {
    if (share.key.realm !== this.realm || share.index !== this.index)
      throw rejectInput('the share is another holder’s')
    const bytes = share.encode()
    try {
      this.write(shareName(share.key), bytes)
    } finally {
      wipe(bytes)
    }
  }

  removeShare(name: { readonly epoch: number; readonly refresh: number }): void {
    this.remove(shareName(name))
  }

  /** The content of a sealed file, off-heap, which the caller wipes. Throws `ERR_QUORUM_FORMAT` (QUORUM-22). */
  read(name: string): Uint8Array<ArrayBuffer> | undefined {
    const bytes = readWhole(join(this.#path, name), MAX_FILE_BYTES)
    if (bytes === undefined) return undefined
    const content = this.use((key) => committingOpen(key, LABEL, this.#aad(name), unpackSealed(bytes)))
    if (content === undefined) throw malformed('a file of the folder is not what this holder sealed')
    return content
  }

  write(name: string, content: Uint8Array): void {
    const sealed = this.use((key) => committingSeal(key, LABEL, this.#aad(name), content))
    writeWhole(join(this.#path, name), packSealed(sealed))
  }

  remove(name: string): void {
    removeWhole(join(this.#path, name))
  }

  dispose(): void {
    this.#key.dispose()
  }

  [Symbol.dispose](): void {
    this.dispose()
  }

  #aad(name: string): Uint8Array {
    return encodeCbor([this.realm, this.index, name])
  }

  #share(name: string): QuorumShare {
    const bytes = this.read(name)
    if (bytes === undefined) throw malformed('a share is gone')
    try {
      const share = readQuorumShare(bytes)
      const { key, index } = share
      if (shareName(key) === name && key.realm === this.realm && index === this.index) return share
      share.dispose()
      throw malformed('a share is another one')
    } finally {
      wipe(bytes)
    }
  }
}

/**
 * Makes the folder of a holder with its first share. `holder.json` comes last: a folder without it was not finished, and is made
 * again. Throws `ERR_QUORUM_INPUT` for one that is finished.
 */
export async function createHolderFolder(
  path: string,
  provider: KeyProvider,
  made: { readonly share: QuorumShare; readonly settings: HolderSettings },
): Promise<HolderFolder> {
  await cryptoReady()
  if (readWhole(join(path, NAME), MAX_FILE_BYTES) !== undefined)
    throw rejectInput('the folder has a holder already')
  mkdirSync(path, { recursive: true, mode: 0o700 })
  const { realm } = made.share.key
  const name = { realm, index: made.share.index }
  const key = randomBytes(KEY_BYTES)
  try {
    const wrapped = toBase64Url(await provider.wrap(key, contextOf(name)))
    const folder = new HolderFolder(path, name, key)
    folder.writeSettings(made.settings)
    folder.writeShare(made.share)
    const text = `${JSON.stringify({ format: FORMAT, realm, index: name.index, wrapped })}\n`
    writeWhole(join(path, NAME), utf8(text) as Uint8Array)
    return folder
  } finally {
    wipe(key)
  }
}

/** Opens a folder. Throws `ERR_QUORUM_FORMAT` for one that is none, and what the provider throws. */
export async function openHolderFolder(path: string, provider: KeyProvider): Promise<HolderFolder> {
  await cryptoReady()
  const { name, wrapped } = readName(join(path, NAME))
  const key = await provider.unwrap(wrapped, contextOf(name))
  try {
    return new HolderFolder(path, name, key)
  } finally {
    wipe(key)
  }
}

function readName(path: string): { readonly name: FolderName; readonly wrapped: Uint8Array } {
  const bytes = readWhole(path, MAX_FILE_BYTES)
  if (bytes === undefined) throw rejectInput('there is no holder in this folder')
  let parsed: Readonly<Record<string, unknown>>
  try {
    parsed = JSON.parse(new TextDecoder().decode(bytes)) as Readonly<Record<string, unknown>>
  } catch {
    throw malformed('holder.json is no JSON')
  }
  const wrapped = typeof parsed?.['wrapped'] === 'string' ? fromBase64(parsed['wrapped']) : undefined
  if (parsed?.['format'] !== FORMAT || wrapped === undefined)
    throw malformed('holder.json is of another form')
  return {
    name: { realm: checkRealm(parsed['realm'], malformed), index: indexOf(parsed['index'] as number) },
    wrapped,
  }
}

function contextOf({ realm, index }: FolderName): Uint8Array {
  return concatBytes(fixedLabel('guise/v1/quorum-folder'), encodeCbor([realm, index]))
}

function shareName({ epoch, refresh }: { readonly epoch: number; readonly refresh: number }): string {
  return `share-${epoch}-${refresh}`
}
