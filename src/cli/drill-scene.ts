/** A vault that a drill fills and robs: rows, secrets and keys in directories of their own (SPEC §15.8). @module */
/// <reference types="node" />

import { join } from 'node:path'
import { logSigner } from '../audit/checkpoint.ts'
import { fileAnchor } from '../audit/file-anchor.ts'
import { wipe } from '../base/bytes.ts'
import { randomBytes } from '../crypto/random.ts'
import { holderShare } from '../keys/holder.ts'
import { createKeyring, type Keyring } from '../keys/keyring.ts'
import { localKeyProvider } from '../keys/local.ts'
import { HIGHEST_FALSE_MATCH_RATE, type OperatingPoint } from '../policy/operating-point.ts'
import type { StateRow } from '../record/state-row.ts'
import { lmdbStore } from '../store/lmdb.ts'
import type { VaultContext } from '../vault/context.ts'
import { openContext, openVault } from '../vault/open.ts'
import { allowHighFalseMatchRate, allowOvercomplete } from '../vault/symbols.ts'
import type { Custody, EnrollRequest, VaultOptions } from '../vault/types.ts'
import type { Vault } from '../vault/vault.ts'
import type { Cast, Person } from './demo-cast.ts'
import { enrollment, PURPOSE } from './demo-stage.ts'
import { copyFiles, nameOf } from './thief.ts'

/** Directories below a scene's folder, and below each copy of it. */
const PARTS = ['store', 'secrets', 'keys'] as const

/** Whoever drills has no share holders: what a quorum keeps is drilled in test/attack. */
type SceneCustody = Exclude<Custody['profile'], 'quorum' | 'quorum+holder'>

export interface Scene {
  readonly custody: SceneCustody
  readonly folder: string
  /** Opens the provider's directory. */
  readonly key: Uint8Array
  readonly cast: Cast
  readonly keyring: Keyring
  readonly vault: Vault
  readonly options: VaultOptions
  /** The vault without its door. */
  readonly ctx: VaultContext
  /** Secret of each person's device; empty where the vault alone opens. */
  readonly devices: readonly Uint8Array[]
  close(): Promise<void>
}

/** Where the rows of everybody's template lie. */
export type Names = readonly StateRow[]

/** A new vault on LMDB with two stores. */
export async function openScene(
  folder: string,
  profile: SceneCustody,
  cast: Cast,
  point: OperatingPoint,
): Promise<Scene> {
  const realm = `drill-${profile}`
  const key = randomBytes(32)
  const provider = localKeyProvider({ path: join(folder, 'keys'), key })
  const store = await lmdbStore({ path: join(folder, 'store') })
  const secrets = await lmdbStore({ path: join(folder, 'secrets') })
  const keyring = await createKeyring({ realm, provider, store })
  const signer = await logSigner(`${realm}.example/guise`, randomBytes(32))
  const options: VaultOptions = {
    keyring,
    store,
    secrets,
    model: cast.model,
    purpose: PURPOSE,
    operatingPoints: [point],
    bits: point.bits,
    custody: { profile },
    logSigner: signer,
    anchor: fileAnchor(join(folder, 'anchor')),
    ...(point.bits > cast.model.dimensions && { [allowOvercomplete]: true as const }),
    ...(point.falseMatchRate.value > HIGHEST_FALSE_MATCH_RATE && {
      [allowHighFalseMatchRate]: true as const,
    }),
  }
  const vault = await openVault(options)
  const ctx = await openContext(options)
  const devices = profile === 'holder' ? cast.people.map(() => randomBytes(32)) : []
  const close = async (): Promise<void> => {
    await vault.close()
    await ctx.ledger.close()
    signer.close()
    keyring.close()
    provider.close()
    await secrets.close()
    await store.close()
    wipe(key, ...devices)
  }
  return { custody: profile, folder, key, cast, keyring, vault, options, ctx, devices, close }
}

/** Enrols everybody, or gives everybody a new template from another sample, and says where their rows lie. */
export async function issueAll(
  scene: Scene,
  how: 'enroll' | 'reissue',
  onPerson: () => Promise<void>,
): Promise<Names> {
  const { cast, vault, ctx } = scene
  const names: StateRow[] = []
  for (const [index, person] of cast.people.entries()) {
    const request = requestOf(scene, person, index, how === 'enroll' ? person.samples[0] : person.samples[2])
    if (how === 'enroll') await vault.enroll(request)
    else await vault.reissue(request)
    names.push(await nameOf(ctx, person.id))
    await onPerson()
  }
  return names
}

/** Erases everybody, moves the realm to a new epoch and destroys the one before. */
export async function eraseAll({ cast, vault, keyring }: Scene): Promise<void> {
  for (const { id } of cast.people) await vault.erase(id)
  const first = keyring.primary
  await keyring.promote(await keyring.add())
  for await (const result of vault.rotate()) if (!result.ok) throw result.error
  await keyring.disable(first)
  await keyring.destroy(first)
}

/** Copies all directories, as they are now; returns where the copy lies. */
export async function copyScene({ folder }: Scene, name: string): Promise<string> {
  const target = join(folder, name)
  await copyFiles(folder, target, PARTS)
  return target
}

/** A device's share of one template. The caller wipes it. */
export function shareFor(deviceSecret: Uint8Array, { realm, record, generation }: StateRow): Uint8Array {
  return holderShare(deviceSecret, { realm, record, generation })
}

function requestOf(scene: Scene, person: Person, index: number, vector: Float32Array): EnrollRequest {
  const device = scene.devices[index]
  const request = enrollment(scene, person, vector)
  return device === undefined
    ? request
    : { ...request, holderShare: (context) => Promise.resolve(holderShare(device, context)) }
}
