/** The root file of a local provider: how its sealing key comes from a passphrase, and whether it fits (SPEC §4.6). @module */

import { concatBytes, equalBytes, labelBytes, wipe } from '../base/bytes.ts'
import { asArray, asBytes, asUint, decodeCbor, encodeCbor } from '../base/cbor.ts'
import type { Secret } from '../base/secret.ts'
import { type ArgonCost, argon2idKey } from '../crypto/argon.ts'
import { hkdfExpandPrepared, hkdfPrepare } from '../crypto/kdf.ts'
import { randomBytes } from '../crypto/random.ts'
import { KeysError } from './errors.ts'
import type { KeyDirectory } from './local-directory.ts'

/** What opens a directory. */
export interface RootAccess {
  /** The passphrase, or the sealing key itself. */
  readonly given: Secret
  /** Of a passphrase: the cost for a new directory. `undefined` when a key is given. */
  readonly cost: ArgonCost | undefined
  readonly create: boolean
  /** A root file that asks for more is refused before it is paid for. */
  readonly maxCost: ArgonCost
}

/** What the root file says. A directory sealed by a key has no salt and no cost. */
interface Root {
  readonly salt: Uint8Array
  readonly cost: ArgonCost
  readonly check: Uint8Array
}

const NAME = 'root'
const SALT_BYTES = 16
const CHECK_BYTES = 32
const MAX_ROOT_BYTES = 256
const MARK = 'guise/v1/local'
const LABEL = labelBytes('guise/v1/local-root')
const NONE: Uint8Array = new Uint8Array(0)
const NO_COST: ArgonCost = { memoryKiB: 0, passes: 0 }

/**
 * The prepared form (`hkdfPrepare`) of the directory's sealing key, 416 bytes that the caller wipes; `undefined` when there is no root
 * file and none may be made. Throws `ERR_KEYS_PASSPHRASE` when what is given does not fit, `ERR_KEYS_LOCAL` for a
 * root file that is damaged.
 */
export async function openRoot(directory: KeyDirectory, access: RootAccess): Promise<Uint8Array | undefined> {
  const found = await directory.read(NAME)
  if (found !== undefined) return await unlock(readRoot(found, access.maxCost), access)
  if (!access.create) return undefined
  const salt = access.cost === undefined ? NONE : randomBytes(SALT_BYTES)
  const cost = access.cost ?? NO_COST
  const prepared = await derive(access.given, salt, cost)
  try {
    const root = encodeCbor([1, MARK, salt, cost.memoryKiB, cost.passes, checkValue(prepared, salt, cost)])
    if (await directory.create(NAME, root)) return concatBytes(prepared)
  } finally {
    wipe(prepared)
  }
  // Another process made the directory meanwhile: its salt counts.
  return await openRoot(directory, { ...access, create: false })
}

async function unlock(root: Root, access: RootAccess): Promise<Uint8Array> {
  if ((root.salt.length === 0) !== (access.cost === undefined)) {
    const sealedBy = root.salt.length === 0 ? 'a key' : 'a passphrase'
    throw new KeysError('ERR_KEYS_PASSPHRASE', `the key directory is sealed by ${sealedBy}`)
  }
  const prepared = await derive(access.given, root.salt, root.cost)
  if (equalBytes(checkValue(prepared, root.salt, root.cost), root.check)) return prepared
  wipe(prepared)
  throw new KeysError('ERR_KEYS_PASSPHRASE', 'the passphrase or key does not fit the key directory')
}

async function derive(given: Secret, salt: Uint8Array, cost: ArgonCost): Promise<Uint8Array> {
  if (salt.length === 0) return given.use((key) => hkdfPrepare(key))
  // A copy: closing the provider wipes its own while the derivation is under way.
  const passphrase = given.use((bytes) => concatBytes(bytes))
  let key: Uint8Array | undefined
  try {
    key = await argon2idKey(passphrase, salt, cost)
    return hkdfPrepare(key)
  } finally {
    wipe(passphrase, key)
  }
}

function checkValue(prepared: Uint8Array, salt: Uint8Array, cost: ArgonCost): Uint8Array {
  return hkdfExpandPrepared(prepared, [LABEL, encodeCbor([salt, cost.memoryKiB, cost.passes])], CHECK_BYTES)
}

function readRoot(bytes: Uint8Array, maxCost: ArgonCost): Root {
  const items = asArray(decodeCbor(bytes, MAX_ROOT_BYTES, damaged), 6, damaged)
  const [format, mark, saltItem, memory, passes, check] = items
  if (format !== 1 || mark !== MARK) throw damaged('its format is unknown')
  const salt = asBytes(saltItem, [0, SALT_BYTES], damaged)
  if (salt.length !== 0 && salt.length !== SALT_BYTES) throw damaged('its salt has the wrong length')
  const cost = {
    memoryKiB: asUint(memory, maxCost.memoryKiB, damaged),
    passes: asUint(passes, maxCost.passes, damaged),
  }
  const free = cost.memoryKiB < 8 || cost.passes < 1
  if (salt.length !== 0 && free) throw damaged('its cost is out of range')
  return { salt, cost, check: asBytes(check, CHECK_BYTES, damaged) }
}

function damaged(why: string): KeysError {
  return new KeysError('ERR_KEYS_LOCAL', `the root file of the key directory is refused: ${why}`)
}
