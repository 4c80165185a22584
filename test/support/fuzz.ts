/** Alterations that know what CBOR looks like, and bytes made to hurt decoders. @module */

/** One of the usual alterations of a row, or several on top of each other. */
export function mutate(seed: Uint8Array, draw: () => number): Uint8Array {
  let bytes: number[] = [...seed]
  const pick = (below: number): number => Math.floor(draw() * below)
  for (let times = 1 + pick(3); times > 0; times--) {
    const at = pick(bytes.length + 1)
    const length = pick(24)
    const alterations: readonly (() => number[])[] = [
      () => bytes.with(Math.min(at, bytes.length - 1), pick(256)),
      // A head: another major type, another length, an indefinite one.
      () => bytes.with(Math.min(at, bytes.length - 1), 32 * pick(8) + (HEADS[pick(HEADS.length)] as number)),
      () => [...bytes.slice(0, at), ...bytes.slice(at + length)],
      () => [...bytes.slice(0, at), ...bytes.slice(at, at + length), ...bytes.slice(at)],
      () => [...bytes.slice(0, at), 32 * pick(8) + pick(28), ...bytes.slice(at)],
      () => [...bytes.slice(0, at), 0x9b, 255, 255, 255, 255, pick(256), ...bytes.slice(at)],
      () => bytes.slice(0, at),
      () => [...bytes, ...Array.from({ length }, () => pick(256))],
    ]
    bytes = alterations[pick(alterations.length)]?.() ?? bytes
    if (bytes.length === 0) bytes = [pick(256)]
  }
  return Uint8Array.from(bytes)
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
