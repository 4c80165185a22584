/** Checkpoints: what a log signs and a witness cosigns (SPEC §14.3, C2SP tlog-checkpoint, tlog-cosignature). @module */

import { equalBytes, wipe } from '../base/bytes.ts'
import { checkBytes, checkFunction, checkInteger, checkObject } from '../base/check.ts'
import type { CallOptions } from '../base/errors.ts'
import { Secret } from '../base/secret.ts'
import { keyPairEd25519, signEd25519, verifyEd25519 } from '../crypto/sign.ts'
import { cryptoReady } from '../crypto/sodium.ts'
import { AuditError, malformed, rejectInput } from './errors.ts'
import {
  bytesOf,
  checkName,
  KEY_TYPE,
  keyHashOf,
  type Note,
  parseNote,
  parseVerifierKey,
  requireLogSignature,
  requireSignature,
  signatureLine,
  splitTimed,
  strictBase64,
  toBase64,
  type VerifierKey,
  verifierKey,
} from './note.ts'
import { HASH_BYTES } from './tree.ts'

const SEED_BYTES = 32

/** A size and root of the log named by `origin`. `note` is the signed form, which says the same. */
export interface Checkpoint {
  readonly origin: string
  readonly size: number
  readonly root: Uint8Array
  readonly note: string
}

/** Signs checkpoints: an Ed25519 key, here or in a machine that keeps it. */
export interface LogSigner {
  /** Names the log: an address without scheme, such as `clinic.example/guise`; neither spaces nor plus. */
  readonly origin: string
  /** 32 bytes. */
  readonly publicKey: Uint8Array
  /** The 64-byte Ed25519 signature (RFC 8032) over these very bytes. */
  sign(note: Uint8Array, options?: CallOptions): Promise<Uint8Array>
}

/** A signer whose key is in this process. */
export interface LocalLogSigner extends LogSigner, Disposable {
  /** `origin` and public key as text: what verifiers are given. */
  readonly verifierKey: string
  /** Wipes the key; signing fails from then on. */
  close(): void
}

/** A signer over a 32-byte seed, which is copied at once. Throws `ERR_AUDIT_INPUT`. */
export async function logSigner(origin: string, seed: Uint8Array): Promise<LocalLogSigner> {
  checkName(origin)
  checkBytes(seed, 'seed', SEED_BYTES, rejectInput)
  const secret = new Secret(seed, () => rejectInput('the signer is closed'))
  await cryptoReady()
  const pair = secret.use(keyPairEd25519)
  wipe(pair.seed)
  const close = (): void => secret.dispose()
  return {
    origin,
    publicKey: pair.publicKey,
    verifierKey: verifierKey(origin, pair.publicKey),
    sign: async (note, options) => {
      options?.signal?.throwIfAborted()
      return secret.use((own) => signEd25519(note, own))
    },
    close,
    [Symbol.dispose]: close,
  }
}

/**
 * Signs the head of a tree. What the signer answers is verified before anybody sees it. A log must never sign two heads that
 * are not consistent: sign only what is durable.
 */
export async function signCheckpoint(
  signer: LogSigner,
  head: { readonly size: number; readonly root: Uint8Array },
  options: CallOptions = {},
): Promise<Checkpoint> {
  const { origin, publicKey, sign } = checkObject(signer, 'signer', rejectInput)
  const name = checkName(origin)
  const key = checkBytes(publicKey, 'publicKey', 32, rejectInput)
  checkFunction(sign, 'sign', rejectInput)
  const size = checkInteger(head.size, 'size', [0, Number.MAX_SAFE_INTEGER], rejectInput)
  const root = Uint8Array.from(checkBytes(head.root, 'root', HASH_BYTES, rejectInput))
  const text = `${name}\n${size}\n${toBase64(root)}\n`
  const signature = await signer.sign(bytesOf(text), options)
  if (!(signature instanceof Uint8Array) || !verifyEd25519(signature, bytesOf(text), key)) {
    throw new AuditError('ERR_AUDIT_KEY', 'the signer answered with a signature that does not fit its key')
  }
  const keyHash = keyHashOf(name, KEY_TYPE.log, key)
  return { origin: name, size, root, note: `${text}\n${signatureLine({ name, keyHash, signature })}` }
}

/**
 * Reads a checkpoint and verifies that the log signed it. Signatures of others are ignored. Throws `ERR_AUDIT_FORMAT` or
 * `ERR_AUDIT_KEY`.
 *
 * @param logKey the log's verifier key, as text
 */
export function openCheckpoint(note: string, logKey: string): Checkpoint {
  return openWith(note, parseVerifierKey(logKey, KEY_TYPE.log))
}

/** `openCheckpoint` with a key that is read already. */
export function openWith(note: string, key: VerifierKey): Checkpoint {
  const parsed = parseNote(note)
  requireLogSignature(parsed, key)
  const checkpoint = headOf(parsed, note)
  if (checkpoint.origin !== key.name) throw malformed('the checkpoint is of another log')
  return checkpoint
}

/** Reads a checkpoint whose signature is not looked at: for one that comes from a place that is trusted. */
export function readCheckpoint(note: string): Checkpoint {
  return headOf(parseNote(note), note)
}

/**
 * Verifies that a witness cosigned a checkpoint, and says when, in seconds since 1970. Throws `ERR_AUDIT_FORMAT` or
 * `ERR_AUDIT_KEY`.
 *
 * @param witnessKey the witness's verifier key, as text, of type 0x04
 */
export function openCosignature(note: string, witnessKey: string): { readonly timeSeconds: number } {
  const { timeSeconds } = cosignatureOf(parseNote(note), parseVerifierKey(witnessKey, KEY_TYPE.witness))
  return { timeSeconds }
}

/** `openCosignature` for a note and a key that are read already, with the line that says it. */
export function cosignatureOf(
  note: Note,
  key: VerifierKey,
): { readonly timeSeconds: number; readonly line: string } {
  const { line, parts } = requireSignature(note, key, (timed) => {
    const split = splitTimed(timed)
    if (split === undefined) return undefined
    return { ...split, signed: bytesOf(`cosignature/v1\ntime ${split.seconds}\n${note.text}`) }
  })
  return { timeSeconds: parts.seconds, line }
}

/** Checks that a checkpoint that a caller made by hand says what its note says. Throws `ERR_AUDIT_INPUT`. */
export function checkCheckpoint(value: Checkpoint): Checkpoint {
  checkObject(value, 'checkpoint', rejectInput)
  const read = readCheckpoint(value.note)
  checkBytes(value.root, 'root', HASH_BYTES, rejectInput)
  if (read.origin !== value.origin || read.size !== value.size || !equalBytes(read.root, value.root)) {
    throw rejectInput('the checkpoint does not say what its note says')
  }
  return read
}

/** A size as a checkpoint writes it: decimal, no leading zeros. `undefined` for anything else. */
export function parseSize(text: string): number | undefined {
  if (!/^(?:0|[1-9]\d{0,15})$/.test(text)) return undefined
  const size = Number(text)
  return Number.isSafeInteger(size) ? size : undefined
}

function headOf({ text }: Note, note: string): Checkpoint {
  const [origin = '', sizeText = '', rootText = '', ...rest] = text.slice(0, -1).split('\n')
  const size = parseSize(sizeText)
  const root = strictBase64(rootText)
  if (origin === '' || size === undefined || root?.length !== HASH_BYTES || rest.includes('')) {
    throw malformed('the note is no checkpoint')
  }
  return { origin, size, root, note }
}
