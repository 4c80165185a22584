/** Identifiers (SPEC §2.3). @module */
import { Refused, utf8 } from './bytes.ts'

const LETTERS_AND_DIGITS = 'abcdefghijklmnopqrstuvwxyz0123456789'
const ALPHABET = `${LETTERS_AND_DIGITS}._-`

function consistsOf(text: string, alphabet: string): boolean {
  for (const character of text) if (!alphabet.includes(character)) return false
  return true
}

function beginsWell(text: string): boolean {
  return text.length > 0 && LETTERS_AND_DIGITS.includes(text.charAt(0))
}

function endsWell(text: string): boolean {
  return text.length > 0 && LETTERS_AND_DIGITS.includes(text.charAt(text.length - 1))
}

/** A realm, and by the same rule a purpose: 1 to 64 characters that begin and end with a letter or digit. */
export function isRealm(text: string): boolean {
  return (
    text.length >= 1 && text.length <= 64 && consistsOf(text, ALPHABET) && beginsWell(text) && endsWell(text)
  )
}

/** `name@version`: 1 to 63 and 1 to 31 characters, each beginning with a letter or digit. */
export function isModelId(text: string): boolean {
  const parts = text.split('@')
  if (parts.length !== 2) return false
  const [name, version] = parts as [string, string]
  return (
    name.length >= 1 &&
    name.length <= 63 &&
    version.length >= 1 &&
    version.length <= 31 &&
    consistsOf(name + version, ALPHABET) &&
    beginsWell(name) &&
    beginsWell(version)
  )
}

/** Any well-formed string of 1 to 256 bytes in UTF-8. */
export function isSubject(text: string): boolean {
  try {
    const length = utf8(text).length
    return length >= 1 && length <= 256
  } catch (error) {
    if (error instanceof Refused) return false
    throw error
  }
}
