import { readFileSync } from 'node:fs'
import { afterEach, expect, test, vi } from 'vitest'

const calls: (readonly string[])[] = []

afterEach(() => {
  vi.doUnmock('../../src/cli/demo.ts')
  vi.doUnmock('../../src/cli/calibrate.ts')
  vi.doUnmock('../../src/cli/import.ts')
  vi.restoreAllMocks()
  calls.length = 0
})

/** Runs main.ts as a process would, and puts everything back. */
async function main(...argv: string[]): Promise<{ code: unknown; out: string; err: string }> {
  const before = process.argv
  let out = ''
  let err = ''
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    out += String(text)
    return true
  })
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    err += String(text)
    return true
  })
  vi.resetModules()
  const listeners = process.stdout.listeners('error')
  process.argv = ['node', 'guise', ...argv]
  try {
    await import('../../src/cli/main.ts')
    return { code: process.exitCode, out, err }
  } finally {
    process.argv = before
    process.exitCode = undefined
    for (const listener of process.stdout.listeners('error')) {
      if (!listeners.includes(listener)) process.stdout.off('error', listener as () => void)
    }
    vi.restoreAllMocks()
  }
}

test.each([[[]], [['--help']], [['-h']], [['help']]])('%j prints the usage', async (argv) => {
  const { code, out } = await main(...argv)
  expect(code).toBe(0)
  expect(out).toMatch(/^Usage: guise <command>/)
})

test('--version prints that of the package', async () => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }
  expect(await main('--version')).toEqual({ code: 0, out: `${version}\n`, err: '' })
})

test('an unknown command is wrong usage', async () => {
  const { code, out, err } = await main('enrol')
  expect([code, out]).toEqual([2, ''])
  expect(err).toMatch(/^unknown command [\w-]+\n\nUsage: guise/)
})

test.each(['demo', 'audit', 'holder', 'keys', 'calibrate', 'import', 'fsck', 'status'])(
  '%s --help prints its usage',
  async (name) => {
    const { code, out, err } = await main(name, '--help')
    expect([code, err]).toEqual([0, ''])
    expect(out).toMatch(new RegExp(`^Usage: guise ${name} `))
    expect(Math.max(...out.split('\n').map((line) => line.length))).toBeLessThanOrEqual(120)
  },
)

test('the words after the command are its own, and its code is the exit code', async () => {
  expect(await main('keys', 'rotate')).toMatchObject({ code: 2, out: '' })
  vi.doMock('../../src/cli/demo.ts', () => ({
    demoCommand: async (argv: readonly string[]) => {
      calls.push(argv)
      return 1
    },
  }))
  expect(await main('demo', '--people', '3')).toMatchObject({ code: 1 })
  expect(calls).toEqual([['--people', '3']])
})

test('without lmdb a command says what to install; any other fault is thrown', async () => {
  const missing = new Error(
    "Cannot find package 'lmdb' imported from /app/node_modules/guise/dist/store/lmdb.js",
  )
  const mock = (error: unknown): void => {
    vi.doMock('../../src/cli/import.ts', () => ({
      get importCommand(): never {
        throw error
      },
    }))
  }
  mock(missing)
  expect(await main('import')).toEqual({
    code: 1,
    out: '',
    err: 'This command needs the package lmdb beside guise: npm install lmdb\n',
  })
  for (const error of [new Error('Cannot find package cborg'), 'text']) {
    mock(error)
    await expect(main('import')).rejects.toThrow()
  }
})
