/** Plots as SVG: axes, gridlines, captions, legends (SPEC §15.8). @module */

import { scaleBand, scaleLinear, scaleLog } from 'd3-scale'
import { area, curveLinear, line } from 'd3-shape'
import { type Markup, markup, NOTHING } from './markup.ts'

/** One axis: where values lie, and what stands beside it. */
export interface Axis {
  readonly label: string
  /** From 0 to the length of the axis; beyond it for values outside. */
  readonly at: (value: number) => number
  readonly ticks: readonly { readonly value: number; readonly text: string }[]
}

export interface Key {
  readonly text: string
  readonly color: string
  readonly dash?: string
  /** A swatch of colour instead of a line. */
  readonly filled?: boolean
}

export interface Chart {
  /** Unique in the page: letters, digits, hyphens. */
  readonly id: string
  readonly title: string
  /** What a reader who does not see the plot should know. */
  readonly description: string
  readonly x: Axis
  readonly y: Axis
  /** Drawn in the frame's coordinates, clipped to it. */
  readonly marks: readonly Markup[]
  readonly keys: readonly Key[]
}

/** The drawing's size in its own units; a unit is a pixel where the figure is as wide as this. */
const WIDTH = 480
const HEIGHT = 330
const MARGIN = { top: 12, right: 30, bottom: 50, left: 84 }
export const PLOT_WIDTH: number = WIDTH - MARGIN.left - MARGIN.right
export const PLOT_HEIGHT: number = HEIGHT - MARGIN.top - MARGIN.bottom

/** Okabe and Ito's colours, which people with any colour vision tell apart, and dashes for print without colour. */
export const COLORS = {
  black: '#1b1b1b',
  blue: '#0072b2',
  vermilion: '#d55e00',
  green: '#008a60',
  purple: '#a3477f',
  orange: '#c98500',
  sky: '#3a95c9',
  grey: '#6b6b6b',
} as const
export const SERIES: readonly { readonly color: string; readonly dash: string }[] = [
  { color: COLORS.orange, dash: '2 3' },
  { color: COLORS.green, dash: '7 3' },
  { color: COLORS.vermilion, dash: '10 3 2 3' },
  { color: COLORS.blue, dash: '' },
  { color: COLORS.purple, dash: '4 3' },
]

export function chart({ id, title, description, x, y, marks, keys }: Chart): Markup {
  return markup`<figure class="chart" id="${id}">
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-labelledby="${id}-title ${id}-desc">
<title id="${id}-title">${title}</title><desc id="${id}-desc">${description}</desc>
<defs><clipPath id="${id}-clip"><rect width="${PLOT_WIDTH}" height="${PLOT_HEIGHT}"/></clipPath></defs>
<g transform="translate(${MARGIN.left} ${MARGIN.top})">
${xAxis(x)}${yAxis(y)}<g clip-path="url(#${id}-clip)">${marks}</g>
</g></svg>
<figcaption><strong>${title}</strong></figcaption>${legend(keys)}
</figure>`
}

/** An axis of equal steps; ticks are d3's. */
export function linearAxis(
  label: string,
  domain: readonly [number, number],
  length: number,
  text: (value: number) => string = String,
): Axis {
  const scale = scaleLinear([...domain], [0, length])
  return {
    label,
    at: (value) => scale(value),
    ticks: scale.ticks(6).map((value) => ({ value, text: text(value) })),
  }
}

/** An axis of equal ratios with a tick at each power of ten; values of 0 and less lie at its beginning. */
export function logAxis(
  label: string,
  [low, high]: readonly [number, number],
  length: number,
  text: (value: number) => string,
): Axis {
  const scale = scaleLog([low, high], [0, length])
  const ticks: { value: number; text: string }[] = []
  for (let power = Math.ceil(Math.log10(low) - 1e-9); power <= Math.floor(Math.log10(high) + 1e-9); power++) {
    const value = Number(`1e${power}`)
    ticks.push({ value, text: text(value) })
  }
  return { label, at: (value) => (value > 0 ? scale(value) : -1), ticks }
}

/** Names at equal distances; the place of number `i` is the middle of its band, `width` the part of a band that bars share. */
export function bandAxis(
  label: string,
  names: readonly string[],
): { readonly axis: Axis; readonly width: number; readonly from: (index: number) => number } {
  const scale = scaleBand(
    names.map((_, index) => index),
    [0, PLOT_WIDTH],
  ).padding(0.18)
  const from = (index: number): number => scale(index) ?? 0
  const width = scale.bandwidth()
  return {
    axis: {
      label,
      at: (index) => from(index) + width / 2,
      ticks: names.map((text, value) => ({ value, text })),
    },
    width,
    from,
  }
}

/** A line through points in the frame's coordinates. */
export function pathOf(
  points: readonly (readonly [number, number])[],
  { color, dash = '' }: { readonly color: string; readonly dash?: string },
): Markup {
  const d = line<readonly [number, number]>()
    .curve(curveLinear)
    .x(([x]) => rounded(x))
    .y(([, y]) => rounded(y))([...points])
  return d === null
    ? NOTHING
    : markup`<path class="line" d="${d}" stroke="${color}" stroke-dasharray="${dash}"/>`
}

/** Steps from `x0` to `x1` of the given height above the bottom, filled. */
export function stepsOf(
  steps: readonly { readonly x0: number; readonly x1: number; readonly height: number }[],
  color: string,
): Markup {
  const corners = steps.flatMap(({ x0, x1, height }): [number, number][] => [
    [x0, height],
    [x1, height],
  ])
  const d = area()
    .x(([x]) => rounded(x))
    .y0(PLOT_HEIGHT)
    .y1(([, height]) => rounded(PLOT_HEIGHT - Math.max(0, height)))(corners)
  return d === null
    ? NOTHING
    : markup`<path d="${d}" fill="${color}" fill-opacity="0.28" stroke="${color}" stroke-width="1.2"/>`
}

/** A point with an error bar; both in the frame's coordinates. */
export function pointOf(
  [x, y]: readonly [number, number],
  [low, high]: readonly [number, number],
  color: string,
): Markup {
  return markup`${whisker(x, low, high, color)}<circle cx="${rounded(x)}" cy="${rounded(y)}" r="4" fill="${color}"/>`
}

/** A vertical error bar with ends. */
export function whisker(x: number, low: number, high: number, color: string): Markup {
  const [a, b, middle] = [rounded(low), rounded(high), rounded(x)]
  return markup`<path class="whisker" stroke="${color}" d="M${middle} ${a}V${b}M${middle - 4} ${a}h8M${middle - 4} ${b}h8"/>`
}

/** Text in the frame. */
export function note(
  x: number,
  y: number,
  text: string,
  { color = COLORS.black, anchor = 'start' }: { readonly color?: string; readonly anchor?: string } = {},
): Markup {
  return markup`<text class="note" x="${rounded(x)}" y="${rounded(y)}" fill="${color}" text-anchor="${anchor}">${text}</text>`
}

/** Up from the bottom of the frame, as SVG counts from the top. */
export function up(axis: Axis, value: number): number {
  return PLOT_HEIGHT - axis.at(value)
}

export function rounded(value: number): number {
  return Math.round(value * 100) / 100
}

function xAxis({ label, at, ticks }: Axis): Markup {
  const marks = ticks.map(({ value, text }) => {
    const x = rounded(at(value))
    return markup`<path class="grid" d="M${x} 0V${PLOT_HEIGHT}"/><text class="tick" x="${x}" y="${PLOT_HEIGHT + 18}" text-anchor="middle">${text}</text>`
  })
  return markup`<g class="axis x">${marks}<path class="rule" d="M0 ${PLOT_HEIGHT}H${PLOT_WIDTH}"/><text class="label" x="${PLOT_WIDTH / 2}" y="${PLOT_HEIGHT + 40}" text-anchor="middle">${label}</text></g>`
}

function yAxis(axis: Axis): Markup {
  const marks = axis.ticks.map(({ value, text }) => {
    const y = rounded(up(axis, value))
    return markup`<path class="grid" d="M0 ${y}H${PLOT_WIDTH}"/><text class="tick" x="-8" y="${y + 4.5}" text-anchor="end">${text}</text>`
  })
  return markup`<g class="axis y">${marks}<path class="rule" d="M0 0V${PLOT_HEIGHT}"/><text class="label" transform="translate(-70 ${PLOT_HEIGHT / 2}) rotate(-90)" text-anchor="middle">${axis.label}</text></g>`
}

function legend(keys: readonly Key[]): Markup {
  if (keys.length === 0) return NOTHING
  const items = keys.map(({ text, color, dash = '', filled = false }) => {
    const swatch = filled
      ? markup`<rect y="1" width="26" height="10" fill="${color}" fill-opacity="0.55" stroke="${color}"/>`
      : markup`<path class="line" d="M0 6H26" stroke="${color}" stroke-dasharray="${dash}"/>`
    return markup`<li><svg viewBox="0 0 26 12" width="26" height="12" aria-hidden="true">${swatch}</svg>${text}</li>`
  })
  return markup`<ul class="legend">${items}</ul>`
}
