/** Decoders of the log and of operating points, each with bytes to alter (SPEC §12.2, §14). @module */
import { memoryStore } from 'guise'
import { encodeEntry, exportLog, openCheckpoint, openCosignature, verifyLog } from 'guise/audit'
import { readCheckpoint } from '../../src/audit/checkpoint.ts'
import { type AuditEntry, decodeEntry } from '../../src/audit/entry.ts'
import { Follower } from '../../src/audit/follower.ts'
import { integrateSome } from '../../src/audit/integrate.ts'
import { Journal } from '../../src/audit/journal.ts'
import { decodeHead, decodePage, encodeHead, encodePage } from '../../src/audit/log-rows.ts'
import { KEY_TYPE, parseVerifierKey, type VerifierKey, verifierKey } from '../../src/audit/note.ts'
import { isGenuine, type LogKeys, readQueueRow } from '../../src/audit/queue.ts'
import { readSnapshot, writeSnapshot } from '../../src/audit/snapshot.ts'
import type { Realm } from '../../src/base/brand.ts'
import { concatBytes, utf8 } from '../../src/base/bytes.ts'
import { decodeOperatingPoint, encodeOperatingPoint } from '../../src/evaluate/operating-file.ts'
import { malformed } from '../../src/record/errors.ts'
import type { Store } from '../../src/store/store.ts'
import { testLog } from './audit.ts'
import { type Decoder, statementDecoder, tagged } from './decoders.ts'
import { rowsOf } from './rows.ts'
import { point } from './vault.ts'

const REALM = 'clinic' as Realm
const key = new Uint8Array(32).fill(6)
const KEYS: LogKeys = { newestVersion: 1, load: async () => {}, refresh: async () => {}, key: () => key }
const TAG_BYTES = 32

/** One whose answer comes later; it costs so much that it gets fewer alterations. */
export interface SlowDecoder extends Omit<Decoder, 'decode' | 'encode'> {
  readonly decode: (bytes: Uint8Array) => unknown
}

const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)
const bytesOf = (text: string): Uint8Array => utf8(text) as Uint8Array

export async function auditDecoders(): Promise<Readonly<Record<string, Decoder>>> {
  const log = await testLog(5, 2)
  const { store, follower } = await writtenLog()
  const [queued] = await rowsOf(store, 'queue')
  if (queued === undefined) throw new Error('nothing waits')
  const page = encodePage(log.entries)
  const head = { size: follower.size, root: follower.frontier.root() }
  return {
    entry: {
      seed: log.entries[1] as Uint8Array,
      decode: decodeEntry,
      encode: (value: AuditEntry) => encodeEntry(value),
    },
    page: { seed: page, decode: decodePage, encode: (value: readonly Uint8Array[]) => encodePage(value) },
    queue: {
      seed: queued.bytes.subarray(0, -TAG_BYTES),
      wrap: tagged('guise/v1/queue'),
      decode: (given) => {
        const row = readQueueRow(given)
        if (row === undefined || !isGenuine(row, key)) throw malformed('not a row of the queue')
        return decodeEntry(row.entry)
      },
    },
    head: {
      seed: encodeHead(REALM, head, 1, key).subarray(0, -TAG_BYTES),
      wrap: tagged('guise/v1/log-head'),
      decode: (given) => {
        const read = decodeHead(given, REALM)
        if (!read.isGenuine(key)) throw malformed('not genuine')
        return read
      },
      encode: (value: ReturnType<typeof decodeHead>) => encodeHead(REALM, value, value.version, key),
    },
    checkpoint: { seed: bytesOf(log.checkpoint.note), decode: (given) => readCheckpoint(textOf(given)) },
    'verifier key': {
      seed: bytesOf(log.signer.verifierKey),
      decode: (given) => parseVerifierKey(textOf(given), KEY_TYPE.log),
      encode: ({ name, publicKey }: VerifierKey) => bytesOf(verifierKey(name, publicKey)),
    },
    'operating point': {
      seed: bytesOf(encodeOperatingPoint(point())),
      decode: (given) => decodeOperatingPoint(textOf(given)),
    },
  }
}

export async function slowDecoders(): Promise<Readonly<Record<string, SlowDecoder>>> {
  const log = await testLog(4, 2)
  const logKey = log.signer.verifierKey
  const parts: Uint8Array[] = []
  for await (const part of exportLog(log.entries, log.checkpoint)) parts.push(part)
  const exported = concatBytes(...parts)
  const body = log.entries.reduce((sum, entry) => sum + 4 + entry.length, 0)
  const header = exported.subarray(0, exported.length - body)
  const snapshot = await writtenSnapshot()
  return {
    export: { seed: exported, decode: (given) => verifyLog([given], { logKey }) },
    'entries of an export': {
      seed: exported.subarray(header.length),
      wrap: (given) => concatBytes(header, given),
      decode: (given) => verifyLog([given], { logKey }),
    },
    'signed checkpoint': {
      seed: bytesOf(log.checkpoint.note),
      decode: (given) => [openCheckpoint(textOf(given), logKey), openCosignature(textOf(given), logKey)],
    },
    'head of a snapshot': snapshot,
    statement: statementDecoder(),
  }
}

/** A log of some entries on a store of its own, the last of them still in the queue. */
async function writtenLog(): Promise<{ readonly store: Store; readonly follower: Follower }> {
  const store = memoryStore()
  const journal = new Journal(REALM)
  const follower = new Follower(store, REALM, KEYS)
  journal.listen({ kept: (entry) => follower.kept(entry), settle: async () => {} })
  const add = async (number: number): Promise<void> => {
    const handle = new Uint8Array(16).fill(number + 1)
    const said = { state: handle, ring: handle, timeMs: 1_767_225_600_000 + number }
    await journal.commit(store, [], { action: 'enroll', outcome: 'done', handle, ...said }, KEYS)
  }
  for (let i = 0; i < 5; i++) await add(i)
  await follower.follow()
  await integrateSome({ store, realm: REALM, keys: KEYS }, follower)
  await add(5)
  return { store, follower }
}

async function writtenSnapshot(): Promise<SlowDecoder> {
  const { store, follower } = await writtenLog()
  const place = { store, realm: REALM, keys: KEYS }
  await writeSnapshot(place, follower)
  const rows = await rowsOf(store, 'log')
  const head = rows.find(({ key: name }) => name.length === REALM.length + 2 && name.at(-1) === 4)
  if (head === undefined) throw new Error('no snapshot')
  const reading =
    (given: Uint8Array): Store['get'] =>
    async (table, name) => {
      const row = await store.get(table, name)
      return row?.version === head.version ? { ...row, bytes: given } : row
    }
  return {
    seed: head.bytes.subarray(0, -TAG_BYTES),
    wrap: tagged('guise/v1/log-snapshot'),
    decode: async (given) => {
      const from = { ...place, store: { get: reading(given), commit: store.commit.bind(store) } }
      return await readSnapshot(from, new Follower(store, REALM, KEYS))
    },
  }
}
