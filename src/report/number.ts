/** Numbers of a report: each names the place in the evaluation file that it comes from (SPEC §15.8). @module */

import type { Rate } from '../policy/operating-point.ts'
import { type Markup, markup } from './markup.ts'

/** Place of a value in the file, such as `verification.ways.0.eer.value`. */
export type Path = string

/** `percent`: fractions as per cent; `decimal`: as they are; `count`: whole numbers in groups of three. */
export type Format = 'percent' | 'decimal' | 'count' | 'milliseconds'

/** A value with its place; `null` is a dash. */
export function figure(path: Path, value: number | null, format: Format): Markup {
  return markup`<span data-path="${path}" data-format="${format}">${value === null ? '–' : shown(value, format)}</span>`
}

/** Rate, interval and trials of the file. */
export function rateFigures(path: Path, rate: Rate | null): Markup {
  if (rate === null) return figure(path, null, 'percent')
  return markup`${figure(`${path}.value`, rate.value, 'percent')} ${intervalFigures(path, rate, 'percent')}`
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
  if (format === 'milliseconds') return `${decimals(value)} ms`
  return decimals(value)
}

/** Three significant digits or more, never an exponent: 0.0000151, 0.452, 97.41, 100. */
function decimals(value: number): string {
  if (value === 0 || Number.isInteger(value)) return signed(String(value))
  const places = 2 - Math.floor(Math.log10(Math.abs(value)))
  return signed(value.toFixed(Math.min(12, Math.max(2, places))))
}

function signed(text: string): string {
  return text.replace('-', '−')
}
