/** Files about inclusion and consistency proofs (SPEC §14.1, RFC 9162 §2.1). @module */
import { mth, path, proof } from '../audit.ts'
import { concat, hex } from '../bytes.ts'
import { bytesFor } from '../inputs.ts'
import { flipped } from '../vectors/seal.ts'
import { type Fault, family, fault, type Good, type KitFile } from './file.ts'
import { entries, entryAt } from './log.ts'

const PROOF = 'ERR_AUDIT_PROOF'
const FURTHER = bytesFor('a further hash', 32)
const N = entries.length

export function proofFiles(): KitFile[] {
  return [...inclusionFiles(), ...consistencyFiles()]
}

/** What either kind of proof can suffer. */
function hashFaults(kind: string, hashes: readonly Uint8Array[]): Fault[] {
  const of = (what: string, comment: string, list: readonly Uint8Array[]): Fault =>
    fault(`${kind}-${what}`, PROOF, comment, concat(...list))
  const [first = FURTHER, second = FURTHER, ...rest] = hashes
  return [
    of('empty', 'No hash.', []),
    of('too-short', 'The last hash is missing.', hashes.slice(0, -1)),
    of('first-missing', 'The first hash is missing.', hashes.slice(1)),
    of('too-long', 'A hash follows the proof.', [...hashes, FURTHER]),
    of('hash-in-front', 'A hash stands before the proof.', [FURTHER, ...hashes]),
    of('last-twice', 'The last hash stands twice.', [...hashes, hashes.at(-1) ?? FURTHER]),
    of('hash-flipped', 'One bit of the first hash.', [flipped(first, 0), second, ...rest]),
    of('last-hash-flipped', 'One bit of the last hash.', [
      ...hashes.slice(0, -1),
      flipped(hashes.at(-1) ?? FURTHER, -1),
    ]),
    of('hashes-exchanged', 'The first two hashes are exchanged.', [second, first, ...rest]),
    of(
      '64-hashes',
      'More hashes than any tree needs.',
      Array.from({ length: 64 }, () => FURTHER),
    ),
  ]
}

function inclusionFiles(): KitFile[] {
  const good = (index: number, size: number): Good => ({
    kind: 'inclusion-proof',
    name: `inclusion-proof-${index}-of-${size}`,
    comment: `Entry ${index} is in the log of ${size} entries.`,
    inputs: {
      entry: hex(entryAt(index)),
      index: String(index),
      size: String(size),
      root: hex(mth(entries.slice(0, size))),
    },
    payload: concat(...path(index, entries.slice(0, size))),
    result: 'holds',
  })
  const of = (what: string, comment: string, change: Record<string, string>): Fault =>
    fault(`inclusion-proof-${what}`, PROOF, comment, change)
  return [
    ...family(good(2, N), [
      ...hashFaults('inclusion-proof', path(2, entries)),
      of('wrong-entry', 'Another entry.', { entry: hex(entryAt(3)) }),
      of('wrong-index', 'The index of the neighbour.', { index: '3' }),
      of('index-behind-end', 'An index behind the end.', { index: String(N) }),
      of('wrong-size', 'A size at which the path has another shape.', { size: '2' }),
      of('size-0', 'A log of no entries.', { size: '0' }),
      of('wrong-root', 'One bit of the root.', { root: hex(flipped(mth(entries), 7)) }),
      of('root-of-other-size', 'The root of the log before its last entry.', {
        root: hex(mth(entries.slice(0, -1))),
      }),
    ]),
    ...family(good(0, 1)),
    ...family(good(N - 1, N)),
    ...family(good(0, 4)),
  ]
}

function consistencyFiles(): KitFile[] {
  const good = (older: number, size: number): Good => ({
    kind: 'consistency-proof',
    name: `consistency-proof-${older}-to-${size}`,
    comment: `The log of ${size} entries continues that of ${older}.`,
    inputs: {
      'old-size': String(older),
      'old-root': hex(mth(entries.slice(0, older))),
      size: String(size),
      root: hex(mth(entries.slice(0, size))),
    },
    payload: concat(...proof(older, entries.slice(0, size))),
    result: 'holds',
  })
  const of = (what: string, comment: string, change: Record<string, string>): Fault =>
    fault(`consistency-proof-${what}`, PROOF, comment, change)
  const same = good(4, 4)
  return [
    ...family(good(3, N), [
      ...hashFaults('consistency-proof', proof(3, entries)),
      of('wrong-old-size', 'Another older size.', { 'old-size': '2' }),
      of('wrong-old-root', 'One bit of the older root.', {
        'old-root': hex(flipped(mth(entries.slice(0, 3)), 0)),
      }),
      of('wrong-root', 'One bit of the newer root.', { root: hex(flipped(mth(entries), 31)) }),
      of('old-root-of-other-size', 'The older root is that of one entry less.', {
        'old-root': hex(mth(entries.slice(0, 2))),
      }),
    ]),
    ...family(same, [
      fault('consistency-proof-same-size-other-root', PROOF, 'Two roots at one size.', {
        'old-root': hex(mth(entries.slice(0, 5))),
      }),
      fault('consistency-proof-same-size-with-hash', PROOF, 'A hash where the proof is empty.', FURTHER),
    ]),
    ...family(good(0, N), [
      fault('consistency-proof-from-empty-with-hash', PROOF, 'A hash behind a log of no entries.', FURTHER),
    ]),
    ...family(good(4, N)),
    ...family(good(6, N)),
  ]
}
