/**
 * A dense matrix times a vector in AssemblyScript, four products at a time: what a rotation by a stored matrix costs in
 * WebAssembly. Four sums hide the latency of an addition.
 */

/** `out` = `matrix` · `vector`, row after row; `n` is a multiple of 16. */
export function multiply(matrix: usize, vector: usize, out: usize, n: i32): void {
  const end = vector + (<usize>n << 2)
  for (let row = 0; row < n; row++) {
    let a = f32x4.splat(0), b = f32x4.splat(0), c = f32x4.splat(0), d = f32x4.splat(0)
    for (let at = vector; at < end; at += 64) {
      a = f32x4.add(a, f32x4.mul(v128.load(matrix), v128.load(at)))
      b = f32x4.add(b, f32x4.mul(v128.load(matrix, 16), v128.load(at, 16)))
      c = f32x4.add(c, f32x4.mul(v128.load(matrix, 32), v128.load(at, 32)))
      d = f32x4.add(d, f32x4.mul(v128.load(matrix, 48), v128.load(at, 48)))
      matrix += 64
    }
    const sum = f32x4.add(f32x4.add(a, b), f32x4.add(c, d))
    store<f32>(out, f32x4.extract_lane(sum, 0) + f32x4.extract_lane(sum, 1) + f32x4.extract_lane(sum, 2) + f32x4.extract_lane(sum, 3))
    out += 4
  }
}
