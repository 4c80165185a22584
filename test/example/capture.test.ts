/** The example of docs/capture.md in a browser: its pages and its attacks (SPEC §20). @module */
import type { Page } from 'playwright'
import { describe, expect, test } from 'vitest'
import { exampleBrowser } from './browser.ts'

const { opened, example } = exampleBrowser()

async function answered(page: Page, button: string): Promise<string> {
  await page.click(button)
  await page.locator('#enroll:enabled').waitFor()
  return (await page.textContent('#answer')) ?? ''
}

describe('the page', { timeout: 60_000 }, () => {
  test('a capture goes from the camera to a decision', async () => {
    const page = await opened('/')
    expect(await answered(page, '#camera')).toBe('nothing was sent yet')
    // Nobody knows the key yet.
    expect(await answered(page, '#verify')).toBe('refused')
    expect(example().lines.at(-1)).toBe('refused: device')
    expect(await answered(page, '#enrol-device')).toBe('this device is enrolled')
    expect(await answered(page, '#enroll')).toBe('enrolled')
    expect(await answered(page, '#verify')).toBe('match')
    expect(await page.locator('#steps li').count()).toBe(4)
    await page.close()
  })

  test('every answer forbids inline scripts, eval, WebAssembly and other hosts', async () => {
    for (const path of ['/', '/attacks.html', '/guise/capture.js', '/nothing']) {
      const { headers } = await fetch(new URL(path, example().address))
      const policy = headers.get('content-security-policy') ?? ''
      expect(policy).toMatch(/^default-src 'none'; script-src 'self' 'sha256-[\w+/]{43}='; /)
      expect(policy).not.toMatch(/unsafe|https?:|\*/)
    }
    // Neither the server's own file nor what lies around it, and only from this page.
    for (const path of [
      '/server.js',
      '/guise/../package.json',
      '/modules/pg/lib/index.js',
      '/%2e%2e/capture.md',
    ])
      expect((await fetch(new URL(path, example().address))).status).toBe(404)
    const other = { method: 'POST', headers: { origin: 'http://127.0.0.1:1' } }
    expect((await fetch(new URL('/api/device', example().address), other)).status).toBe(403)
  })

  test('the key stays in the browser, and nobody can read it', async () => {
    const first = await opened('/')
    const id = await first.textContent('#device')
    const exported = await first.evaluate(async () => {
      const open = indexedDB.open('guise-capture-example')
      await new Promise((resolve) => {
        open.onsuccess = resolve
      })
      const kept = open.result.transaction('keys').objectStore('keys').get('device')
      await new Promise((resolve) => {
        kept.onsuccess = resolve
      })
      const { privateKey } = kept.result as CryptoKeyPair
      open.result.close()
      return crypto.subtle.exportKey('pkcs8', privateKey).then(
        () => 'exported',
        (error: DOMException) => error.name,
      )
    })
    expect(exported).toBe('InvalidAccessError')
    await first.close()
    const second = await opened('/')
    expect(await second.textContent('#device')).toBe(id)
    await second.close()
  })

  test.each([
    ['/', 1280, 'light'],
    ['/', 390, 'dark'],
    ['/attacks.html', 1280, 'dark'],
    ['/attacks.html', 390, 'light'],
  ] as const)(
    '%s at %i pixels, %s: nothing is cut off, everything has a name and enough contrast',
    async (path, width, scheme) => {
      const page = await opened(path, width)
      await page.emulateMedia({ colorScheme: scheme })
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width)
      const controls = await page.locator('button, input, video, nav').evaluateAll((elements) =>
        elements.map((element) => {
          const labels = (element as HTMLInputElement).labels
          return labels?.[0]?.textContent ?? element.getAttribute('aria-label') ?? element.textContent
        }),
      )
      expect(controls.length).toBeGreaterThan(5)
      for (const name of controls) expect(name?.trim()).toMatch(/\w/)
      for (const [front, back] of await coloursOf(page))
        expect(contrast(front, back), `${front} on ${back}`).toBeGreaterThanOrEqual(4.5)
      await page.close()
    },
  )
})

type Colour = readonly [red: number, green: number, blue: number]

/** Of every element with text of its own: its colour, and that of what is behind it. */
function coloursOf(page: Page): Promise<(readonly [Colour, Colour])[]> {
  return page.locator('body *:not(script)').evaluateAll((elements) => {
    const numbers = (text: string) => (text.match(/[\d.]+/g) ?? []).map(Number)
    const behind = (element: Element | null): number[] => {
      if (element === null) return [255, 255, 255]
      const [red = 0, green = 0, blue = 0, alpha = 1] = numbers(getComputedStyle(element).backgroundColor)
      return alpha === 1 ? [red, green, blue] : behind(element.parentElement)
    }
    return elements
      .filter((element) =>
        [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent?.trim()),
      )
      .map((element) => [numbers(getComputedStyle(element).color), behind(element)] as never)
  })
}

/** WCAG 2.2, contrast ratio. */
function contrast(front: Colour, back: Colour): number {
  const light = (colour: Colour): number => {
    const [red, green, blue] = colour.map((value) => {
      const part = value / 255
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
    }) as [number, number, number]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
  }
  const [low, high] = [light(front), light(back)].toSorted((a, b) => a - b) as [number, number]
  return (high + 0.05) / (low + 0.05)
}

describe('the attacks', { timeout: 60_000 }, () => {
  /** By the name of the button: why the operator reads that it was refused. */
  const REASONS = {
    'replayed-capture': 'challenge',
    'replayed-clip': 'repeated',
    'altered-vector': 'probe',
    'altered-bit': 'sealed',
    'wrong-purpose': 'binding',
    'stolen-statement': 'binding',
    'sealed-anew': 'redirected',
    'unknown-device': 'device',
  } as const

  test('CAPTURE-37 each is refused for its own reason, and all look the same', async () => {
    const page = await opened('/attacks.html')
    expect(await run(page, 'honest')).toBe('{"outcome":"match"}')
    for (const [name, reason] of Object.entries(REASONS)) {
      expect(await run(page, name), name).toBe('{"outcome":"refused"}')
      expect(example().lines.at(-1), name).toBe(`refused: ${reason}`)
    }
    // Nothing is wrong with it, but that it is too good.
    expect(await run(page, 'near-repeat')).toBe('{"outcome":"second-factor"}')
    await page.close()
  })

  test('all at once, an old question too', async () => {
    const page = await opened('/attacks.html')
    await page.click('#all')
    await page.locator('#all:enabled').waitFor()
    expect(await page.textContent('#summary')).toBe('11 of 11 as they should be')
    const answers = await page
      .locator('#attacks output')
      .evaluateAll((outputs) => outputs.map((output) => (output as HTMLElement).dataset['answer']))
    expect(new Set(answers.slice(1, -1))).toEqual(new Set(['{"outcome":"refused"}']))
    await page.close()
  })

  async function run(page: Page, name: string): Promise<string> {
    await page.click(`#${name}`)
    await page.locator(`#${name}:enabled`).waitFor()
    const output = page.locator(`#${name} + output`)
    return (await output.getAttribute('data-answer')) ?? (await output.textContent()) ?? ''
  }
})
