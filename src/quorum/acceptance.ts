/** Break-glass at a holder: a rollback of the vault's log that its key accepted is accepted here as well (SPEC §13.5, §14.9). @module */

import { parseSize } from '../audit/checkpoint.ts'
import {
  bytesOf,
  KEY_TYPE,
  keyHashOf,
  parseNote,
  parseVerifierKey,
  requireLogSignature,
  signatureLine,
  strictBase64,
  toBase64,
} from '../audit/note.ts'
import type { TreeHead } from '../audit/proof.ts'
import { HASH_BYTES } from '../audit/tree.ts'
import { equalBytes, fixedLabel, joinBytes, u32be } from '../base/bytes.ts'
import { asArray, asBytes, asText, asUint, type CborValue, decodeCbor, encodeCbor } from '../base/cbor.ts'
import { checkText } from '../base/check.ts'
import { checkRealm, realmPrefix } from '../base/identifier.ts'
import { sha256 } from '../crypto/hash.ts'
import { mac, verifyMac } from '../crypto/kdf.ts'
import { malformed, QuorumError, rejectInput } from './errors.ts'
import { FORMAT, indexOf, requireKind } from './key.ts'
import { type HolderName, requireName, type SealedRow, split } from './rows.ts'

const KIND = 46
const MAX_UINT = Number.MAX_SAFE_INTEGER
const MAX_BODY_BYTES = 1024
const MAX_STATEMENT_BYTES = 65_536
export const MAX_ACTOR_BYTES = 64

/** What a vault's statement says. */
export interface AcceptedLog {
  /** The head that the log goes on from. */
  readonly to: TreeHead
  /** SHA-256 of the statement. */
  readonly digest: Uint8Array
}

/** What a holder is to accept, and on whose word. */
export interface HolderAcceptance {
  readonly statement: string
  readonly actor: string
}

/** Sizes of the vault's log before and after, and the holder's signed note. */
export interface HolderAccepted {
  readonly from: number
  readonly to: number
  readonly statement: string
}

/** One acceptance, as the holder remembers it. */
export interface AcceptanceRow {
  /** 1, 2, … */
  readonly number: number
  readonly from: TreeHead
  readonly to: TreeHead
  /** Who of the holder's own people answers for it. */
  readonly actor: string
  readonly timeMs: number
  readonly digest: Uint8Array
}

/**
 * Reads the statement that `guise anchor accept` left, alone or behind the note that was anchored. Throws `ERR_QUORUM_INPUT` for one that the
 * log's key did not sign.
 */
export function readStatement(text: string, logKey: string): AcceptedLog {
  checkText(text, 'statement', { maxBytes: MAX_STATEMENT_BYTES }, rejectInput)
  const key = parseVerifierKey(logKey, KEY_TYPE.log)
  const begin = text.indexOf(`${key.name}\nanchor-accept\n`)
  const own = begin < 0 ? text : text.slice(begin)
  try {
    const note = parseNote(own)
    requireLogSignature(note, key)
    const [name, what, from, to, by, ...rest] = note.text.split('\n')
    const isWhole =
      name === key.name &&
      what === 'anchor-accept' &&
      from?.startsWith('from ') === true &&
      by?.startsWith('by ') === true &&
      rest.join('') === ''
    const [, size = '', root = ''] = /^to (\d+) (\S+)$/.exec(to ?? '') ?? []
    const head = { size: parseSize(size) ?? 0, root: strictBase64(root) ?? new Uint8Array(0) }
    if (!isWhole || head.size === 0 || head.root.length !== HASH_BYTES) throw malformed('no statement')
    return { to: head, digest: sha256(bytesOf(own)) }
  } catch (cause) {
    const why = 'the statement is not an acceptance that the log’s key signed'
    throw new QuorumError('ERR_QUORUM_INPUT', why, { cause })
  }
}

/** Throws `ERR_QUORUM_INPUT` when there is nothing to accept, or when it was accepted before. */
export function requireNew(
  { to, digest }: AcceptedLog,
  seen: TreeHead,
  earlier: readonly AcceptanceRow[],
): void {
  if (earlier.some((row) => equalBytes(row.digest, digest)))
    throw rejectInput('this statement was accepted before')
  if (seen.size === 0 || (seen.size === to.size && equalBytes(seen.root, to.root)))
    throw rejectInput('what was seen is the log that goes on: there is nothing to accept')
}

export function acceptanceKey({ realm }: HolderName, number: number): Uint8Array {
  return joinBytes(realmPrefix(realm), u32be(number))
}

export function sealAcceptance(name: HolderName, row: AcceptanceRow, key: Uint8Array): SealedRow {
  const { number, from, to, actor, timeMs, digest } = row
  const said = [number, headItems(from), headItems(to), actor, timeMs, digest]
  const body = encodeCbor([FORMAT, KIND, name.realm, name.index, ...said])
  const tag = mac(key, [fixedLabel('guise/v1/quorum-acceptance'), body])
  return { bytes: joinBytes(body, tag), tag }
}

export function openAcceptance(
  name: HolderName,
  bytes: Uint8Array,
  key: Uint8Array,
): AcceptanceRow & { readonly tag: Uint8Array } {
  const { body, tag } = split(bytes)
  if (!verifyMac(key, [fixedLabel('guise/v1/quorum-acceptance'), body], tag))
    throw malformed('the row is not genuine')
  const items = asArray(decodeCbor(body, MAX_BODY_BYTES, malformed), 10, malformed)
  const [format, kind, realm, index, number, from, to, actor, timeMs, digest] = items
  requireKind(format, kind, KIND)
  requireName(name, checkRealm(realm, malformed), indexOf(index))
  return {
    number: asUint(number, MAX_UINT, malformed),
    from: headOf(from),
    to: headOf(to),
    actor: asText(actor, MAX_ACTOR_BYTES, malformed),
    timeMs: asUint(timeMs, MAX_UINT, malformed),
    digest: asBytes(digest, HASH_BYTES, malformed),
    tag: Uint8Array.from(tag),
  }
}

/** What the holder signs of an acceptance; no verifier takes it for a checkpoint. */
export function acceptanceText(origin: string, { from, to, actor, timeMs }: AcceptanceRow): string {
  const head = ({ size, root }: TreeHead): string => `${size} ${toBase64(root)}`
  const instant = new Date(timeMs).toISOString()
  return `${origin}\nholder-accept\nfrom ${head(from)}\nto ${head(to)}\nby ${toBase64(bytesOf(actor))} at ${instant}\n`
}

/** The signed note of such a text. */
export function noteOf(
  text: string,
  key: { readonly origin: string; readonly publicKey: Uint8Array },
  signature: Uint8Array,
): string {
  const { origin: name, publicKey } = key
  return `${text}\n${signatureLine({ name, keyHash: keyHashOf(name, KEY_TYPE.log, publicKey), signature })}`
}

function headItems({ size, root }: TreeHead): CborValue {
  return [size, root]
}

function headOf(value: CborValue | undefined): TreeHead {
  const [size, root] = asArray(value, 2, malformed)
  return { size: asUint(size, MAX_UINT, malformed), root: asBytes(root, HASH_BYTES, malformed) }
}
