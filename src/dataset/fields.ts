/** Fields of one CSV line, and the numbers in them (RFC 4180). @module */

import type { DatasetPlace } from './errors.ts'
import { DatasetError } from './errors.ts'

/** An optional sign, digits with an optional point, an optional exponent: what every tool that writes CSV writes. */
const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/

/**
 * The fields of a line, quotes removed. A field never runs over the end of its line.
 * Throws `ERR_DATASET_LINE` when a quote is not closed or not doubled.
 */
export function splitFields(text: string, place: DatasetPlace): readonly string[] {
  if (!text.includes('"')) return text.split(',')
  const fields: string[] = []
  let at = 0
  while (at <= text.length) {
    if (text[at] !== '"') {
      const comma = text.indexOf(',', at)
      const end = comma === -1 ? text.length : comma
      const field = text.slice(at, end)
      if (field.includes('"')) throw badQuote(place)
      fields.push(field)
      at = end + 1
      continue
    }
    const end = closingQuote(text, at + 1)
    if (end === -1 || (end + 1 < text.length && text[end + 1] !== ',')) throw badQuote(place)
    fields.push(text.slice(at + 1, end).replaceAll('""', '"'))
    at = end + 2
  }
  return fields
}

/** The number that a field spells; `undefined` when it spells none. Spaces around it are allowed. */
export function parseNumber(field: string): number | undefined {
  const text = field.trim()
  return NUMBER.test(text) ? Number(text) : undefined
}

function closingQuote(text: string, from: number): number {
  for (let at = from; ; at += 2) {
    at = text.indexOf('"', at)
    if (at === -1 || text[at + 1] !== '"') return at
  }
}

function badQuote(place: DatasetPlace): DatasetError {
  return new DatasetError('ERR_DATASET_LINE', 'a quote is not closed or not doubled', place)
}
