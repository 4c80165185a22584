/** Numbers of a report: each names the place in the evaluation file that it comes from (SPEC §15.8). @module */

import type { RateFigures } from '../evaluate/figures.ts'
import { type Markup, markup } from './markup.ts'

/** Place of a value in the file, such as `verification.ways.0.eer.value`. */
export type Path = string

/** `percent`: fractions as per cent; `decimal`: as they are; `count`: whole numbers in groups of three. */
export type Format = 'percent' | 'decimal' | 'count' | 'milliseconds'

/** A value with its place; `null` is a dash. */
export function figure(path: Path, value: number | null, format: Format): Markup {
  return markup`<span data-path="${path}" data-format="${format}">${value === null ? '–' : shown(value, format)}</span>`
}

/** A rate with the wider of its intervals: over trials, or over subjects where that was made. */
export function rateFigures(path: Path, rate: RateFigures | null): Markup {
  if (rate === null) return figure(path, null, 'percent')
  const { interval, of } = widestInterval(rate)
  return markup`${figure(`${path}.value`, rate.value, 'percent')} ${intervalFigures(`${path}${of}`, interval, 'percent')}`
}

/** The wider interval of a rate, and where it is below the rate's place. */
export function widestInterval(rate: RateFigures): {
  readonly interval: { readonly low: number; readonly high: number }
  readonly of: string
} {
  const { bySubject } = rate
  return bySubject !== undefined && bySubject.high - bySubject.low > rate.high - rate.low
    ? { interval: bySubject, of: '.bySubject' }
    : { interval: rate, of: '' }
}

/** Both ends of an interval in brackets, small. */
export function intervalFigures(
  path: Path,
  { low, high }: { readonly low: number; readonly high: number },
  format: Format,
): Markup {
  return markup`<small>[${figure(`${path}.low`, low, format)}, ${figure(`${path}.high`, high, format)}]</small>`
}

/** A text of the file, as it is there. */
export function textFigure(path: Path, value: string): Markup {
  return markup`<span data-path="${path}">${value}</span>`
}

/** As a reader sees it. */
export function shown(value: number, format: Format): string {
  if (format === 'percent') return `${decimals(value * 100)} %`
  if (format === 'count') return signed(String(value).replace(/\B(?=(\d{3})+$)/g, '\u202F'))
  if (format === 'milliseconds')
    return `${Number.isInteger(value) ? shown(value, 'count') : decimals(value)} ms`
  return decimals(value)
}

/** Three significant digits, two decimals or more, never an exponent: 0.0000151, 0.452, 97.41, 100.00. */
function decimals(value: number): string {
  if (value === 0) return '0'
  const places = 2 - Math.floor(Math.log10(Math.abs(value)))
  return signed(value.toFixed(Math.min(12, Math.max(2, places))))
}

function signed(text: string): string {
  return text.replace('-', '−')
}
