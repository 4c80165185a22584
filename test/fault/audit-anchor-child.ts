/** Child process: advances a file anchor by one, again and again, and tells each success (AUDIT-13, AUDIT-14). @module */
/// <reference types="node" />

import { writeSync } from 'node:fs'
import { logSigner, signCheckpoint } from '../../src/audit/checkpoint.ts'
import { fileAnchor } from '../../src/audit/file-anchor.ts'
import { sha256 } from '../../src/crypto/hash.ts'

const [, , path = '', rounds = '0'] = process.argv
const anchor = fileAnchor(path)
const signer = await logSigner('clinic.example/guise', new Uint8Array(32).fill(7))
writeSync(1, 'ready\n')
for (let won = 0; won < Number(rounds); ) {
  const size = ((await anchor.read())?.size ?? 0) + 1
  // No two processes have the same root: each size can be won once.
  const root = sha256(new TextEncoder().encode(`${process.pid} ${size}`))
  const next = await signCheckpoint(signer, { size, root })
  try {
    await anchor.advance(next)
    won += 1
    writeSync(1, `won ${size}\n`)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : ''
    if (code !== 'ERR_AUDIT_FORK' && code !== 'ERR_AUDIT_ROLLBACK') throw error
  }
}
