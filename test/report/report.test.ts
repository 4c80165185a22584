/** The report in a browser: nothing is fetched, nothing is cut off, every number is that of the file (SPEC §15.8). @module */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import process from 'node:process'
import { pathToFileURL } from 'node:url'
import type { Evaluation } from 'guise/evaluate'
import { processingRecords } from 'guise/node'
import { type Browser, chromium, type Page } from 'playwright'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { evaluateCommand } from '../../src/cli/evaluate.ts'
import { quartiles } from '../../src/cli/evaluate-cost.ts'
import { encodeEvaluation } from '../../src/cli/evaluate-write.ts'
import { markup } from '../../src/report/markup.ts'
import { shown } from '../../src/report/number.ts'
import { renderReport } from '../../src/report/page.ts'
import { testVault } from '../support/vault.ts'
import { ran, temporaryFolder } from '../unit/cli-support.ts'
import { type Made, makeEvaluation } from './evaluation.ts'
import { figureLines } from './records-figures.ts'

const folder = temporaryFolder()
let made: Made
let browser: Browser

beforeAll(async () => {
  browser = await chromium.launch({
    executablePath: process.env['GUISE_CHROMIUM'] ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
  })
  made = await makeEvaluation(folder.at)
}, 240_000)
afterAll(() => browser?.close())

/** A number as the report shows it, and the half of its last digit: `99.0 %` is 0.99 ± 0.0005. */
function parsed(text: string, format: string): { readonly value: number; readonly slack: number } {
  const plain = text
    .replace('−', '-')
    .replaceAll('\u202F', '')
    .replace(/ (?:%|ms)$/, '')
  expect(plain).toMatch(/^-?\d+(?:\.\d+)?$/)
  const scale = format === 'percent' ? 100 : 1
  const places = plain.split('.')[1]?.length ?? 0
  return { value: Number(plain) / scale, slack: (0.5 * 10 ** -places + 1e-9) / scale }
}

function at(evaluation: Evaluation, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>((value, name) => (value as Record<string, unknown> | undefined)?.[name], evaluation)
}

interface Shown {
  readonly path: string
  readonly format: string | null
  readonly text: string
}

/** Opens the file at one width and says what went on. */
async function opened(
  path: string,
  width: number,
): Promise<{ page: Page; requests: string[]; said: string[] }> {
  const page = await browser.newPage({ viewport: { width, height: 900 } })
  const requests: string[] = []
  const said: string[] = []
  page.on('request', (request) => requests.push(request.url()))
  page.on('console', (message) => said.push(message.text()))
  page.on('pageerror', (error) => said.push(String(error)))
  await page.goto(pathToFileURL(path).href)
  return { page, requests, said }
}

describe.each([1280, 390])('at %i pixels', (width) => {
  test('EVALUATE-64 the report loads nothing, says nothing and does not scroll sideways', async () => {
    const path = `${made.folder}/index.html`
    const { page, requests, said } = await opened(path, width)
    expect(requests).toEqual([pathToFileURL(path).href])
    expect(said).toEqual([])
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width)
    expect(await page.locator('script, link, img, iframe, [src]').count()).toBe(0)
    await page.close()
  })

  test('EVALUATE-64 every plot has a title, a description, labelled axes and a legend, and cuts no text off', async () => {
    const { page } = await opened(`${made.folder}/index.html`, width)
    const plots = await page.locator('figure.chart').evaluateAll((figures) =>
      figures.map((figure) => {
        const svg = figure.querySelector('svg') as SVGElement
        const box = svg.getBoundingClientRect()
        const names = (svg.getAttribute('aria-labelledby') ?? '').split(' ')
        const texts = [...svg.querySelectorAll('text')]
        return {
          id: figure.id,
          role: svg.getAttribute('role'),
          names: names.map((id) => document.getElementById(id)?.textContent ?? ''),
          labels: [...svg.querySelectorAll('.axis > .label')].map((label) => label.textContent ?? ''),
          ticks: ['x', 'y'].map((axis) => svg.querySelectorAll(`.axis.${axis} .tick`).length),
          legend: figure.querySelectorAll('.legend li').length,
          cut: texts
            .filter((text) => {
              const { left, right, top, bottom } = text.getBoundingClientRect()
              return (
                left < box.left - 1 || right > box.right + 1 || top < box.top - 1 || bottom > box.bottom + 1
              )
            })
            .map((text) => text.textContent),
          small: texts.some((text) => text.getBoundingClientRect().height < 8),
        }
      }),
    )
    expect(plots.length).toBeGreaterThan(12)
    expect(plots.map(({ id }) => id)).toEqual(
      expect.arrayContaining([
        'det-asymmetric',
        'det-hamming',
        'linkage-system',
        'inversion-cosine',
        'frontier-cosine',
      ]),
    )
    for (const plot of plots) {
      expect(plot, plot.id).toMatchObject({ role: 'img', cut: [], small: false })
      expect(plot.names.filter((name) => name.length > 10)).toHaveLength(2)
      expect(plot.labels.filter((label) => label.length > 3)).toHaveLength(2)
      expect(Math.min(...plot.ticks), plot.id).toBeGreaterThan(1)
      expect(plot.legend).toBeGreaterThan(0)
    }
    await page.close()
  })

  test('EVALUATE-64 labels of an axis do not lie on each other', async () => {
    const { page } = await opened(`${made.folder}/index.html`, width)
    const overlaps = await page.locator('figure.chart svg .axis').evaluateAll((axes) =>
      axes.flatMap((axis) => {
        const boxes = [...axis.querySelectorAll('text')].map((text) => text.getBoundingClientRect())
        return boxes.flatMap((a, i) =>
          boxes
            .slice(i + 1)
            .filter(
              (b) =>
                a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 2 && b.top < a.bottom - 2,
            )
            .map(() => axis.closest('figure')?.id),
        )
      }),
    )
    expect(overlaps).toEqual([])
    await page.close()
  })
})

test('EVALUATE-65 every number that a table shows is that of the file', async () => {
  const { page } = await opened(`${made.folder}/index.html`, 1280)
  const values: Shown[] = await page.locator('[data-path]').evaluateAll((spans) =>
    spans.map((span) => ({
      path: (span as HTMLElement).dataset['path'] ?? '',
      format: (span as HTMLElement).dataset['format'] ?? null,
      text: span.textContent ?? '',
    })),
  )
  expect(values.length).toBeGreaterThan(1500)
  const { evaluation } = made
  for (const { path, format, text } of values) {
    const value = at(evaluation, path)
    if (format === null) expect(text, path).toBe(value)
    else if (text === '–') expect(value, path).toBeNull()
    else {
      const { value: read, slack } = parsed(text, format)
      expect(typeof value, path).toBe('number')
      expect(Math.abs(read - (value as number)), path).toBeLessThanOrEqual(slack)
    }
  }
  const loose = await page.locator('td').evaluateAll((cells) =>
    cells
      .map((cell) => {
        const copy = cell.cloneNode(true) as HTMLElement
        for (const span of copy.querySelectorAll('[data-path]')) span.remove()
        return copy.textContent ?? ''
      })
      .filter((text) => /\d/.test(text)),
  )
  expect(new Set(loose)).toEqual(new Set(['0.1 %', '0.01 %']))
  await page.close()
})

test('EVALUATE-65 a number that is not of the file would be seen', () => {
  const { value, slack } = parsed(shown(0.00452, 'percent'), 'percent')
  expect(Math.abs(value - 0.00452)).toBeLessThanOrEqual(slack)
  expect(Math.abs(value - 0.00453)).toBeGreaterThan(slack)
  expect(parsed(shown(308_100, 'count'), 'count')).toMatchObject({ value: 308_100 })
  expect(parsed(shown(-0.0123, 'decimal'), 'decimal').value).toBe(-0.0123)
  expect(parsed(shown(1.5e-5, 'percent'), 'percent').value).toBeCloseTo(1.5e-5, 12)
  expect(parsed(shown(43_975, 'milliseconds'), 'milliseconds').value).toBe(43_975)
})

test('EVALUATE-61 the file has its format, every section, and its fields in order', () => {
  const { evaluation, json, folder: out } = made
  expect(readFileSync(`${out}/evaluation.json`, 'utf8')).toBe(json)
  expect(
    encodeEvaluation(Object.fromEntries(Object.entries(evaluation).reverse()) as never as Evaluation),
  ).toBe(json)
  expect(Object.keys(evaluation)).toEqual(
    'format guise runtime command startedAt durationMs dataset synthetic model dimensions subjects samples suite seed protocol verification linkage inversion drill cost'.split(
      ' ',
    ),
  )
  expect(evaluation).toMatchObject({
    format: 'guise-evaluation/1',
    subjects: 80,
    samples: 240,
    seed: 'evaluate',
  })
  expect(evaluation.verification?.ways).toHaveLength(5)
  expect(evaluation.drill?.thefts).toHaveLength(12)
  expect(evaluation.cost).toMatchObject({ codeBytes: 8, enrollMs: { samples: 200 } })
})

test('EVALUATE-62 neither file holds subjects, vectors or single scores', () => {
  for (const name of ['evaluation.json', 'index.html']) {
    const text = readFileSync(`${made.folder}/${name}`, 'utf8')
    expect(text).not.toMatch(/synthetic-\d/)
    expect(text).not.toContain('resident-')
  }
  const longest = (value: unknown): number =>
    Array.isArray(value)
      ? Math.max(value.length, 0, ...value.map(longest))
      : typeof value === 'object' && value !== null
        ? Math.max(0, ...Object.values(value).map(longest))
        : 0
  // 100 parts, at most 400 steps; no list has as many entries as there are samples or comparisons.
  expect(longest(made.evaluation)).toBeLessThanOrEqual(400)
})

test('EVALUATE-66 texts of others are shown, not obeyed', async () => {
  const bad = '"><script>alert(1)</script><img src=x onerror=alert(2)>'
  const evaluation = {
    ...made.evaluation,
    dataset: bad,
    command: `guise evaluate --data '${bad}'`,
    protocol: [bad, 'a\u202Eb\u0007'],
  }
  const path = folder.at('bad.html')
  writeFileSync(path, renderReport(evaluation))
  const { page, requests, said } = await opened(path, 1280)
  expect(await page.locator('h1').textContent()).toBe(`Face templates evaluated: ${bad}`)
  expect(await page.locator('script, img').count()).toBe(0)
  expect([requests.length, said]).toEqual([1, []])
  expect(await page.locator('#provenance').textContent()).toContain('a\uFFFDb\uFFFD')
  const policy = await page.locator('meta[http-equiv]').getAttribute('content')
  expect(policy).toBe("default-src 'none'; style-src 'unsafe-inline'")
  await page.close()
  expect(String(markup`<p title="${'"\'&<>'}">${[markup`<b>`, '<i>']}</p>`)).toBe(
    '<p title="&quot;&#39;&amp;&lt;&gt;"><b>&lt;i&gt;</p>',
  )
})

test('EVALUATE-63 what was not measured is null, said in the report, and has no section', async () => {
  const { evaluation, folder: out } = await onlyDrill()
  expect(evaluation).toMatchObject({ verification: null, linkage: null, inversion: null, subjects: 80 })
  expect(evaluation.protocol.slice(0, 3)).toEqual([
    'Not asked for: accuracy.',
    'Not asked for: unlinkability.',
    'Not asked for: inversion.',
  ])
  const { page } = await opened(`${out}/index.html`, 390)
  expect(await page.locator('#summary').textContent()).toContain(
    'Not measured: accuracy, unlinkability, inversion and revocation.',
  )
  expect(await page.locator('section').evaluateAll((all) => all.map(({ id }) => id))).toEqual([
    'summary',
    'thefts',
    'cost',
    'provenance',
  ])
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390)
  await page.close()
})

async function onlyDrill(): Promise<{ readonly evaluation: Evaluation; readonly folder: string }> {
  const out = folder.at('only-drill')
  const words = ['--data', folder.at('people'), '--out', out, '--only', 'drill', '--people', '12', '--json']
  const result = await ran(evaluateCommand, words)
  expect(result.code).toBe(0)
  const evaluation = JSON.parse(result.out) as Evaluation
  // The data set, not the twelve who were robbed.
  expect(evaluation).toMatchObject({ subjects: 80, samples: 240, drill: { subjects: 12 } })
  return { evaluation, folder: out }
}

test('EVALUATE-67 files that are there stay, unless --force; a failure leaves none', async () => {
  const before = readFileSync(`${made.folder}/evaluation.json`, 'utf8')
  const words = ['--data', folder.at('people'), '--only', 'drill', '--people', '12']
  const refused = await ran(evaluateCommand, [...words, '--out', made.folder])
  expect(refused.code).toBe(2)
  expect(refused.err).toContain('--out has evaluation.json already; --force replaces it')
  expect(readFileSync(`${made.folder}/evaluation.json`, 'utf8')).toBe(before)
  expect(readdirSync(made.folder).sort()).toEqual(['evaluation.json', 'index.html'])
  mkdirSync(folder.at('taken'))
  mkdirSync(`${folder.at('taken')}/index.html`)
  const failed = await ran(evaluateCommand, [...words, '--out', folder.at('taken'), '--force'])
  expect(failed.code).toBe(1)
  expect(readdirSync(folder.at('taken'))).not.toContain('evaluation.json')
  const nowhere = await ran(evaluateCommand, ['--data', folder.at('nowhere'), '--out', folder.at('none')])
  expect(nowhere).toMatchObject({ code: 1, err: expect.stringMatching(/^ERR_DATASET_FILE: /) })
  expect(existsSync(folder.at('none'))).toBe(false)
}, 60_000)

test.each([
  [['--bits', '100'], '--bits is one of'],
  [['--only', 'all'], '--only is of verification'],
  [['--pairs', '0'], '--pairs is a number'],
  [['--people', '9'], '--people is a whole number'],
  [['--nothing'], 'Usage: guise evaluate'],
  [['--synthetic', '9,2,64'], 'give --data or --synthetic'],
])('%j is wrong usage', async (words, why) => {
  const { code, err } = await ran(evaluateCommand, ['--data', 'x', '--out', folder.at('y'), ...words])
  expect(code).toBe(2)
  expect(err).toContain(why)
  expect((await ran(evaluateCommand, words)).code).toBe(2)
})

test('people who do not exist are measured without a file, and said to be', async () => {
  const out = folder.at('nobody')
  const words = [
    '--out',
    out,
    '--card',
    folder.at('card.md'),
    '--only',
    'verification',
    '--bits',
    '64',
    '--json',
  ]
  const { code, out: json } = await ran(evaluateCommand, ['--synthetic', '30,3,64', ...words])
  expect(code).toBe(0)
  expect(JSON.parse(json)).toMatchObject({ synthetic: true, subjects: 30, samples: 90, dimensions: 64 })
  expect(readFileSync(folder.at('card.md'), 'utf8')).toContain(
    '| synthetic people (synthetic: no evidence about faces) | 64 |',
  )
  const wrong = await ran(evaluateCommand, ['--synthetic', '30,3', '--out', folder.at('z')])
  expect(wrong).toMatchObject({
    code: 2,
    err: expect.stringContaining('--synthetic is SUBJECTS,SAMPLES,DIMENSIONS'),
  })
})

test('--help is no failure; quartiles are values that were measured', async () => {
  expect(await ran(evaluateCommand, ['--help'])).toMatchObject({ code: 0, err: '' })
  expect(quartiles([4, 1, 3, 2])).toEqual({ low: 1, median: 2, high: 3, samples: 4 })
})

test('records for the law show the figures of the file, and say where each stands', async () => {
  const { evaluation } = made
  const { keyring, store } = await testVault()
  const records = await processingRecords({ keyring, store, evaluation })
  const lines = figureLines(records, evaluation)
  expect(lines.length).toBeGreaterThan(30)
  for (const { path, value, found } of lines) {
    expect(found, path).toBeDefined()
    const figures = [...JSON.stringify(found).matchAll(/-?\d[\d.e+-]*/g)].map(([text]) => Number(text))
    for (const [text] of value.matchAll(/(?<![\w.])\d\.\d+(?![\d.])/g)) {
      if (path.startsWith('evaluation.startedAt')) continue
      const near = figures.some((figure) => Number(figure.toPrecision(4)) === Number(text))
      expect(near, `${path}: ${text}`).toBe(true)
    }
  }
  const paths = lines.map(({ path }) => path)
  for (const part of ['verification', 'linkage', 'inversion', 'drill'])
    expect(paths.some((path) => path.startsWith(`evaluation.${part}`))).toBe(true)
  expect(paths.some((path) => path.includes('.groups['))).toBe(true)
})
