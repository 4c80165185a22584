/**
 * A dense matrix times a vector in AssemblyScript, four products at a time: what a rotation by a stored matrix costs in
 * WebAssembly. Four rows at once share what is loaded of the vector, and hide the latency of an addition.
 */

/** `out` = `matrix` · `vector`; `n`, rows and columns, is a multiple of 4. */
export function multiply(matrix: usize, vector: usize, out: usize, n: i32): void {
  const length = <usize>n << 2
  const end = vector + length
  const last = out + length
  while (out < last) {
    let a = f32x4.splat(0), b = f32x4.splat(0), c = f32x4.splat(0), d = f32x4.splat(0)
    let p = matrix, q = p + length, r = q + length, s = r + length
    for (let at = vector; at < end; at += 16) {
      const x = v128.load(at)
      a = f32x4.add(a, f32x4.mul(v128.load(p), x))
      b = f32x4.add(b, f32x4.mul(v128.load(q), x))
      c = f32x4.add(c, f32x4.mul(v128.load(r), x))
      d = f32x4.add(d, f32x4.mul(v128.load(s), x))
      p += 16
      q += 16
      r += 16
      s += 16
    }
    store<f32>(out, total(a))
    store<f32>(out, total(b), 4)
    store<f32>(out, total(c), 8)
    store<f32>(out, total(d), 12)
    out += 16
    matrix = s
  }
}

/** The four values of a vector, added. */
@inline
function total(values: v128): f32 {
  const pairs = f32x4.add(values, v128.shuffle<f32>(values, values, 2, 3, 0, 1))
  return f32x4.extract_lane(pairs, 0) + f32x4.extract_lane(pairs, 1)
}
