/** Files about log entries, checkpoints, cosignatures and anchors (SPEC §14.2, §14.3, §14.5). @module */
import { base64, checkpointText, cosign, leafHash, mth, signNote, verifierKey } from '../audit.ts'
import { concat, hex, utf8 } from '../bytes.ts'
import { encode, type Value } from '../cbor.ts'
import { ed25519PublicKey } from '../hashes.ts'
import { bytesFor } from '../inputs.ts'
import { flipped } from '../vectors/seal.ts'
import { type Fault, family, fault, type Good, type KitFile } from './file.ts'
import { AT, entries, entryAt, KEY, nextEntry, noteOver, ORIGIN, OTHER_SEED, SEED, valuesOf } from './log.ts'

const FORMAT = 'ERR_AUDIT_FORMAT'
const SIGNATURE = 'ERR_AUDIT_KEY'
const WITNESS = 'witness.example/w1'
const WITNESS_SEED = bytesFor('witness', 32)
const SECONDS = 1_767_225_600

export function noteFiles(): KitFile[] {
  return [...entryFiles(), ...checkpointFiles(), ...cosignatureFiles(), ...anchorFiles()]
}

function entryFiles(): KitFile[] {
  const shown = [AT.sequence, AT.action, AT.outcome]
  const good = (index: number): Good => ({
    kind: 'entry',
    name: `entry-${index}`,
    comment: `Entry ${index} of the log.`,
    inputs: {},
    payload: entryAt(index),
    result: `${shown.map((at) => String(valuesOf(entryAt(index))[at])).join(' ')} ${hex(leafHash(entryAt(index)))}`,
  })
  const first = entryAt(0)
  const of = (what: string, comment: string, payload: Uint8Array): Fault =>
    fault(`entry-${what}`, FORMAT, comment, payload)
  const one = (what: string, comment: string, at: number, value: Value): Fault =>
    of(what, comment, encode(valuesOf(first).with(at, value)))
  return [
    ...family(good(0), [
      one('format-2', 'Format number 2.', AT.format, 2),
      one('kind-11', 'The kind of another structure.', AT.kind, 11),
      one('realm-in-capitals', 'A realm in capitals.', AT.realm, 'REALM'),
      one('writer-15-bytes', 'A writer one byte short.', AT.writer, bytesFor('w', 15)),
      one('sequence-as-text', 'The number as text.', AT.sequence, '0'),
      one('previous-null', 'No hash of the entry before.', AT.previous, null),
      one('time-too-late', 'An instant that no date holds.', AT.time, 8_640_000_000_000_001),
      one('actor-empty', 'An empty actor.', AT.actor, ''),
      one('actor-65-bytes', 'An actor of 65 bytes.', AT.actor, 'a'.repeat(65)),
      one('action-unknown', 'An action that does not exist.', AT.action, 250),
      one('handle-17-bytes', 'A handle one byte too long.', AT.handle, bytesFor('h', 17)),
      one('generation-16-bytes', 'A generation without its counter.', AT.generation, bytesFor('g', 16)),
      one('outcome-5', 'An outcome that does not exist.', AT.outcome, 5),
      one('basis-4', 'A kind of basis that does not exist.', AT.basis, 4),
      of('field-missing', 'The last field is missing.', encode(valuesOf(first).slice(0, -1))),
      of('field-extra', 'A field too many.', encode([...valuesOf(first), null])),
      of('trailing-byte', 'A byte follows the entry.', concat(first, Uint8Array.of(0))),
      of('truncated-byte', 'The last byte is missing.', first.slice(0, -1)),
      of('over-1024-bytes', 'An entry of more than 1,024 bytes.', concat(first, new Uint8Array(1024))),
    ]),
    ...entries.slice(1).flatMap((_, i) => family(good(i + 1))),
  ]
}

const TEXT = checkpointText(ORIGIN, entries.length, mth(entries))
const NOTE = signNote(TEXT, ORIGIN, SEED)

function checkpoint(name: string, comment: string, text: string, note: string): Good {
  const [, size = '', root = ''] = text.split('\n')
  return {
    kind: 'checkpoint',
    name: `checkpoint-${name}`,
    comment,
    inputs: { 'log-key': KEY },
    payload: utf8(note),
    result: `${size} ${hex(Uint8Array.from(atob(root), (c) => c.charCodeAt(0)))}`,
  }
}

function checkpointFiles(): KitFile[] {
  const size = String(entries.length)
  const of = (what: string, code: string, comment: string, note: string): Fault =>
    fault(`checkpoint-${what}`, code, comment, utf8(note))
  const resigned = (what: string, comment: string, text: string): Fault =>
    of(what, FORMAT, comment, signNote(text, ORIGIN, SEED))
  const empty = checkpointText(ORIGIN, 0, mth([]))
  const further = `${TEXT}A further line.\n`
  const cosigned = `${NOTE}${cosign(TEXT, WITNESS, WITNESS_SEED, SECONDS)}`
  return [
    ...family(checkpoint('signed', 'A checkpoint of the whole log.', TEXT, NOTE), [
      resigned('leading-zero', 'A size with a leading zero.', TEXT.replace(`\n${size}\n`, `\n0${size}\n`)),
      resigned('size-negative', 'A size below zero.', TEXT.replace(`\n${size}\n`, `\n-${size}\n`)),
      resigned('size-2-53', 'A size of 2^53.', TEXT.replace(`\n${size}\n`, '\n9007199254740992\n')),
      resigned('size-empty', 'No size.', TEXT.replace(`\n${size}\n`, '\n\n')),
      resigned('root-without-padding', 'A root without its padding.', TEXT.replace('=\n', '\n')),
      resigned(
        'root-31-bytes',
        'A root one byte short.',
        checkpointText(ORIGIN, entries.length, mth(entries).slice(1)),
      ),
      resigned('root-missing', 'No root.', `${ORIGIN}\n${size}\n`),
      resigned('empty-line', 'A further line that is empty.', `${TEXT}\n`),
      of('no-signature', FORMAT, 'No signature line.', `${TEXT}\n`),
      of('carriage-returns', FORMAT, 'Lines that end in carriage returns.', NOTE.replaceAll('\n', '\r\n')),
      of('hyphen-for-dash', FORMAT, 'A hyphen for the dash.', NOTE.replace('\u2014', '-')),
      of('no-last-line-break', FORMAT, 'The last line break is missing.', NOTE.slice(0, -1)),
      of(
        'short-signature',
        FORMAT,
        'A signature line with nothing behind the hash.',
        `${TEXT}\n\u2014 ${ORIGIN} ${base64(new Uint8Array(4))}\n`,
      ),
      of(
        'unused-bits',
        FORMAT,
        'Base64 whose unused bits are not zero.',
        NOTE.replace(/(.)=\n$/, (_, c: string) => `${String.fromCharCode(c.charCodeAt(0) + 1)}=\n`),
      ),
      of(
        'size-changed',
        SIGNATURE,
        'Another size, the old signature.',
        NOTE.replace(`\n${size}\n`, `\n${Number(size) + 1}\n`),
      ),
      of('signature-flipped', SIGNATURE, 'One bit of the signature.', flippedNote()),
      of(
        'other-key',
        SIGNATURE,
        'Signed under another key of the same name.',
        signNote(TEXT, ORIGIN, OTHER_SEED),
      ),
      of('other-name', SIGNATURE, 'Signed by a key of another name.', signNote(TEXT, 'other.example', SEED)),
      resigned(
        'wrong-origin',
        'The origin of another log, signed by this one.',
        checkpointText('other.example', entries.length, mth(entries)),
      ),
      fault('checkpoint-wrong-log-key', SIGNATURE, 'Verified under another key of the same name.', {
        'log-key': verifierKey(ORIGIN, 1, ed25519PublicKey(OTHER_SEED)),
      }),
      fault('checkpoint-log-key-hash', FORMAT, 'The hash within the key is of another key.', {
        'log-key': KEY.replace(/\+[0-9a-f]{8}\+/, '+00000000+'),
      }),
    ]),
    ...family(checkpoint('empty-log', 'A checkpoint of no entries.', empty, signNote(empty, ORIGIN, SEED))),
    ...family(
      checkpoint('further-line', 'A line that means nothing here.', further, signNote(further, ORIGIN, SEED)),
    ),
    ...family(checkpoint('cosigned', 'With the line of a witness.', TEXT, cosigned)),
  ]
}

/** One bit of the signature itself, behind the four bytes of the hash. */
function flippedNote(): string {
  const at = NOTE.lastIndexOf(' ') + 1
  const line = Uint8Array.from(atob(NOTE.slice(at, -1)), (c) => c.charCodeAt(0))
  return `${NOTE.slice(0, at)}${base64(flipped(line, 10))}\n`
}

function cosignatureFiles(): KitFile[] {
  const line = cosign(TEXT, WITNESS, WITNESS_SEED, SECONDS)
  const key = verifierKey(WITNESS, 4, ed25519PublicKey(WITNESS_SEED))
  const good: Good = {
    kind: 'cosignature',
    name: 'cosignature-of-witness',
    comment: 'A witness cosigned the checkpoint.',
    inputs: { 'witness-key': key },
    payload: utf8(`${NOTE}${line}`),
    result: String(SECONDS),
  }
  const of = (what: string, code: string, comment: string, note: string): Fault =>
    fault(`cosignature-${what}`, code, comment, utf8(note))
  const later = cosign(TEXT, WITNESS, WITNESS_SEED, SECONDS + 1)
  const other = cosign(checkpointText(ORIGIN, 3, mth(entries.slice(0, 3))), WITNESS, WITNESS_SEED, SECONDS)
  return family(good, [
    of('absent', SIGNATURE, 'The witness did not sign.', NOTE),
    of('of-other-checkpoint', SIGNATURE, 'A cosignature of another checkpoint.', `${NOTE}${other}`),
    of(
      'time-changed',
      SIGNATURE,
      'The time of one cosignature with the signature of another.',
      `${NOTE}${timeOf(later, line)}`,
    ),
    of(
      'of-other-witness',
      SIGNATURE,
      'Signed under another key of the same name.',
      `${NOTE}${cosign(TEXT, WITNESS, OTHER_SEED, SECONDS)}`,
    ),
    fault('cosignature-wrong-key', SIGNATURE, 'Verified under another key of the same name.', {
      'witness-key': verifierKey(WITNESS, 4, ed25519PublicKey(OTHER_SEED)),
    }),
    fault('cosignature-key-of-log-type', FORMAT, 'A key of the type of a log.', {
      'witness-key': verifierKey(WITNESS, 1, ed25519PublicKey(WITNESS_SEED)),
    }),
  ])
}

/** The line `second` with the time of `first`: hash in 4 bytes, time in 8. */
function timeOf(first: string, second: string): string {
  const bytes = (line: string): Uint8Array =>
    Uint8Array.from(atob(line.slice(line.lastIndexOf(' ') + 1, -1)), (c) => c.charCodeAt(0))
  const mixed = concat(bytes(first).slice(0, 12), bytes(second).slice(12))
  return `${second.slice(0, second.lastIndexOf(' ') + 1)}${base64(mixed)}\n`
}

function anchorFiles(): KitFile[] {
  const half = entries.slice(0, 4)
  const good: Good = {
    kind: 'anchor',
    name: 'anchor-advanced',
    comment: 'An anchor that keeps a checkpoint of 4 entries is given one of all.',
    inputs: { 'log-key': KEY, kept: hex(utf8(noteOver(half))) },
    payload: utf8(NOTE),
    result: String(entries.length),
  }
  const same: Good = {
    ...good,
    name: 'anchor-same',
    comment: 'The checkpoint that is kept already.',
    payload: utf8(noteOver(half)),
    result: '4',
  }
  const forked = [...entries.slice(0, 3), nextEntry()]
  return [
    ...family(good, [
      fault(
        'anchor-rollback',
        'ERR_AUDIT_ROLLBACK',
        'A smaller checkpoint.',
        utf8(noteOver(entries.slice(0, 3))),
      ),
      fault(
        'anchor-rollback-to-empty',
        'ERR_AUDIT_ROLLBACK',
        'A checkpoint of no entries.',
        utf8(noteOver([])),
      ),
      fault(
        'anchor-fork',
        'ERR_AUDIT_FORK',
        'Another root at the size that is kept.',
        utf8(noteOver(forked)),
      ),
      fault('anchor-kept-larger', 'ERR_AUDIT_ROLLBACK', 'What is kept is larger.', {
        kept: hex(utf8(noteOver([...entries, nextEntry()]))),
      }),
    ]),
    ...family(same),
  ]
}
