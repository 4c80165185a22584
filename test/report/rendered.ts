/** Markdown as a reader's browser shows it: by a renderer that is no work of ours, and what Chromium makes of its HTML. @module */
import { createRequire } from 'node:module'
import process from 'node:process'
import { type Browser, chromium } from 'playwright'
import { afterAll, beforeAll } from 'vitest'

export interface Rendered {
  /** Level and text. */
  readonly headings: readonly (readonly [level: number, text: string])[]
  /** Rows of cells as text, the heading first. */
  readonly tables: readonly (readonly (readonly string[])[])[]
  /** Names of the elements in the page. */
  readonly elements: readonly string[]
  /** Pixels that something is wider than a page of 1,000. */
  readonly overflow: number
}

interface Marked {
  parse(markdown: string): string
}

/** A command-line tool of the development dependencies brings it along. */
const require = createRequire(createRequire(import.meta.url).resolve('@arethetypeswrong/cli/package.json'))
const { marked } = require('marked') as { readonly marked: Marked }

/** Starts a browser for the tests of a file. */
export function renderer(): (markdown: string) => Promise<Rendered> {
  let browser: Browser
  beforeAll(async () => {
    browser = await chromium.launch({
      executablePath: process.env['GUISE_CHROMIUM'] ?? '/usr/bin/chromium',
      args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
    })
  }, 60_000)
  afterAll(() => browser?.close())
  return async (markdown) => {
    const page = await browser.newPage({ viewport: { width: 1000, height: 800 } })
    await page.setContent(`<!doctype html><meta charset="utf-8">${marked.parse(markdown)}`)
    const rendered = await page.evaluate(() => {
      const textOf = (element: Element): string => (element.textContent ?? '').replace(/\s+/g, ' ').trim()
      const all = (from: ParentNode, what: string): Element[] => [...from.querySelectorAll(what)]
      return {
        headings: all(document, 'h1,h2,h3,h4,h5,h6').map(
          (one) => [Number(one.tagName[1]), textOf(one)] as const,
        ),
        tables: all(document, 'table').map((table) =>
          all(table, 'tr').map((row) => all(row, 'th,td').map(textOf)),
        ),
        elements: [...new Set(all(document.body, '*').map(({ tagName }) => tagName.toLowerCase()))],
        overflow: Math.max(0, document.documentElement.scrollWidth - 1000),
      }
    })
    await page.close()
    return rendered
  }
}
