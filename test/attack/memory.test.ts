/** SEAL-6 in the whole process: after each call and the caller's own wipe, no piece of a secret is left. @module */
import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'

const built = new URL('../../dist/', import.meta.url).href

/**
 * Runs `task` twenty times in a fresh process, wipes what the caller owns, collects garbage, and counts 8-byte
 * pieces of each secret in every writable page. Secrets to look for are kept masked, so that the search does not
 * find itself. `task` gets `m`, the modules, and `hide(secret)`, which adds one to the search.
 */
const HARNESS = `
  import { openSync, readFileSync, readSync } from 'node:fs'
  const names = ['base/bytes', 'crypto/aead', 'crypto/committing', 'crypto/kdf', 'crypto/random', 'crypto/sodium', 'crypto/xof', 'template/template', 'transform/stream']
  const loaded = await Promise.all(names.map((name) => import('${built}' + name + '.js')))
  const m = Object.assign({}, ...loaded)
  await m.cryptoReady()
  const MASK = 0x5a
  const hidden = []
  const hide = (secret) => {
    for (let at = 0; at + 8 <= secret.length; at += 8) {
      hidden.push(Array.from({ length: 8 }, (_, i) => secret[at + i] ^ MASK))
    }
    return secret
  }
  const none = new Uint8Array(0)
  for (let i = 0; i < 20; i++) await task(m, hide, none)
  gc()
  gc()
  const byFirst = new Map()
  for (const piece of hidden) byFirst.set(piece[0] ^ MASK, [...(byFirst.get(piece[0] ^ MASK) ?? []), piece])
  const memory = openSync('/proc/self/mem', 'r')
  const window = new Uint8Array(new ArrayBuffer(1 << 20))
  const PAGE = 4096
  const EMPTY = new Uint8Array(PAGE)
  let found = 0
  let scanned = 0
  for (const line of readFileSync('/proc/self/maps', 'utf8').split('\\n')) {
    const range = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line)
    if (range === null) continue
    const end = Number.parseInt(range[2], 16)
    for (let at = Number.parseInt(range[1], 16); at < end; ) {
      const wanted = Math.min(window.length, end - at)
      let read = 0
      try { read = readSync(memory, window, 0, wanted, at) } catch { break }
      if (read <= 0) break
      scanned += read
      for (let page = 0; page < read; page += PAGE) {
        // Most of what a process has reserved is empty.
        if (Buffer.compare(window.subarray(page, page + PAGE), EMPTY) === 0) continue
        for (let i = page; i < page + PAGE && i + 8 <= read; i++) {
          const pieces = byFirst.get(window[i])
          if (pieces === undefined) continue
          for (const piece of pieces) {
            let k = 1
            while (k < 8 && window[i + k] === (piece[k] ^ MASK)) k++
            if (k === 8) found++
          }
        }
      }
      window.fill(0)
      at += at + read < end ? read - 7 : read
    }
  }
  console.log(JSON.stringify({ found, pieces: hidden.length, scanned }))`

interface Scan {
  readonly found: number
  readonly pieces: number
  readonly scanned: number
}

function scan(task: string): Scan {
  const script = `const task = async (m, hide, none) => { ${task} }\n${HARNESS}`
  const run = spawnSync(process.execPath, ['--expose-gc', '--input-type=module', '-e', script], {
    encoding: 'utf8',
    timeout: 60_000,
  })
  expect({ status: run.status, stderr: run.stderr }).toEqual({ status: 0, stderr: '' })
  return JSON.parse(run.stdout) as Scan
}

test('control: a secret that is not wiped is found', () => {
  const { found, scanned } = scan('(globalThis.kept ??= []).push(hide(m.randomBytes(64)))')
  expect(found).toBeGreaterThanOrEqual(160)
  expect(scanned).toBeGreaterThan(10_000_000)
}, 60_000)

test('control: the plain wrapper of libsodium leaves the key', () => {
  const { found } = scan(`
    const { default: sodium } = await import('libsodium-wrappers')
    const key = hide(m.randomBytes(32))
    sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(none, null, null, m.randomBytes(24), key)
    m.wipe(key)`)
  expect(found).toBeGreaterThan(0)
}, 60_000)

test.each([
  ['randomBytes', 'm.wipe(hide(m.randomBytes(64)))'],
  [
    'hkdf, hkdfExtract, hkdfExpand, mac, verifyMac',
    `const key = hide(m.randomBytes(32))
     const prk = hide(m.hkdfExtract(none, key))
     const okm = hide(m.hkdf(key, none, 96))
     const tag = hide(m.mac(key, prk))
     if (!m.verifyMac(key, prk, tag)) throw new Error('no match')
     m.wipe(key, prk, okm, tag, m.hkdfExpand(prk, none, 96))`,
  ],
  [
    'aeadEncrypt, aeadDecrypt, turboshake128',
    `const key = hide(m.randomBytes(32))
     const plaintext = hide(m.randomBytes(64))
     const nonce = m.randomBytes(24)
     const opened = m.aeadDecrypt(key, nonce, none, m.aeadEncrypt(key, nonce, none, plaintext))
     m.wipe(key, plaintext, opened, hide(m.turboshake128(key, 200)))`,
  ],
  [
    'committingSeal, committingOpen',
    `const key = hide(m.randomBytes(32))
     const plaintext = hide(m.randomBytes(64))
     const sealed = m.committingSeal(key, 'label', none, plaintext)
     const okm = m.hkdf(key, m.concatBytes(m.labelBytes('label'), sealed.nonce), 64)
     hide(okm.subarray(0, 32))
     m.wipe(okm, plaintext, m.committingOpen(key, 'label', none, sealed), key)`,
  ],
  [
    'encodeReference, encodeProbe, once the engine has optimised them,',
    `const z = Int32Array.from({ length: 512 }, (_, i) => (((i + 1) * 48271) % 65537) - 32768)
     if (globalThis.warm !== true) {
       for (let i = 0; i < 20000; i++) m.encodeProbe(z, 'B4', 512, new Uint8Array(32)).wipe()
       globalThis.warm = true
     }
     const key = hide(m.randomBytes(32))
     const stream = m.keyStream('B4', key, 512, 512)
     hide(stream.subarray(0, 256))
     hide(stream.subarray(1408))
     m.wipe(stream, m.encodeReference(z, 'B4', 512, key))
     m.encodeProbe(z, 'B4', 512, key).wipe()
     m.wipe(key)`,
  ],
])(
  'SEAL-6 %s leave nothing',
  (_, task) => {
    expect(scan(task)).toMatchObject({ found: 0 })
  },
  60_000,
)
