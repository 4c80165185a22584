/** A browser with a fake camera before the example's server, for the tests of one file. @module */
import process from 'node:process'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright'
import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import { temporaryFolder } from '../unit/cli-support.ts'
import { writeClip } from './clip.ts'
import { type RunningExample, startExample } from './running.ts'

export interface ExampleBrowser {
  /** Opens a page of the example once it is ready. */
  readonly opened: (path: string, width?: number) => Promise<Page>
  readonly example: () => RunningExample
}

/** Starts and ends with the file; after every test no page may have said anything on its console. */
export function exampleBrowser(): ExampleBrowser {
  const folder = temporaryFolder()
  const said: string[] = []
  let example: RunningExample
  let browser: Browser
  let context: BrowserContext

  beforeAll(async () => {
    const clip = folder.at('person.y4m')
    writeClip(clip, 60, 7)
    browser = await chromium.launch({
      executablePath: process.env['GUISE_CHROMIUM'] ?? '/usr/bin/chromium',
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--use-fake-ui-for-media-stream',
        '--use-fake-device-for-media-stream',
        `--use-file-for-fake-video-capture=${clip}`,
      ],
    })
    example = await startExample()
    context = await browser.newContext()
  }, 60_000)
  afterEach(() => {
    expect(said.splice(0)).toEqual([])
  })
  afterAll(async () => {
    await browser?.close()
    expect(await example?.stop()).toBe(0)
  })

  const opened = async (path: string, width = 1280): Promise<Page> => {
    const page = await context.newPage()
    await page.setViewportSize({ width, height: 900 })
    page.on('console', (message) => said.push(message.text()))
    page.on('pageerror', (error) => said.push(String(error)))
    page.on('requestfailed', (request) => said.push(`failed: ${request.url()}`))
    await page.goto(new URL(path, example.address).href)
    await page.locator('html[data-ready=true]').waitFor()
    return page
  }
  return { opened, example: () => example }
}
