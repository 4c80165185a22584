/** Alterations that know what CBOR looks like, and bytes made to hurt decoders. @module */

/** One of the usual alterations of a row, or several on top of each other. */
export function mutate(seed: Uint8Array, draw: () => number): Uint8Array {
  let bytes: Uint8Array = Uint8Array.from(seed)
  const pick = (below: number): number => Math.floor(draw() * below)
  for (let times = 1 + pick(3); times > 0; times--) {
    const at = pick(bytes.length + 1)
    const length = pick(24)
    bytes = (ALTERATIONS[pick(ALTERATIONS.length)] as Alteration)(bytes, at, length, pick)
    if (bytes.length === 0) bytes = Uint8Array.of(pick(256))
  }
  return bytes
}

type Alteration = (
  bytes: Uint8Array,
  at: number,
  length: number,
  pick: (below: number) => number,
) => Uint8Array

const NOTHING: readonly number[] = []

const ALTERATIONS: readonly Alteration[] = [
  (bytes, at, _length, pick) => set(bytes, at, pick(256)),
  // A head: another major type, another length, an indefinite one.
  (bytes, at, _length, pick) => set(bytes, at, 32 * pick(8) + (HEADS[pick(HEADS.length)] as number)),
  (bytes, at, length) => splice(bytes, at, Math.min(at + length, bytes.length), NOTHING),
  (bytes, at, length) => splice(bytes, at, at, bytes.subarray(at, at + length)),
  (bytes, at, _length, pick) => splice(bytes, at, at, [32 * pick(8) + pick(28)]),
  (bytes, at, _length, pick) => splice(bytes, at, at, [0x9b, 255, 255, 255, 255, pick(256)]),
  (bytes, at) => bytes.subarray(0, at),
  (bytes, _at, length, pick) =>
    splice(
      bytes,
      bytes.length,
      bytes.length,
      Uint8Array.from({ length }, () => pick(256)),
    ),
]

function set(bytes: Uint8Array, at: number, byte: number): Uint8Array {
  bytes[Math.min(at, bytes.length - 1)] = byte
  return bytes
}

/** The bytes with others in place of those from `from` to `to`. */
function splice(bytes: Uint8Array, from: number, to: number, others: ArrayLike<number>): Uint8Array {
  const spliced = new Uint8Array(bytes.length - (to - from) + others.length)
  spliced.set(bytes.subarray(0, from))
  spliced.set(others, from)
  spliced.set(bytes.subarray(to), from + others.length)
  return spliced
}

const HEADS: readonly number[] = [0, 1, 16, 20, 22, 23, 24, 25, 26, 27, 31]

/** Length bombs, depth, maps with a key twice, tags, what is longer than any row. */
export function hostileRows(): readonly Uint8Array[] {
  const full = 65_536
  const filled = (byte: number, length = full): Uint8Array => new Uint8Array(length).fill(byte)
  const headed = (head: readonly number[], byte: number): Uint8Array => {
    const row = filled(byte)
    row.set(head)
    return row
  }
  return [
    new Uint8Array(0),
    ...[0x80, 0x81, 0x9f, 0xa1, 0xbf, 0xc0, 0x5f, 0x7f, 0xf6, 0xf9, 0xff, 0x00, 0x60].map((byte) =>
      filled(byte),
    ),
    ...[0x5b, 0x7b, 0x9b, 0xbb].map((head) => headed([head, 255, 255, 255, 255, 255, 255, 255, 255], 0)),
    headed([0x99, 0xff, 0xf0], 0),
    headed([0x99, 0xff, 0xf0], 0x80),
    headed([0x99, 0xff, 0xf0], 0x60),
    Uint8Array.of(0xa2, 0x01, 0x01, 0x01, 0x01),
    filled(0x81, full + 1),
    filled(0x81, 4 * full),
  ]
}
