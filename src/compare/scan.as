/**
 * The nearest of many codes by Hamming distance, in AssemblyScript. `npm run kernels` compiles it into scan.generated.ts;
 * scan.ts is the same in JavaScript. Rows lie behind one another; lengths are in words of 64 bits.
 */

/**
 * Adds rows to a list of the nearest ones. An entry is the distance in its upper half and the number of the row in its
 * lower: the list ascends, and of equal distances the earlier row comes first.
 *
 * @param first number of the first row
 * @param out the list, with room for `most` entries
 * @param found entries that it has
 * @returns entries that it has now
 */
export function nearest(
  rows: usize, count: i32, words: i32, query: usize, first: u32, out: usize, most: i32, found: i32,
): i32 {
  if (words == 8) return nearestOfEight(rows, count, query, first, out, most, found)
  const length = <usize>words << 3
  let limit = limitOf(out, most, found)
  const end = rows + <usize>count * length
  for (let row = rows; row < end; row += length) {
    let distance: u64 = 0
    for (let at: usize = 0; at < length; at += 8) distance += popcnt(load<u64>(row + at) ^ load<u64>(query + at))
    if (distance < limit) {
      found = insert(out, most, found, (distance << 32) | first)
      limit = limitOf(out, most, found)
    }
    first++
  }
  return found
}

/** The same for 512 bits: the code stays in registers. Vectors count the bits of a row no faster. */
function nearestOfEight(
  rows: usize, count: i32, query: usize, first: u32, out: usize, most: i32, found: i32,
): i32 {
  const q0 = load<u64>(query), q1 = load<u64>(query, 8), q2 = load<u64>(query, 16), q3 = load<u64>(query, 24)
  const q4 = load<u64>(query, 32), q5 = load<u64>(query, 40), q6 = load<u64>(query, 48), q7 = load<u64>(query, 56)
  let limit = limitOf(out, most, found)
  const end = rows + (<usize>count << 6)
  for (let row = rows; row < end; row += 64) {
    const distance: u64 = popcnt(load<u64>(row) ^ q0) + popcnt(load<u64>(row, 8) ^ q1) +
      popcnt(load<u64>(row, 16) ^ q2) + popcnt(load<u64>(row, 24) ^ q3) +
      popcnt(load<u64>(row, 32) ^ q4) + popcnt(load<u64>(row, 40) ^ q5) +
      popcnt(load<u64>(row, 48) ^ q6) + popcnt(load<u64>(row, 56) ^ q7)
    if (distance < limit) {
      found = insert(out, most, found, (distance << 32) | first)
      limit = limitOf(out, most, found)
    }
    first++
  }
  return found
}

/** What a row must stay below to be listed. */
@inline
function limitOf(out: usize, most: i32, found: i32): u64 {
  return found < most ? <u64>1 << 32 : load<u64>(out + (<usize>(most - 1) << 3)) >> 32
}

function insert(out: usize, most: i32, found: i32, entry: u64): i32 {
  const grown = found < most ? found + 1 : found
  let at = out + (<usize>(grown - 1) << 3)
  while (at > out && load<u64>(at - 8) > entry) {
    store<u64>(at, load<u64>(at - 8))
    at -= 8
  }
  store<u64>(at, entry)
  return grown
}
