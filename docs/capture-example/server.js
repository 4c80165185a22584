// @ts-check
/**
 * The example's server: pages for a browser, a desk that asks and opens, a vault that decides. `node docs/capture-example/server.js [port]`.
 *
 * It listens on this machine only, keeps its realm in a folder that it removes at its end, and enrols whoever asks. Yours speaks TLS,
 * keeps keys and secrets, and knows who is logged in before it enrols a device or a face.
 */

import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { extname, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { createKeyring, GuiseError, logSigner, openVault, VaultError } from 'guise'
import { CaptureError, captureReason } from 'guise/capture'
import { calibrate } from 'guise/evaluate'
import { lmdbStore } from 'guise/lmdb'
import { localKeyProvider, openCaptureDesk } from 'guise/node'
import { syntheticPeople } from 'guise/testing'
import { model } from './model.js'

const REALM = 'example'
const PURPOSE = 'login'
/** A page needs a second; a minute is what a desk gives unless told otherwise. */
const CHALLENGE_MS = 10_000
const YEAR_MS = 365 * 86_400_000
const MOST_BYTES = 40_960

const here = fileURLToPath(new URL('.', import.meta.url))
/** Addresses under which a browser finds modules: nothing comes from another host. */
const FOLDERS = /** @type {const} */ ([
  ['/guise/', join(here, '../../dist/')],
  ['/modules/', join(here, '../../node_modules/')],
  ['/', here],
])
const MODULES = /^(?:@noble\/(?:curves|hashes)|cborg|hpke)\//
/** @type {ReadonlyMap<string, string>} */
const TYPES = new Map([
  ['.html', 'text/html; charset=utf-8'],
  ['.css', 'text/css; charset=utf-8'],
  ['.js', 'text/javascript; charset=utf-8'],
  ['.svg', 'image/svg+xml'],
])

const folder = mkdtempSync(join(tmpdir(), 'guise-capture-example-'))
const random = () => crypto.getRandomValues(new Uint8Array(32))

// The realm. All of this is yours to keep: the store, the provider's key, the seed of the log.
const store = await lmdbStore({ path: join(folder, 'vault') })
const provider = localKeyProvider({ path: join(folder, 'keys'), key: random() })
const keyring = await createKeyring({ realm: REALM, provider, store })
// Of people who do not exist: with your model, calibrate on your own (docs/calibrate.md).
const others = syntheticPeople({ seed: 'example', subjects: 130, samples: 2, dimensions: model.dimensions })
const { operatingPoint } = await calibrate(others, { model, falseMatchRate: 1e-4 })
const vault = await openVault({
  keyring,
  store,
  model,
  purpose: PURPOSE,
  operatingPoints: [operatingPoint],
  custody: { profile: 'operator' },
  logSigner: await logSigner('example.invalid/guise', random()),
})
const { desk, devices } = await openCaptureDesk(vault, {
  model,
  challengeMs: CHALLENGE_MS,
  policies: [
    // 128 numbers scatter: a template agrees with the vector that it was made of at 0.73 to 0.87, with another picture of the example at 0.45 to 0.73.
    { purpose: PURPOSE, liveness: 'not-needed', tripwire: 7300 },
    { purpose: 'newsletter', liveness: 'not-needed', intent: false },
  ],
})

/** @type {Record<string, (query: URLSearchParams, body: Uint8Array<ArrayBuffer>) => Promise<string | Uint8Array>>} */
const CALLS = {
  /** Yours: only when the person has proved who they are by other means. */
  '/api/device': async (_, publicKey) => {
    const key = /** @type {const} */ ({ algorithm: 'ES256', carrier: 'token', family: 'example page' })
    try {
      await devices.enroll({ ...key, publicKey })
    } catch (error) {
      // Known already.
      if (!(error instanceof CaptureError) || error.code !== 'ERR_CAPTURE_DEVICE') throw error
    }
    return ''
  },
  '/api/challenge': async (query) => {
    const [subject, purpose, device] = [
      given(query, 'subject'),
      given(query, 'purpose'),
      given(query, 'device'),
    ]
    return (await desk.challenge({ subject, purpose, device })).bytes
  },
  '/api/enroll': (query, sealed) => answered('enroll', query, sealed),
  '/api/verify': (query, sealed) => answered('verify', query, sealed),
}

/**
 * One answer to every refusal, whatever the reason; the reason is for the operator's eyes.
 *
 * @param {'enroll' | 'verify'} verb
 * @param {URLSearchParams} query
 * @param {Uint8Array} sealed
 * @returns {Promise<string>}
 */
async function answered(verb, query, sealed) {
  const scope = { subject: given(query, 'subject'), purpose: given(query, 'purpose') }
  try {
    return JSON.stringify({ outcome: await decide(verb, scope, sealed) })
  } catch (error) {
    if (!(error instanceof CaptureError) || error.code !== 'ERR_CAPTURE_REFUSED') throw error
    console.log(`refused: ${/** @type {import('guise/capture').CaptureRefusal} */ (error)[captureReason]}`)
    return JSON.stringify({ outcome: 'refused' })
  }
}

/**
 * @param {'enroll' | 'verify'} verb
 * @param {{ subject: string, purpose: string }} scope
 * @param {Uint8Array} sealed
 * @returns {Promise<string>}
 */
async function decide(verb, scope, sealed) {
  const capture = await desk.openCapture(sealed, scope)
  if (verb === 'enroll') {
    try {
      await vault.enroll({ subject: scope.subject, basis: basis(), capture })
      return 'enrolled'
    } catch (error) {
      if (!(error instanceof VaultError) || error.code !== 'ERR_VAULT_ENROLLED') throw error
      return 'known'
    }
  }
  return (await vault.verify({ subject: scope.subject, capture })).outcome
}

/** Yours: what the person agreed to, and a hash of where you keep it. */
function basis() {
  const grantedAt = new Date()
  const expiresAt = new Date(grantedAt.getTime() + YEAR_MS)
  const evidence = random()
  return /** @type {const} */ ({
    kind: 'contract',
    purpose: PURPOSE,
    noticeVersion: 'example',
    grantedAt,
    expiresAt,
    evidence,
  })
}

/**
 * @param {URLSearchParams} query
 * @param {string} name
 * @returns {string}
 */
function given(query, name) {
  return query.get(name) ?? ''
}

// Nothing inline but the import maps, which are held by their hashes; no eval, no WebAssembly, no other host.
const pages = readdirSync(here).filter((name) => name.endsWith('.html'))
const maps = pages.map((name) =>
  /<script type="importmap">([\s\S]*?)<\/script>/.exec(readFileSync(join(here, name), 'utf8')),
)
const hashes = maps.map(
  (map) =>
    `'sha256-${createHash('sha256')
      .update(map?.[1] ?? '')
      .digest('base64')}'`,
)
const HEADERS = {
  'content-security-policy': [
    "default-src 'none'",
    `script-src 'self' ${[...new Set(hashes)].join(' ')}`,
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; '),
  'permissions-policy': 'camera=(self), microphone=(), geolocation=()',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
}

const server = createServer((request, response) => {
  handle(request, response).catch((error) => {
    console.error(error instanceof GuiseError ? error.code : error)
    response.writeHead(error instanceof GuiseError ? 400 : 500, HEADERS).end()
  })
})

/**
 * @param {import('node:http').IncomingMessage} request
 * @param {import('node:http').ServerResponse} response
 * @returns {Promise<unknown>}
 */
async function handle(request, response) {
  // A name of somebody else that leads to this machine is not this origin.
  const origin = `http://${request.headers.host}`
  if (request.headers.host !== `127.0.0.1:${port}`) return response.writeHead(421, HEADERS).end()
  const { pathname, searchParams } = new URL(request.url ?? '/', origin)
  const call = Object.hasOwn(CALLS, pathname) ? CALLS[pathname] : undefined
  if (call !== undefined && request.method === 'POST') {
    if (request.headers.origin !== origin) return response.writeHead(403, HEADERS).end()
    const body = await bodyOf(request)
    if (body === undefined) return response.writeHead(413, HEADERS).end()
    // Nothing is written before there is an answer: a call that fails has another status.
    const answer = await call(searchParams, body)
    return response.writeHead(200, HEADERS).end(answer)
  }
  const file = request.method === 'GET' ? fileAt(pathname === '/' ? '/index.html' : pathname) : undefined
  if (file === undefined) return response.writeHead(404, HEADERS).end()
  const type = TYPES.get(extname(file)) ?? 'application/octet-stream'
  const content = readFileSync(file)
  return response.writeHead(200, { ...HEADERS, 'content-type': type }).end(content)
}

/**
 * @param {import('node:http').IncomingMessage} request
 * @returns {Promise<Uint8Array<ArrayBuffer> | undefined>} none when it is too long
 */
async function bodyOf(request) {
  const parts = []
  let length = 0
  for await (const part of request) {
    length += part.length
    if (length > MOST_BYTES) return undefined
    parts.push(part)
  }
  return new Uint8Array(Buffer.concat(parts))
}

/**
 * A URL has no `..` left; what is not for browsers is not found.
 *
 * @param {string} pathname
 * @returns {string | undefined}
 */
function fileAt(pathname) {
  const [at, root] = FOLDERS.find(([prefix]) => pathname.startsWith(prefix)) ?? ['/', here]
  const name = pathname.slice(at.length)
  const allowed = at === '/modules/' ? MODULES.test(name) : at === '/guise/' || /^[\w-]+\.\w+$/.test(name)
  if (!allowed || !TYPES.has(extname(name)) || name === 'server.js' || name.includes('%')) return undefined
  const path = join(root, name)
  return readable(path) ? path : undefined
}

/**
 * @param {string} path
 * @returns {boolean}
 */
function readable(path) {
  try {
    return readFileSync(path).length > 0
  } catch {
    return false
  }
}

server.listen(Number(process.argv[2] ?? 8080), '127.0.0.1')
await once(server, 'listening')
const port = /** @type {import('node:net').AddressInfo} */ (server.address()).port
console.log(`http://127.0.0.1:${port}/`)

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void end())

async function end() {
  server.closeAllConnections()
  server.close()
  desk[Symbol.dispose]()
  await vault.close()
  keyring.close()
  provider.close()
  await store.close()
  rmSync(folder, { recursive: true, force: true })
}
