/** Test projects: node (default), slow, services (with their frameworks), browser, vectors (writes them). GUISE_TEST_DIST=1 proves dist instead of src. @module */
import { fileURLToPath } from 'node:url'
import { playwright } from '@vitest/browser-playwright'
import { defineConfig } from 'vitest/config'
import { TallyReporter } from './reporter.ts'
import { readmeExamples } from './tidy/readme.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const entries = [
  'node',
  'lmdb',
  'postgres',
  'holder',
  'capture',
  'evaluate',
  'audit',
  'quorum',
  'otel',
  'kms',
  'pkcs11',
  'testing',
]
const fromDist = process.env['GUISE_TEST_DIST'] === '1'

function entryFile(name: string): string {
  return `${root}${fromDist ? `dist/${name}.js` : `src/${name}.ts`}`
}

const resolve = {
  alias: [
    ...entries.map((name) => ({ find: new RegExp(`^guise/${name}$`), replacement: entryFile(name) })),
    { find: /^guise$/, replacement: entryFile('index') },
    // Examples import what their readers have.
    { find: /^@aws-sdk\/client-kms$/, replacement: `${root}test/support/aws-sdk.ts` },
    // White-box tests follow the same switch, so that a class is never loaded twice.
    ...(fromDist ? [{ find: /^(?:\.\.\/)+src\/(.*)\.ts$/, replacement: `${root}dist/$1.js` }] : []),
  ],
}

/** Where a branch that no test takes is a hole in the vault. */
const core = ['base', 'crypto', 'embedding', 'transform', 'template', 'compare', 'seal', 'record', 'audit']
const slow = ['test/**/*.slow.test.ts']
/** What does not depend on the engine: figures of the same integers, texts, the tree. GUISE_TEST_FIGURES=0 leaves it out. */
const figures = [
  'test/attack/shard.test.ts',
  'test/attack/suite-*.test.ts',
  'test/attack/weakened.test.ts',
  'test/report/*.test.ts',
  'test/spec/evaluate-{inversion,linkage,preimage,sanity}.test.ts',
  'test/tidy/!(readme).test.ts',
  'test/unit/cli-docs.test.ts',
]
/** Needs what .ci/services.mjs installs. */
const services = ['test/services/**/*.test.ts']
const without = process.env['GUISE_TEST_FIGURES'] === '0' ? [...slow, ...figures] : slow
/** Bundled before the first test: a browser that meets a dependency halfway reloads the page. */
const bundled = [
  '@noble/curves/ed25519.js',
  '@noble/hashes/argon2.js',
  '@noble/hashes/hkdf.js',
  '@noble/hashes/hmac.js',
  '@noble/hashes/sha2.js',
  '@noble/hashes/sha3-addons.js',
  'cborg',
  'fast-check',
  'hpke',
  'libsodium-wrappers',
]
const browser = ['test/runtime/**/*.test.ts', 'test/vectors/**/*.test.ts']

export default defineConfig({
  root,
  resolve,
  test: {
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts'],
      // Its compiled files say that they come from a folder of the same name.
      exclude: ['bench/**'],
      reporter: ['text-summary', 'json-summary', 'json'],
      reportsDirectory: 'coverage',
      thresholds: {
        branches: 95,
        functions: 95,
        lines: 95,
        statements: 95,
        ...Object.fromEntries(core.map((folder) => [`src/${folder}/**`, { branches: 100 }])),
      },
    },
    reporters: ['default', new TallyReporter()],
    projects: [
      {
        root,
        resolve,
        plugins: [readmeExamples(root)],
        test: {
          name: 'node',
          // Examples and commands work in a folder of their own, which only a process has.
          pool: 'forks',
          include: ['test/**/*.test.ts'],
          exclude: ['**/node_modules/**', ...services, ...without],
          testTimeout: 20_000,
          hookTimeout: 20_000,
          maxWorkers: 2,
        },
      },
      {
        root,
        resolve,
        test: {
          name: 'slow',
          include: slow,
          testTimeout: 1_800_000,
          hookTimeout: 600_000,
          maxWorkers: 2,
        },
      },
      {
        root,
        resolve,
        test: {
          name: 'services',
          pool: 'forks',
          include: services,
          maxWorkers: 2,
        },
      },
      {
        root,
        resolve,
        test: {
          name: 'vectors',
          include: ['test/vectors/**/*.generate.ts'],
          testTimeout: 600_000,
          maxWorkers: 1,
        },
      },
      {
        root,
        resolve,
        optimizeDeps: { include: bundled },
        test: {
          name: 'browser',
          include: browser,
          exclude: ['**/node_modules/**', ...slow],
          testTimeout: 60_000,
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            provider: playwright({
              launchOptions: {
                executablePath: process.env['GUISE_CHROMIUM'] ?? '/usr/bin/chromium',
                args: [
                  '--no-sandbox',
                  '--disable-gpu',
                  '--disable-quic',
                  '--no-first-run',
                  '--disable-background-networking',
                  '--disable-component-update',
                  '--disable-sync',
                ],
              },
            }),
            instances: [{ browser: 'chromium' }],
          },
        },
      },
    ],
  },
})
