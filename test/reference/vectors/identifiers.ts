/** Vectors of identifiers (SPEC §2.3). @module */
import { isModelId, isRealm, isSubject } from '../identifiers.ts'
import { type Json, type VectorFile, vectorFile } from './file.ts'

const a = (length: number): string => 'a'.repeat(length)

const GOOD: Readonly<Record<string, readonly string[]>> = {
  realm: ['a', '0', 'example', 'a-b.c_d', '9..9', 'a--b', a(64)],
  model: ['a@1', 'arc-face.r100@2024.1', 'a_b-c.d@v1.0-rc_1', 'a-@1-', `${a(63)}@${a(31)}`],
  subject: [
    'a',
    ' ',
    'Ä',
    'person@example.org',
    '\u0000',
    '人',
    '😀',
    a(256),
    'é'.repeat(128),
    '😀'.repeat(64),
  ],
}

const BAD: Readonly<Record<string, readonly string[]>> = {
  realm: ['', 'A', 'a b', '-a', 'a-', '.a', 'a.', '_', 'ä', 'a/b', 'a\n', 'a\u0000', 'a@b', 'Ａ', 'ı', a(65)],
  model: [
    '',
    'a',
    'a@',
    '@1',
    'a@1@2',
    'A@1',
    '-a@1',
    'a@-1',
    'a@.1',
    'a @1',
    'a@1 ',
    'a@1\n',
    'ä@1',
    'a/b@1',
    `${a(64)}@1`,
    `a@${a(32)}`,
  ],
  subject: ['', a(257), 'é'.repeat(129), '\ud800', 'a\udc00', '\udc00\ud800', '😀'.repeat(65)],
}

const RULES: Readonly<Record<string, (text: string) => boolean>> = {
  realm: isRealm,
  model: isModelId,
  subject: isSubject,
}

export function identifierVectors(): VectorFile {
  return vectorFile(
    '§2.3',
    [
      'utf16: the code units of the text, since some are no well-formed Unicode.',
      'A purpose follows the rule for realms. negative: refused with a typed error.',
    ],
    list(GOOD, true),
    list(BAD, false),
  )
}

function list(texts: Readonly<Record<string, readonly string[]>>, right: boolean): Record<string, Json>[] {
  return Object.entries(texts).flatMap(([kind, entries]) =>
    entries.map((text, i) => {
      if (RULES[kind]?.(text) !== right) throw new RangeError(`${kind} ${JSON.stringify(text)}`)
      return {
        name: `${kind} ${i + 1}`,
        kind,
        utf16: Array.from({ length: text.length }, (_, at) => text.charCodeAt(at)),
      }
    }),
  )
}
