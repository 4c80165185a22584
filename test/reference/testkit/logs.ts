/** Files about exported logs: what was changed, cut, exchanged or signed twice (SPEC §14.4). @module */
import { exported, leafHash } from '../audit.ts'
import { concat, hex, lp, u32be, utf8 } from '../bytes.ts'
import { flipped } from '../vectors/seal.ts'
import { type Fault, family, fault, type Good, type Inputs, type KitFile } from './file.ts'
import { AT, entries, entryAt, KEY, nextEntry, noteOver, OTHER_SEED, valuesOf, withValue } from './log.ts'

const FORMAT = 'ERR_AUDIT_FORMAT'
const EDIT = 'ERR_AUDIT_EDIT'
const TRUNCATION = 'ERR_AUDIT_TRUNCATION'
const NOTE = noteOver(entries)
const SIZE = entries.length

function good(name: string, comment: string, list: readonly Uint8Array[], inputs: Inputs = {}): Good {
  return {
    kind: 'log',
    name: `log-${name}`,
    comment,
    inputs: { 'log-key': KEY, ...inputs },
    payload: exported(noteOver(list), list),
    result: `${list.length} ${new Set(list.map((entry) => hex(valuesOf(entry)[AT.writer] as Uint8Array))).size}`,
  }
}

const noteInput = (...notes: readonly string[]): string => notes.map((note) => hex(utf8(note))).join(' ')

export function logFiles(): KitFile[] {
  const older = { older: noteInput(noteOver(entries.slice(0, 3)), noteOver(entries.slice(0, 5))) }
  const anchor = { anchor: noteInput(noteOver(entries.slice(0, 4))) }
  const longer = [...entries, nextEntry()]
  const forked = [...entries.slice(0, 2), entryAt(3)]
  return [
    ...family(good('whole', `${SIZE} entries of two writers.`, entries), [
      ...entryFaults(),
      ...formFaults(),
      fault(
        'log-signed-by-other-key',
        'ERR_AUDIT_KEY',
        'The checkpoint is signed under another key.',
        exported(noteOver(entries, OTHER_SEED), entries),
      ),
    ]),
    ...family(good('empty', 'No entries.', [])),
    ...family(good('one-entry', 'A single entry.', entries.slice(0, 1))),
    ...family(good('older-checkpoints', 'With two older checkpoints.', entries, older), [
      fault('log-older-larger', TRUNCATION, 'An older checkpoint is larger than the log.', {
        older: noteInput(noteOver(longer)),
      }),
      fault('log-older-forked', 'ERR_AUDIT_FORK', 'An older checkpoint is of another history.', {
        older: noteInput(noteOver(forked)),
      }),
      fault('log-older-of-other-key', 'ERR_AUDIT_KEY', 'An older checkpoint is signed under another key.', {
        older: noteInput(noteOver(entries.slice(0, 3), OTHER_SEED)),
      }),
      fault('log-older-malformed', FORMAT, 'An older checkpoint has no signature.', {
        older: noteInput(noteOver(entries.slice(0, 3)).replace(/\u2014.*\n$/, '')),
      }),
    ]),
    ...family(good('anchored', 'With an anchor at 4 entries.', entries, anchor), [
      fault('log-anchor-larger', TRUNCATION, 'The anchor is larger than the log.', {
        anchor: noteInput(noteOver(longer)),
      }),
      fault('log-anchor-forked', 'ERR_AUDIT_FORK', 'The anchor is of another history.', {
        anchor: noteInput(noteOver(forked)),
      }),
      fault(
        'log-cut-and-signed-again',
        TRUNCATION,
        'The log was cut before the anchor and signed again.',
        exported(noteOver(entries.slice(0, 3)), entries.slice(0, 3)),
      ),
    ]),
  ]
}

/** The checkpoint stays; entries change. */
function entryFaults(): Fault[] {
  const of = (what: string, code: string, comment: string, list: readonly Uint8Array[]): Fault =>
    fault(`log-entry-${what}`, code, comment, exported(NOTE, list))
  const writerOf = (index: number): string => hex(valuesOf(entryAt(index))[AT.writer] as Uint8Array)
  const pair = entries.findIndex((_, i) => i > 0 && i < SIZE - 1 && writerOf(i) === writerOf(i + 1))
  const other = withValue(entryAt(2), AT.time, Number(valuesOf(entryAt(2))[AT.time]) + 1)
  const unlinked = withValue(entryAt(3), AT.previous, leafHash(entryAt(0)))
  return [
    of('edited', EDIT, 'The instant of the last entry was changed.', entries.with(SIZE - 1, later(SIZE - 1))),
    of('edited-first', EDIT, 'The instant of the first entry was changed.', entries.with(0, later(0))),
    of('previous-changed', EDIT, 'An entry names another one before it.', entries.with(3, unlinked)),
    of('malformed', EDIT, 'An entry that is no entry.', entries.with(2, flipped(entryAt(2), 0))),
    of('deleted', 'ERR_AUDIT_DELETION', 'An entry is missing.', entries.toSpliced(2, 1)),
    of('deleted-first', 'ERR_AUDIT_DELETION', 'The first entry is missing.', entries.slice(1)),
    of(
      'reordered',
      'ERR_AUDIT_REORDER',
      'Two entries of one writer are exchanged.',
      entries.with(pair, entryAt(pair + 1)).with(pair + 1, entryAt(pair)),
    ),
    of(
      'writers-exchanged',
      EDIT,
      'Two entries of two writers are exchanged.',
      entries.with(0, entryAt(1)).with(1, entryAt(0)),
    ),
    of('twice', 'ERR_AUDIT_DUPLICATION', 'An entry stands twice.', entries.toSpliced(3, 0, entryAt(2))),
    of(
      'inserted',
      'ERR_AUDIT_INSERTION',
      'A second entry for a place that is taken.',
      entries.toSpliced(3, 0, other),
    ),
    of('appended', 'ERR_AUDIT_INSERTION', 'An entry that the checkpoint does not count.', [
      ...entries,
      nextEntry(),
    ]),
    of('last-missing', TRUNCATION, 'The last entry is missing.', entries.slice(0, -1)),
    of('all-missing', TRUNCATION, 'There are no entries.', []),
  ]
}

/** The same entry a millisecond later. */
function later(index: number): Uint8Array {
  return withValue(entryAt(index), AT.time, Number(valuesOf(entryAt(index))[AT.time]) + 1)
}

/** Of the stream itself. */
function formFaults(): Fault[] {
  const whole = exported(NOTE, entries)
  const label = lp('guise/v1/log')
  const note = utf8(NOTE)
  const of = (what: string, code: string, comment: string, bytes: Uint8Array): Fault =>
    fault(`log-${what}`, code, comment, bytes)
  const body = whole.slice(label.length + 4 + note.length)
  return [
    of('nothing', FORMAT, 'No byte at all.', new Uint8Array(0)),
    of('label-flipped', FORMAT, 'One bit of the label.', flipped(whole, 5)),
    of('note-cut', FORMAT, 'The stream ends within the checkpoint.', whole.slice(0, label.length + 40)),
    of(
      'note-too-long',
      FORMAT,
      'A checkpoint that is longer than the stream.',
      concat(label, u32be(1_000_000), note, body),
    ),
    of(
      'note-not-utf-8',
      FORMAT,
      'A checkpoint that is not UTF-8.',
      concat(label, u32be(note.length), note.with(0, 0xff), body),
    ),
    of('entry-cut', TRUNCATION, 'The stream ends within the last entry.', whole.slice(0, -1)),
    of(
      'length-cut',
      TRUNCATION,
      'The stream ends within a length.',
      whole.slice(0, -entryAt(SIZE - 1).length - 2),
    ),
    of(
      'entry-of-0-bytes',
      EDIT,
      'An entry of no bytes.',
      concat(label, u32be(note.length), note, u32be(0), body),
    ),
    of(
      'entry-over-1024-bytes',
      EDIT,
      'An entry of 1,025 bytes.',
      concat(label, u32be(note.length), note, u32be(1025), new Uint8Array(1025), body),
    ),
  ]
}
