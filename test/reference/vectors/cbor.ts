/** Vectors of deterministic CBOR (SPEC §2.1, CONVENTIONS-1; RFC 8949 appendix A and §4.2.1). @module */
import { hex, Refused, unhex } from '../bytes.ts'
import { decode, encode, type Value } from '../cbor.ts'
import { type Json, type VectorFile, vectorFile } from './file.ts'

const GOOD: readonly Value[] = [
  0,
  23,
  24,
  255,
  256,
  65_535,
  65_536,
  4_294_967_295,
  4_294_967_296,
  Number.MAX_SAFE_INTEGER,
  '',
  'IETF',
  'ü',
  '水',
  new Uint8Array(0),
  Uint8Array.of(1, 2, 3, 4),
  new Uint8Array(24),
  new Uint8Array(300),
  [],
  [1, 2, 3],
  [1, [2, 3], [4, [5]]],
  false,
  true,
  null,
  [1, 'realm', new Uint8Array(16), true, null, [[new Uint8Array(16), 12]]],
]

/** One fault each. */
const BAD: Readonly<Record<string, string>> = {
  'no byte': '',
  'a trailing byte': '0000',
  'two items': '0102',
  'zero in two bytes': '1800',
  '23 in two bytes': '1817',
  '255 in three bytes': '1900ff',
  '65535 in five bytes': '1a0000ffff',
  '2^32 - 1 in nine bytes': '1b00000000ffffffff',
  'an integer above 2^53 - 1': '1b0020000000000000',
  'the largest integer': '1bffffffffffffffff',
  'a negative integer': '20',
  'a long negative integer': '3903e7',
  'byte string with a long head': '580101',
  'text with a long head': '780161',
  'array with a long head': '980101',
  'byte string of indefinite length': '5f4101ff',
  'text of indefinite length': '7f6161ff',
  'array of indefinite length': '9f01ff',
  'byte string cut short': '4201',
  'text cut short': '6261',
  'array cut short': '8201',
  'head cut short': '19ff',
  'a length beyond the input': '5affffffff00',
  'a length of 2^53': '5b0020000000000000',
  'an array longer than the input': '9affffffff00',
  'an empty map': 'a0',
  'a map': 'a10102',
  'a tag': 'c000',
  'a tagged big integer': 'c24101',
  'half float': 'f90000',
  'single float': 'fa47c35000',
  'double float': 'fb3ff199999999999a',
  NaN: 'f97e00',
  undefined: 'f7',
  'simple value 0': 'e0',
  'simple value 255': 'f8ff',
  'false in two bytes': 'f814',
  'a lone break': 'ff',
  'reserved additional information 28': '1c',
  'reserved additional information 31 in an integer': '1f',
  'text that is not UTF-8': '61ff',
  'text with an overlong form': '62c080',
  'text with a surrogate': '63eda080',
  'a float inside an array': '8201f90000',
}

export function cborVectors(): VectorFile {
  const positive = GOOD.map((value, i) => ({
    name: `value ${i + 1}`,
    value: json(value),
    encoded: hex(encode(value)),
  }))
  const negative = Object.entries(BAD).map(([name, encoded]) => {
    if (accepted(unhex(encoded))) throw new RangeError(`${name} was accepted`)
    return { name, encoded }
  })
  return vectorFile(
    '§2.1',
    ['value: byte strings as { "bytes": hexadecimal }. negative: refused by a decoder with one fault each.'],
    positive,
    negative,
  )
}

function accepted(encoded: Uint8Array): boolean {
  try {
    decode(encoded, 1024)
    return true
  } catch (error) {
    if (error instanceof Refused) return false
    throw error
  }
}

function json(value: Value): Json {
  if (value instanceof Uint8Array) return { bytes: hex(value) }
  if (Array.isArray(value)) return value.map((entry) => json(entry as Value))
  return value as Json
}
