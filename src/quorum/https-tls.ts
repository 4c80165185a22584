/** Who may be at the other end: certificates on both sides, pinned or of one authority (SPEC §13.7). @module */
/// <reference types="node" />

import { createPrivateKey, X509Certificate } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import { toHex } from '../base/bytes.ts'
import { checkObject, checkText } from '../base/check.ts'
import { sha256 } from '../crypto/hash.ts'
import { rejectInput } from './errors.ts'

/** What an end shows of itself, both PEM. */
export interface TlsIdentity {
  readonly key: string
  /** The certificate, and after it those between it and the authority, if any. */
  readonly certificate: string
}

/** Whom an end lets in: public keys by their pins, or whoever an authority vouches for. Exactly one of them. */
export type TlsTrust =
  | { readonly pins: readonly string[]; readonly authority?: never }
  | { readonly authority: string; readonly pins?: never }

/** The same, checked. */
export interface CheckedTrust {
  readonly pins: ReadonlySet<string> | undefined
  /** As Node takes it. */
  readonly material: { readonly key: string; readonly cert: string; readonly ca?: string }
}

export const PATHS = { request: '/v1/request', revocation: '/v1/revocation' } as const
export const CONTENT_TYPE = 'application/cbor'
export const HANDSHAKE_MS = 5000
/** Both ends speak TLS 1.3 and nothing older. */
export const ONLY_TLS_13 = { minVersion: 'TLSv1.3', maxVersion: 'TLSv1.3' } as const
const MOST_PEM_BYTES = 65_536
const MOST_PINS = 64

/** The pin of a certificate: SHA-256 of its SubjectPublicKeyInfo, as hex. Throws `ERR_QUORUM_INPUT`. */
export function certificatePin(certificate: string): string {
  const pem = checkText(certificate, 'certificate', { maxBytes: MOST_PEM_BYTES }, rejectInput)
  try {
    return pinOf(new X509Certificate(pem))
  } catch {
    throw rejectInput('certificate must be an X.509 certificate')
  }
}

/** Checks what an end shows and whom it trusts. Throws `ERR_QUORUM_INPUT`, without a word of the key. */
export function checkTls(identity: TlsIdentity, trust: TlsTrust): CheckedTrust {
  checkObject(identity, 'identity', rejectInput)
  checkObject(trust, 'trust', rejectInput)
  const key = checkText(identity.key, 'key', { maxBytes: MOST_PEM_BYTES }, rejectInput)
  const cert = checkText(identity.certificate, 'certificate', { maxBytes: MOST_PEM_BYTES }, rejectInput)
  const { pins, authority } = trust
  if ((pins === undefined) === (authority === undefined)) throw rejectInput('give pins or an authority')
  const own = readCertificate(cert, 'certificate')
  if (!fits(own, key)) throw rejectInput('the key is not that of the certificate')
  if (authority !== undefined) {
    checkText(authority, 'authority', { maxBytes: MOST_PEM_BYTES }, rejectInput)
    readCertificate(authority, 'authority')
  }
  const ca = authority === undefined ? {} : { ca: authority }
  return {
    pins: pins === undefined ? undefined : checkPins(pins),
    material: { key, cert, ...ca },
  }
}

/** Whether the other end of a finished handshake is one that is trusted (QUORUM-18). */
export function isTrusted(socket: TLSSocket, { pins }: CheckedTrust): boolean {
  if (pins === undefined) return socket.authorized
  const certificate = socket.getPeerX509Certificate()
  if (certificate === undefined) return false
  try {
    return pins.has(pinOf(certificate))
  } catch {
    // A kind of key that this build of OpenSSL cannot write down is nobody's pin.
    return false
  }
}

function pinOf(certificate: X509Certificate): string {
  return toHex(sha256(Uint8Array.from(certificate.publicKey.export({ type: 'spki', format: 'der' }))))
}

function readCertificate(pem: string, name: string): X509Certificate {
  try {
    return new X509Certificate(pem)
  } catch {
    throw rejectInput(`${name} must be an X.509 certificate`)
  }
}

function fits(certificate: X509Certificate, key: string): boolean {
  try {
    return certificate.checkPrivateKey(createPrivateKey(key))
  } catch {
    throw rejectInput('key must be a private key')
  }
}

function checkPins(pins: readonly string[]): ReadonlySet<string> {
  if (!Array.isArray(pins) || pins.length === 0 || pins.length > MOST_PINS)
    throw rejectInput(`pins must be a list of 1 to ${MOST_PINS}`)
  const one = { maxBytes: 64, pattern: /^[0-9a-f]{64}$/ }
  return new Set(pins.map((pin: unknown) => checkText(pin, 'pin', one, rejectInput)))
}
