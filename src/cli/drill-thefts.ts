/** What is stolen in a drill, and the attempt to open every template with it (SPEC §15.8). @module */
/// <reference types="node" />

import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { concatBytes, wipe } from '../base/bytes.ts'
import { GuiseError } from '../base/errors.ts'
import { randomBytes } from '../crypto/random.ts'
import { secretKey } from '../record/place.ts'
import type { ReferenceRow } from '../record/reference-row.ts'
import { decodeSecretRow } from '../record/secret-row.ts'
import { openCode } from '../seal/code.ts'
import { lmdbStore } from '../store/lmdb.ts'
import type { VaultContext } from '../vault/context.ts'
import { type Names, type Scene, shareFor } from './drill-scene.ts'
import { sealedCode, withCopy, withSecret } from './thief.ts'

/** `old`: copied before everybody was given a new template; `new`: after; `last`: after all were erased and the epoch destroyed. */
type When = 'old' | 'new' | 'last'

/** One stolen set. What is left out the thief makes up: an empty store, keys of his own, a share at random. */
export interface Theft {
  readonly stolen: string
  readonly says: string
  readonly custody: Scene['custody']
  readonly rows?: When
  readonly secrets?: When
  readonly keys?: When
  /** What opens the provider's directory. */
  readonly key?: true
  /** Devices of everybody, each tried on its person's template, or of the first person, tried on all. */
  readonly devices?: 'each' | 'first'
}

/** Code and key of one template. */
export interface Opened {
  readonly code: Uint8Array
  readonly rotationKey: Uint8Array
}

/** What a theft gives of one person: the opened template, or sealed bytes to guess from. */
export interface Gain {
  readonly opened: Opened | undefined
  readonly sealed: Uint8Array
}

export interface Haul {
  readonly gains: readonly Gain[]
  /** Codes of the errors that opening ended in. */
  readonly ends: readonly string[]
}

/** Where everything lies: the folders of the copies, and everybody's rows before and after the reissue. */
export interface Ground {
  readonly scene: Scene
  readonly copies: Readonly<Record<When, string>>
  readonly before: Names
  readonly after: Names
}

export const THEFTS: readonly Theft[] = [
  {
    stolen: 'rows',
    says: 'the store: sealed references, states, the wrapped keyring and the log',
    custody: 'operator',
    rows: 'old',
  },
  { stolen: 'secrets', says: 'the wrapped record secrets', custody: 'operator', secrets: 'old' },
  {
    stolen: 'rows+secrets',
    says: 'both stores, and no key',
    custody: 'operator',
    rows: 'old',
    secrets: 'old',
  },
  {
    stolen: 'rows+secrets+keys',
    says: 'both stores and the files of the key provider, without what opens these',
    custody: 'operator',
    rows: 'old',
    secrets: 'old',
    keys: 'old',
  },
  {
    stolen: 'operator',
    says: 'both stores and the provider with its key: everything that the vault has',
    custody: 'operator',
    rows: 'old',
    secrets: 'old',
    keys: 'old',
    key: true,
  },
  {
    stolen: 'old rows',
    says: 'rows from before the reissue, with the secrets and every key of after it',
    custody: 'operator',
    rows: 'old',
    secrets: 'new',
    keys: 'new',
    key: true,
  },
  {
    stolen: 'old backup',
    says: 'a backup of both stores from before the reissue, with every key of after it: its epoch lives on',
    custody: 'operator',
    rows: 'old',
    secrets: 'old',
    keys: 'new',
    key: true,
  },
  {
    stolen: 'erased',
    says: 'that backup, with every key of after the erasure: its epoch is destroyed',
    custody: 'operator',
    rows: 'old',
    secrets: 'old',
    keys: 'last',
    key: true,
  },
  {
    stolen: 'holder',
    says: 'under custody of the holders: everything but what their devices keep',
    custody: 'holder',
    rows: 'old',
    secrets: 'old',
    keys: 'old',
    key: true,
  },
  {
    stolen: 'holder+device',
    says: 'all that and the device of one person, tried on every template',
    custody: 'holder',
    rows: 'old',
    secrets: 'old',
    keys: 'old',
    key: true,
    devices: 'first',
  },
  {
    stolen: 'holder+devices',
    says: 'all that and the devices of everybody, each tried on its own person',
    custody: 'holder',
    rows: 'old',
    secrets: 'old',
    keys: 'old',
    key: true,
    devices: 'each',
  },
]

/** Tries to open everybody's template with what was stolen. The caller wipes what opened. */
export async function commitTheft(ground: Ground, theft: Theft): Promise<Haul> {
  const { scene, before } = ground
  const place = join(scene.folder, `thief-${theft.stolen.replaceAll(/\W/g, '-')}`)
  await mkdir(place, { mode: 0o700 })
  const folder = (part: 'store' | 'secrets' | 'keys', when: When | undefined): string =>
    when === undefined ? join(place, part) : join(ground.copies[when], part)
  const copy = {
    store: folder('store', theft.rows),
    secrets: folder('secrets', theft.secrets),
    keys: folder('keys', theft.keys),
    key: theft.key === true ? scene.key : randomBytes(32),
  }
  const sealed = await sealedBytes(ground, theft, copy)
  const opened: (Opened | undefined)[] = before.map(() => undefined)
  const ends = new Set<string>()
  try {
    await withCopy(copy, scene.options, async (ctx) => {
      for (const index of before.keys()) {
        const result = await tryOne(ctx, ground, theft, index)
        if (typeof result === 'string') ends.add(result)
        else opened[index] = result
      }
    })
  } catch (error) {
    if (!(error instanceof GuiseError)) throw error
    ends.add(error.code)
  }
  return {
    gains: sealed.map((bytes, index) => ({ opened: opened[index], sealed: bytes })),
    ends: [...ends].sort(),
  }
}

/** Code and key of everybody's template as the vault itself opens it. The caller wipes them. */
export async function openAll(scene: Scene, names: Names): Promise<readonly Opened[]> {
  const templates: Opened[] = []
  for (const [index, name] of names.entries()) {
    const device = scene.devices[index]
    const share = device === undefined ? undefined : shareFor(device, name)
    templates.push(await openOne(scene.ctx, name, await sealedCode(scene.ctx, name), share))
    wipe(share)
  }
  return templates
}

/** The code of the error that opening ends in, when it does not open. */
async function tryOne(
  ctx: VaultContext,
  ground: Ground,
  theft: Theft,
  index: number,
): Promise<Opened | string> {
  const reference = ground.before[index] as Names[number]
  // Secrets of after the reissue lie under the names of after it.
  const secret = theft.secrets === 'new' ? (ground.after[index] as Names[number]) : reference
  const device = ground.scene.devices[theft.devices === 'first' ? 0 : index]
  const share =
    device === undefined
      ? undefined
      : theft.devices === undefined
        ? randomBytes(32)
        : shareFor(device, reference)
  try {
    return await openOne(ctx, secret, await sealedCode(ctx, reference), share)
  } catch (error) {
    if (error instanceof GuiseError) return error.code
    throw error
  } finally {
    wipe(share)
  }
}

function openOne(
  ctx: VaultContext,
  secret: Names[number],
  reference: ReferenceRow,
  share: Uint8Array | undefined,
): Promise<Opened> {
  const codeBytes = ctx.settings.profile.bits / 8
  return withSecret(ctx, secret, share, (recordSecret) =>
    openCode(recordSecret, reference.header, reference, codeBytes, (code, rotationKey) => ({
      code: concatBytes(code),
      rotationKey: concatBytes(rotationKey),
    })),
  )
}

/** Of each person the sealed code, or the sealed secret where no code was stolen. */
async function sealedBytes(
  { scene, before }: Ground,
  theft: Theft,
  copy: { readonly store: string; readonly secrets: string },
): Promise<readonly Uint8Array[]> {
  const { ctx } = scene
  const store = await lmdbStore({ path: theft.rows === undefined ? copy.secrets : copy.store })
  try {
    const pieces: Uint8Array[] = []
    for (const name of before) {
      if (theft.rows === undefined) {
        const row = await store.get('secrets', secretKey(ctx.realm, name.record, name.generation))
        pieces.push(decodeSecretRow(row?.bytes ?? new Uint8Array(0), name).ciphertext)
      } else {
        const { ciphertext } = await sealedCode(ctx, name, store)
        pieces.push(ciphertext.subarray(0, ctx.settings.profile.bits / 8))
      }
    }
    return pieces
  } finally {
    await store.close()
  }
}
