/** Files about the committing seal, one ciphertext that opens under two keys among them (SPEC §8). @module */
import { concat, hex } from '../bytes.ts'
import { bytesFor } from '../inputs.ts'
import { open, type Sealed, seal, sealKeys } from '../seal.ts'
import { flipped } from '../vectors/seal.ts'
import { twoKeyCiphertext } from '../vectors/twokey.ts'
import { type Fault, family, fault, type Good, type KitFile } from './file.ts'

const OPEN = 'ERR_SEAL_OPEN'
const KEY = bytesFor('testkit seal key', 32)
const OTHER = bytesFor('testkit other seal key', 32)
const LABEL = 'guise/v1/inner'
const AAD = bytesFor('testkit associated data', 70)
const NONCE = bytesFor('testkit seal nonce', 24)

function pack({ nonce, commitment, ciphertext }: Sealed): Uint8Array {
  return concat(nonce, commitment, ciphertext)
}

function good(name: string, comment: string, plaintext: Uint8Array): Good {
  return {
    kind: 'sealed',
    name: `sealed-${name}`,
    comment,
    inputs: { key: hex(KEY), label: LABEL, aad: hex(AAD) },
    payload: pack(seal(KEY, LABEL, AAD, plaintext, NONCE)),
    result: hex(plaintext),
  }
}

export function sealFiles(): KitFile[] {
  const plain = good('32-bytes', 'A secret of 32 bytes.', bytesFor('testkit plaintext', 32))
  const { payload } = plain
  const of = (what: string, comment: string, change: Uint8Array | Record<string, string>): Fault =>
    fault(`sealed-${what}`, OPEN, comment, change)
  return [
    ...family(plain, [
      of('nonce-flipped', 'One bit of the nonce.', flipped(payload, 0)),
      of('commitment-flipped', 'One bit of the commitment.', flipped(payload, 24)),
      of('ciphertext-flipped', 'One bit of the ciphertext.', flipped(payload, 56)),
      of('tag-flipped', 'One bit of the tag.', flipped(payload, -1, 7)),
      of('tag-truncated', 'The last byte of the tag is missing.', payload.slice(0, -1)),
      of('without-tag', 'The tag is missing.', payload.slice(0, -16)),
      of('without-ciphertext', 'Nonce and commitment alone.', payload.slice(0, 56)),
      of('trailing-byte', 'A byte follows the tag.', concat(payload, Uint8Array.of(0))),
      of(
        'commitment-of-zeros',
        'A commitment of zeros.',
        concat(payload.slice(0, 24), new Uint8Array(32), payload.slice(56)),
      ),
      of('wrong-key', 'Another key.', { key: hex(OTHER) }),
      of('key-one-bit', 'One bit of the key.', { key: hex(flipped(KEY, 31, 7)) }),
      of('wrong-label', 'Another label.', { label: 'guise/v1/outer' }),
      of('wrong-aad', 'One bit of the associated data.', { aad: hex(flipped(AAD, 12)) }),
      of('aad-truncated', 'Associated data one byte short.', { aad: hex(AAD.slice(0, -1)) }),
    ]),
    ...family(good('empty', 'An empty plaintext.', new Uint8Array(0))),
    ...family(good('four-slots', 'The slots of a profile with a holder.', bytesFor('testkit slots', 416))),
    ...twoKeys(),
  ]
}

/** SEAL-2: the bare cipher opens the same bytes under both keys; the commitment names one of them. */
function twoKeys(): KitFile[] {
  const first = sealKeys(KEY, LABEL, NONCE, AAD)
  const second = sealKeys(OTHER, LABEL, NONCE, AAD)
  const ciphertext = twoKeyCiphertext(first.key, second.key, NONCE, AAD)
  const sealed = { nonce: NONCE, commitment: first.commitment, ciphertext }
  const plaintext = open(KEY, LABEL, AAD, sealed)
  return family(
    {
      ...good(
        'two-keys',
        'A ciphertext that XChaCha20-Poly1305 opens under two keys, under the first.',
        plaintext,
      ),
      payload: pack(sealed),
    },
    [
      fault('sealed-two-keys-second', OPEN, 'The same bytes under the second: only the commitment refuses.', {
        key: hex(OTHER),
      }),
      fault(
        'sealed-two-keys-commitment-exchanged',
        OPEN,
        'The commitment of the second key, opened under the first.',
        pack({ ...sealed, commitment: second.commitment }),
      ),
    ],
  )
}
