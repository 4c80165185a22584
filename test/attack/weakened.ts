/** Builds of the library that are weakened on purpose, and the tests that must notice (SPEC §15.7). @module */
/// <reference types="node" />

import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { compile, type Mutation } from '../fault/compile.ts'

/** A test by its file below test/ and a part of its title. */
export interface Detector {
  readonly file: string
  readonly title: string
}

export interface Weakness {
  readonly name: string
  readonly mutations: readonly Mutation[]
  /** Each of them must fail. */
  readonly detectors: readonly Detector[]
}

const DETECTORS = 'attack/detectors.test.ts'
const REPLAY = 'attack/replay.test.ts'

export const WEAKNESSES: readonly Weakness[] = [
  {
    name: 'no mask',
    mutations: [
      {
        file: 'src/template/template.ts',
        from: 'code[i] = (code[i] as number) ^ (mask[i] as number)',
        to: 'code[i] = code[i] as number',
      },
    ],
    detectors: [
      { file: DETECTORS, title: 'B02 with the rotation and without the mask' },
      { file: 'spec/template.test.ts', title: 'TEMPLATE-1 the code is the signs XOR' },
    ],
  },
  {
    name: 'one rotation key for a whole realm',
    mutations: [
      {
        file: 'src/seal/code.ts',
        from: 'code = makeCode(keys.subarray(0, KEY_BYTES))',
        to: 'code = makeCode(new Uint8Array(KEY_BYTES).fill(7))',
      },
      {
        file: 'src/seal/code.ts',
        from: 'return use(opened.subarray(KEY_BYTES), opened.subarray(0, KEY_BYTES))',
        to: 'return use(opened.subarray(KEY_BYTES), new Uint8Array(KEY_BYTES).fill(7))',
      },
    ],
    detectors: [{ file: DETECTORS, title: 'B10 codes that two records' }],
  },
  {
    name: 'one round',
    mutations: [{ file: 'src/transform/suite.ts', from: 'rounds: 4', to: 'rounds: 1' }],
    detectors: [
      { file: DETECTORS, title: 'B09 B4 is not one round' },
      { file: 'spec/transform.test.ts', title: 'TRANSFORM-1 a known answer' },
    ],
  },
  {
    name: 'scores in answers',
    mutations: [
      {
        file: 'src/vault/compare-template.ts',
        from: 'return use(sum, energy)',
        to: 'globalThis.leaked = sum; return use(sum, energy)',
      },
      {
        file: 'src/vault/answer.ts',
        from: 'return { outcome }',
        to: 'return { outcome, score: globalThis.leaked }',
      },
    ],
    detectors: [{ file: DETECTORS, title: 'B12 an answer holds its outcome' }],
  },
  {
    name: 'a score that is exported',
    mutations: [
      { file: 'src/index.ts', from: 'export {', to: "export { score } from './compare/score.ts'\nexport {" },
    ],
    detectors: [{ file: 'spec/compare.test.ts', title: 'COMPARE-2 the decision is one bit' }],
  },
  {
    name: 'randomness from a seed',
    mutations: [
      {
        file: 'src/crypto/random.ts',
        from: 'let next = POOL_BYTES',
        to: 'let next = POOL_BYTES; let seed = 1; const seeded = (out) => { for (let i = 0; i < out.length; i++) { seed = (Math.imul(seed, 1103515245) + 12345) | 0; out[i] = seed >>> 16 } }',
      },
      {
        file: 'src/crypto/random.ts',
        from: 'globalThis.crypto.getRandomValues(pool)',
        to: 'seeded(pool)',
      },
    ],
    detectors: [{ file: DETECTORS, title: 'B01 every random byte' }],
  },
  {
    name: 'captures of anybody, and no tripwire',
    mutations: [
      {
        file: 'src/vault/sample.ts',
        from: 'if (capture.subject !== subject)',
        to: 'if (capture.subject === null)',
      },
      {
        file: 'src/vault/verify.ts',
        from: 'const tripwire = factor ? undefined : provenance.tripwire',
        to: 'const tripwire = undefined',
      },
    ],
    detectors: [
      { file: REPLAY, title: 'B21 what was enrolled, with one number changed' },
      { file: REPLAY, title: 'B21 a statement of one subject or purpose' },
    ],
  },
  {
    name: 'probes that serve again',
    mutations: [
      {
        file: 'src/capture/opening.ts',
        from: "{ step: 'put', table: TABLE, key: current, bytes: NOTHING, expected: null },",
        to: '',
      },
    ],
    detectors: [{ file: REPLAY, title: 'B21 a capture is accepted once' }],
  },
]

const root = fileURLToPath(new URL('../..', import.meta.url))
const ENTRIES = ['node', 'capture', 'lmdb', 'postgres', 'holder', 'evaluate', 'audit', 'otel', 'testing']

/** Titles of tests that passed and of tests that failed. */
export interface Outcome {
  readonly passed: readonly string[]
  readonly failed: readonly string[]
}

/** Runs files of tests against a build that is made from the source with mutations. */
export async function runAgainst(mutations: readonly Mutation[], files: readonly string[]): Promise<Outcome> {
  const build = compile({ folders: ['src'], mutation: mutations })
  const folder = mkdtempSync(join(root, 'node_modules', '.cache', 'weakened-'))
  try {
    const config = join(folder, 'vitest.config.mjs')
    const report = join(folder, 'report.json')
    writeFileSync(config, configText(build, files, report))
    await finish([config])
    return outcomeOf(readFileSync(report, 'utf8'))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function configText(build: string, files: readonly string[], report: string): string {
  const entry = (name: string): string => JSON.stringify(join(build, 'src', `${name}.js`))
  const alias = [
    ...ENTRIES.map((name) => `{ find: /^guise\\/${name}$/, replacement: ${entry(name)} }`),
    `{ find: /^guise$/, replacement: ${entry('index')} }`,
    `{ find: /^(?:\\.\\.\\/)+src\\/(.*)\\.ts$/, replacement: ${JSON.stringify(`${build}/src/`)} + '$1.js' }`,
  ]
  return `export default {
    root: ${JSON.stringify(root)},
    resolve: { alias: [${alias.join(', ')}] },
    test: {
      include: ${JSON.stringify(files.map((file) => `test/${file}`))},
      pool: 'forks',
      maxWorkers: 1,
      reporters: ['json'],
      outputFile: ${JSON.stringify(report)},
      testTimeout: 60_000,
    },
  }\n`
}

/** A run that fails is what is wanted of it; one that cannot start leaves no report. */
function finish([config = '']: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs')
    const env = { ...process.env, VITEST: undefined, VITEST_WORKER_ID: undefined, VITEST_POOL_ID: undefined }
    const child = spawn(process.execPath, [vitest, 'run', '--config', config], {
      cwd: root,
      env: Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined)),
      stdio: 'ignore',
    })
    child.once('error', reject)
    child.once('exit', () => resolve())
  })
}

function outcomeOf(report: string): Outcome {
  const { testResults } = JSON.parse(report) as {
    readonly testResults: readonly {
      readonly assertionResults: readonly { readonly status: string; readonly title: string }[]
    }[]
  }
  const all = testResults.flatMap(({ assertionResults }) => assertionResults)
  const titles = (wanted: string): readonly string[] =>
    all.filter(({ status }) => status === wanted).map(({ title }) => title)
  return { passed: titles('passed'), failed: titles('failed') }
}
