/** A certificate for an end that is known by its key: Ed25519, signed by itself (SPEC §13.7, RFC 5280, RFC 8410). @module */
/// <reference types="node" />

import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { isIP, SocketAddress } from 'node:net'
import { concatBytes, fromHex, toBase64Url, utf8 } from '../base/bytes.ts'
import { checkInteger, checkText } from '../base/check.ts'
import { systemClock } from '../base/clock.ts'
import { randomBytes } from '../crypto/random.ts'
import { rejectInput } from './errors.ts'
import { certificatePin, type TlsIdentity } from './https-tls.ts'

const DAY_MS = 86_400_000
const LINE_LENGTH = 64
const NAME = /^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,61}[A-Za-z0-9])?$/

/** DER tags of RFC 5280. */
const TAG = {
  integer: 0x02,
  bits: 0x03,
  octets: 0x04,
  object: 0x06,
  text: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
  dnsName: 0x82,
  ipAddress: 0x87,
  version: 0xa0,
  extensions: 0xa3,
} as const

const ED25519 = '2b6570'
const COMMON_NAME = '550403'
const SUBJECT_ALT_NAME = '551d11'

/** A new key and its certificate, and the pin that the other ends are given. */
export interface SelfSigned extends TlsIdentity {
  readonly pin: string
}

/**
 * Makes a key and a certificate that it signs itself: enough where the other end pins the key. `name` is a host name or an IP address,
 * for ends that take the certificate as their authority.
 */
export function selfSignedCertificate(name: string, validDays: number): SelfSigned {
  checkText(name, 'name', { maxBytes: 64 }, rejectInput)
  if (isIP(name) === 0 && !NAME.test(name)) throw rejectInput('name must be a host name or an IP address')
  checkInteger(validDays, 'validDays', [1, 36_500], rejectInput)
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const certificate = pem('CERTIFICATE', signed(name, validDays, publicKey, privateKey))
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  return { key, certificate, pin: certificatePin(certificate) }
}

function signed(name: string, validDays: number, publicKey: KeyObject, privateKey: KeyObject): Uint8Array {
  const algorithm = der(TAG.sequence, der(TAG.object, hex(ED25519)))
  const nowMs = systemClock.nowMs()
  const serial = randomBytes(16)
  // Positive, and not padded: the first byte is between 0x40 and 0x7f.
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40
  const distinguished = distinguishedName(name)
  const body = der(
    TAG.sequence,
    der(TAG.version, der(TAG.integer, Uint8Array.of(2))),
    der(TAG.integer, serial),
    algorithm,
    distinguished,
    // An hour back: the clocks of two machines are never the same.
    der(TAG.sequence, instant(nowMs - 3_600_000), instant(nowMs + validDays * DAY_MS)),
    distinguished,
    Uint8Array.from(publicKey.export({ type: 'spki', format: 'der' })),
    der(TAG.extensions, der(TAG.sequence, ...extensions(name))),
  )
  const signature = Uint8Array.from(sign(null, body, privateKey))
  return der(TAG.sequence, body, algorithm, der(TAG.bits, Uint8Array.of(0), signature))
}

function distinguishedName(name: string): Uint8Array {
  const attribute = der(TAG.sequence, der(TAG.object, hex(COMMON_NAME)), der(TAG.text, ascii(name)))
  return der(TAG.sequence, der(TAG.set, attribute))
}

function extensions(name: string): readonly Uint8Array[] {
  const extension = (id: string, value: Uint8Array): Uint8Array =>
    der(TAG.sequence, der(TAG.object, hex(id)), der(TAG.octets, value))
  const alternative =
    isIP(name) === 0 ? der(TAG.dnsName, ascii(name)) : der(TAG.ipAddress, addressBytes(name))
  // Nothing says that it may sign others: it vouches for itself alone.
  return [extension(SUBJECT_ALT_NAME, der(TAG.sequence, alternative))]
}

/** The 4 or 16 bytes of an IP address. */
function addressBytes(text: string): Uint8Array {
  if (isIP(text) === 4) return Uint8Array.from(text.split('.').map(Number))
  const { address } = new SocketAddress({ address: text, family: 'ipv6' })
  const [head = '', tail] = address.split('::')
  const groups = (part: string): readonly string[] => (part === '' ? [] : part.split(':'))
  const before = groups(head)
  const after = tail === undefined ? [] : groups(tail)
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0')
  return hex([...before, ...zeros, ...after].map((group) => group.padStart(4, '0')).join(''))
}

/** RFC 5280 §4.1.2.5: two digits of the year before 2050, four from then on. */
function instant(ms: number): Uint8Array {
  const digits = new Date(ms).toISOString().replaceAll(/[-:T]|\.\d+/g, '')
  return digits < '2050' ? der(TAG.utcTime, ascii(digits.slice(2))) : der(TAG.generalizedTime, ascii(digits))
}

/** Tag, length, value. */
function der(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const content = concatBytes(...parts)
  const { length } = content
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return concatBytes(Uint8Array.of(tag, ...size), content)
}

function pem(label: string, bytes: Uint8Array): string {
  const text = toBase64Url(bytes).replaceAll('-', '+').replaceAll('_', '/')
  const padded = text.padEnd(Math.ceil(text.length / 4) * 4, '=')
  const lines = padded.match(new RegExp(`.{1,${LINE_LENGTH}}`, 'g')) ?? []
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
}

function hex(text: string): Uint8Array {
  return fromHex(text) ?? new Uint8Array(0)
}

function ascii(text: string): Uint8Array {
  return utf8(text) ?? new Uint8Array(0)
}
