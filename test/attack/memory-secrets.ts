/** Works out every secret that a process handled, from the rows it wrote and the keys beside its store (I-03). @module */
/// <reference types="node" />

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Realm } from '../../src/base/brand.ts'
import { concatBytes } from '../../src/base/bytes.ts'
import { realmPrefix } from '../../src/base/identifier.ts'
import { committingOpenPrepared } from '../../src/crypto/committing.ts'
import { hkdfPrepare } from '../../src/crypto/kdf.ts'
import { embedding, toIntegers, unitVector } from '../../src/embedding/embedding.ts'
import { preparedCustody } from '../../src/keys/custody.ts'
import { localKeyProvider } from '../../src/keys/local.ts'
import { contextName } from '../../src/keys/local-directory.ts'
import { epochContext, realmContext } from '../../src/keys/provider.ts'
import { decodeRing, ringRowKey } from '../../src/keys/ring.ts'
import { unpackSealed } from '../../src/keys/sealed.ts'
import type { QuorumShare } from '../../src/quorum/share.ts'
import { stateKey } from '../../src/record/place.ts'
import { decodeReferenceRow } from '../../src/record/reference-row.ts'
import { decodeSecretRow } from '../../src/record/secret-row.ts'
import { decodeStateRow } from '../../src/record/state-row.ts'
import { encodeProbe, encodeReference } from '../../src/template/template.ts'
import { rotate } from '../../src/transform/rotate.ts'
import { keyStream } from '../../src/transform/stream.ts'
import { withRecordSecret } from '../../src/vault/wrap.ts'
import { MODEL, numberedBytes, providerKey, REALM, vectorOf, type World } from '../fault/vault-world.ts'
import { CONTEXT, finalize, inputOf, lagrangeAtZero } from '../reference/quorum.ts'
import { encodePoint, hashToGroup, multiply, ORDER } from '../reference/ristretto.ts'
import { recordKeys, recordOpen } from '../reference/seal.ts'
import { addEncodings } from './memory-canaries.ts'
import type { Pieces } from './memory-scan.ts'

const realm = REALM as Realm
const BITS = 128
const VECTOR_WINDOW = 32
const VECTOR_WINDOWS = 8
const KEY_WINDOW = 8
const STATE_KEY_DIGITS = 2 * stateKey(realm, new Uint8Array(16)).length

/** A line of the journal of vault-memory-child. */
type Line =
  | { readonly verb: string; readonly subject: number; readonly face: number }
  | {
      readonly table: 'states' | 'references' | 'secrets'
      readonly key: string
      readonly bytes: string
    }

/** Who takes part beside the realm. */
export interface Custody {
  readonly custody: string
  /** Of the quorum, if there is one. */
  readonly shares: readonly QuorumShare[]
  /** Gets what the curve library computes, of which it keeps copies (SPEC §17.4). */
  readonly elements?: Pieces
}

/** Follows a journal as it grows. */
export class Secrets {
  readonly #pieces: Pieces
  readonly #world: World
  readonly #custody: Custody
  readonly #canaries: Pieces
  readonly #wraps = new Map<string, Uint8Array>()
  readonly #rotationKeys = new Map<number, Uint8Array>()
  #last: Extract<Line, { verb: string }> | undefined
  #state: Uint8Array | undefined
  #reference: Uint8Array | undefined
  #read = 0

  /** @param canaries gets the faces in the encodings that are looked for on a disk */
  constructor(pieces: Pieces, canaries: Pieces, world: World, custody: Custody) {
    this.#pieces = pieces
    this.#canaries = canaries
    this.#world = world
    this.#custody = custody
  }

  /** Adds what the lines since the last call tell. */
  async follow(journal: string): Promise<void> {
    const lines = readFileSync(journal, 'utf8').split('\n').slice(0, -1)
    await this.#world.ctx.ring.refresh()
    await this.#world.ctx.ring.load()
    for (const text of lines.slice(this.#read)) {
      const line = JSON.parse(text) as Line
      if ('verb' in line) this.#verb(line)
      else if (line.table === 'states') {
        // A generation that ended has a longer key.
        if (line.key.length === STATE_KEY_DIGITS) this.#state = Buffer.from(line.bytes, 'hex')
      } else if (line.table === 'references') this.#reference = Buffer.from(line.bytes, 'hex')
      else this.#wrap(line.key, Buffer.from(line.bytes, 'hex'))
    }
    this.#read = lines.length
  }

  /** A wrap follows the code that it is for; one that follows none was only wrapped anew. */
  #wrap(key: string, bytes: Uint8Array): void {
    this.#wraps.set(key, Uint8Array.from(bytes))
    if (this.#reference !== undefined) this.#template(Uint8Array.from(this.#reference))
    this.#reference = undefined
  }

  #verb(line: Extract<Line, { verb: string }>): void {
    this.#last = line
    const wrong = line.verb === 'wrong'
    const vector = wrong ? vectorOf(line.face).map((x) => -x) : vectorOf(line.face)
    addVector(this.#pieces, vector)
    addEncodings(this.#canaries, vector, integersOf(line.face, wrong))
    const rotationKey = this.#rotationKeys.get(line.subject)
    // Who is asked about may have no template.
    if (rotationKey !== undefined && (line.verb === 'verify' || wrong)) {
      this.#probe(line.face, wrong, rotationKey)
    }
  }

  #probe(face: number, wrong: boolean, rotationKey: Uint8Array): void {
    const z = integersOf(face, wrong)
    const probe = encodeProbe(z, 'B4', BITS, rotationKey)
    this.#pieces.add('probe code', new Uint8Array(probe.q.buffer), 16)
    const v = rotate(z, 'B4', BITS, keyStream('B4', rotationKey, BITS, BITS))
    this.#pieces.add('rotated values', bytesOf(v), VECTOR_WINDOW, VECTOR_WINDOWS)
  }

  /** Opens a template as it was written: wrap, code, and all that follows from them. */
  #template(row: Uint8Array): void {
    const { ctx } = this.#world
    const { subject, face } = this.#last as Extract<Line, { verb: string }>
    const name = nameOf(row)
    const prefix = Buffer.concat([realmPrefix(realm), name.record, name.generation]).toString('hex')
    const secret = decodeSecretRow(this.#wraps.get(prefix) as Uint8Array, name)
    const share = this.#custody.custody === 'holder' ? numberedBytes(1 + subject) : undefined
    const quorum = outputOf(this.#custody.shares, name, secret.quorumEpoch)
    const { devices } = decodeStateRow(Uint8Array.from(this.#state ?? []), name, ctx.stateKey)
    const presented = { share, quorum: quorum?.output }
    const rs = withRecordSecret(ctx, { ...name, devices }, secret, presented, (opened) =>
      Uint8Array.from(opened),
    )
    const reference = decodeReferenceRow(row, ctx.settings.profile, name)
    const keys = recordKeys(rs, reference.nonce, reference.header)
    const code = recordOpen(rs, reference.header, reference)
    const stream = keyStream('B4', keys.rotationKey, BITS, BITS)
    const mask = stream.slice(stream.length - BITS / 8)
    const z = integersOf(face, false)
    if (Buffer.compare(code, encodeReference(z, 'B4', BITS, keys.rotationKey)) !== 0) {
      throw new Error('the journal does not tell which face a template is of')
    }
    const add = (kind: string, bytes: Uint8Array): void => this.#pieces.add(kind, bytes, KEY_WINDOW)
    add('record secret', rs)
    add('rotation key', keys.rotationKey)
    add('seal key', keys.key)
    add('masked code', code)
    add(
      'sign code',
      code.map((byte, i) => byte ^ (mask[i] as number)),
    )
    add('mask', mask)
    this.#pieces.add('key stream', stream, 16, 16)
    this.#pieces.add('rotated values', bytesOf(rotate(z, 'B4', BITS, stream)), VECTOR_WINDOW, VECTOR_WINDOWS)
    if (share !== undefined) {
      add('holder share', share)
      add('second share', numberedBytes(1 + subject + this.#wraps.size))
      const { custody } = ctx.ring.requireRealmKeys(1)
      add('custody key of a holder', preparedCustody(2, { custodyKey: custody, share }))
    }
    if (quorum !== undefined) {
      add('output of the quorum', quorum.output)
      this.#custody.elements?.add('element of the quorum', quorum.element, KEY_WINDOW)
      const { custody } = ctx.ring.requireRealmKeys(1)
      const prepared = preparedCustody(1, { custodyKey: custody, quorum: quorum.output })
      add('custody key of a template', innerState(prepared))
    }
    this.#rotationKeys.set(subject, Uint8Array.from(keys.rotationKey))
  }
}

/** What two shares make for a generation: by their numbers, as no process ever does. */
function outputOf(
  shares: readonly QuorumShare[],
  { record, generation }: Pick<ReturnType<typeof nameOf>, 'record' | 'generation'>,
  epoch: number | undefined,
): { readonly output: Uint8Array; readonly element: Uint8Array } | undefined {
  if (shares.length === 0) return undefined
  const used = shares.slice(0, 2)
  const indices = used.map(({ index }) => index)
  const key = used.reduce(
    (sum, share) => sum + share.use((part) => part * lagrangeAtZero(indices, share.index)),
    0n,
  )
  const input = inputOf(REALM, record, generation, epoch as number)
  const element = multiply(hashToGroup(input, CONTEXT), key % ORDER)
  return { output: finalize(input, element), element: encodePoint(element) }
}

function nameOf(row: Uint8Array): Parameters<typeof decodeReferenceRow>[2] {
  // `cbor([header, …])`: the header is a byte string whose fields come in a fixed order.
  const header = row.subarray(row[1] === 0x59 ? 4 : 3)
  const record = header.indexOf(0x50, 3 + 1 + REALM.length) + 1
  return {
    realm,
    record: header.slice(record, record + 16),
    handle: header.slice(record + 17, record + 33),
    generation: header.slice(record + 34, record + 54),
  }
}

function integersOf(face: number, wrong: boolean): Int32Array {
  const vector = vectorOf(face)
  return toIntegers(embedding(wrong ? vector.map((x) => -x) : vector, MODEL))
}

/** A face in every form that the library gives it. */
function addVector(pieces: Pieces, vector: Float32Array): void {
  const add = (kind: string, bytes: Uint8Array): void =>
    pieces.add(kind, bytes, VECTOR_WINDOW, VECTOR_WINDOWS)
  const face = embedding(vector, MODEL)
  const z = toIntegers(face)
  add('vector in floats', bytesOf(vector))
  add('vector in doubles', bytesOf(Float64Array.from(vector)))
  add('unit vector', bytesOf(unitVector(face)))
  add('unit vector in floats', bytesOf(Float32Array.from(unitVector(face))))
  add('integers', bytesOf(z))
  add('integers, big-endian', Uint8Array.from(Buffer.from(bytesOf(z)).swap32()))
}

function bytesOf(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice()
}

/** Keys that no process should hold even while its vault is open: they were needed for a moment. */
export async function addMomentaryKeys(pieces: Pieces, world: World, directory: string): Promise<void> {
  const root = providerKey()
  const provider = localKeyProvider({ path: join(dirname(directory), 'keys'), key: root })
  const row = await world.ctx.store.get('keyrings', ringRowKey(realm))
  const { ring } = decodeRing(row?.bytes as Uint8Array, { realm, provider: provider.id })
  const rootPrk = hkdfPrepare(root)
  pieces.add('root key', root, KEY_WINDOW)
  const contexts = [
    ...ring.epochs.map((item) => ['epoch key', item.wrapped, epochContext(realm, item.epoch)] as const),
    ...ring.secrets.map((item) => ['realm secret', item.wrapped, realmContext(realm, item.version)] as const),
  ]
  for (const [kind, wrapped, context] of contexts) {
    pieces.add(kind, await provider.unwrap(wrapped, context), KEY_WINDOW)
    const file = readFileSync(join(dirname(directory), 'keys', contextName(context)))
    const key = committingOpenPrepared(rootPrk, 'guise/v1/local-key', context, unpackSealed(file))
    pieces.add('provider key', key as Uint8Array, KEY_WINDOW)
  }
  provider.close()
}

/** What the inner hash of a prepared key has come to: the rest are counters, which every hash of this length has. */
function innerState(prepared: Uint8Array): Uint8Array {
  return Uint8Array.from(prepared.subarray(0, 64))
}

/** Keys that an open vault holds: to be gone once it is closed. */
export function addHeldKeys(pieces: Pieces, { ctx }: World): void {
  const keys = ctx.ring.requireRealmKeys(1)
  for (const name of ['index', 'custody', 'state', 'limiter', 'ring', 'receipt', 'log', 'part'] as const) {
    pieces.add(`realm key`, Uint8Array.from(keys[name]), KEY_WINDOW)
  }
  pieces.add('custody key of the operator', innerState(keys.preparedOperator), KEY_WINDOW)
  pieces.add('key of the key directory', innerState(hkdfPrepare(providerKey())), KEY_WINDOW)
  ctx.ring.withEpoch(ctx.ring.primary, (prepared) =>
    pieces.add('prepared epoch key', innerState(prepared), KEY_WINDOW),
  )
}

/** What signing derives from the receipt seed: RFC 8032 §5.1.5, clamped scalar and prefix. */
export function addSigningKeys(pieces: Pieces, { ctx }: World): void {
  const expanded = Uint8Array.from(createHash('sha512').update(ctx.ring.requireRealmKeys(1).receipt).digest())
  expanded[0] = (expanded[0] as number) & 248
  expanded[31] = ((expanded[31] as number) & 63) | 64
  pieces.add('signing scalar', expanded.slice(0, 32), KEY_WINDOW)
  pieces.add('signing scalar, big-endian', expanded.slice(0, 32).reverse(), KEY_WINDOW)
  pieces.add('signing prefix', expanded.slice(32), KEY_WINDOW)
  pieces.add('receipt seed', concatBytes(ctx.ring.requireRealmKeys(1).receipt), KEY_WINDOW)
}
