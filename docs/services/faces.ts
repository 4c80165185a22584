/** What the services do without any framework: five calls, each from a body to a status and an answer. @module */
import { createHash, timingSafeEqual } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  allowUnattestedCapture,
  createKeyring,
  embedding,
  GuiseError,
  logSigner,
  openKeyring,
  openVault,
} from 'guise'
import { calibrate } from 'guise/evaluate'
import { lmdbStore } from 'guise/lmdb'
import { exportSubject, localKeyProvider } from 'guise/node'
import { syntheticPeople } from 'guise/testing'

export interface Answer {
  readonly status: number
  readonly body?: object
}
type Fields = Readonly<Partial<Record<string, unknown>>>
export type Call = (body: unknown) => Promise<Answer>

export interface Faces {
  /** By path, below `/faces/`. Every one is a POST with JSON. */
  readonly calls: Readonly<Record<'enroll' | 'verify' | 'revoke' | 'export' | 'erase', Call>>
  /** Whether a header `authorization` is that of your own backend, which alone may call. */
  admits(header: string | undefined): boolean
  close(): Promise<void>
}

const model = { id: 'arcface-r100@1', dimensions: 128, metric: 'cosine' } as const
const DAY_MS = 86_400_000

/** Opens the realm of a folder, and makes it the first time. */
export async function openFaces(folder: string, token: string): Promise<Faces> {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const at = (name: string): string => join(folder, name)
  const known = existsSync(at('realm.key'))
  if (!known)
    for (const name of ['log.key', 'realm.key'])
      writeFileSync(at(name), crypto.getRandomValues(new Uint8Array(32)), { mode: 0o600 }) // yours: a key service
  const provider = localKeyProvider({ path: at('keys'), key: readFileSync(at('realm.key')) })
  const store = await lmdbStore({ path: at('vault') })
  const keyring = await (known ? openKeyring : createKeyring)({ realm: 'clinic', provider, store })
  const signer = await logSigner('clinic.example/guise', readFileSync(at('log.key')))
  // Yours: `guise calibrate` once, on people like yours, and its file here.
  const others = syntheticPeople({ seed: 'others', subjects: 130, samples: 2, dimensions: 128 })
  const { operatingPoint } = await calibrate(others, { model, falseMatchRate: 1e-4 })
  const where = { keyring, store, logSigner: signer }
  const vault = await openVault({
    ...where,
    model,
    purpose: 'login',
    operatingPoints: [operatingPoint],
    custody: { profile: 'operator' },
  })

  const sample = ({ vector }: Fields) => {
    if (!Array.isArray(vector)) throw new BadBody()
    return { embedding: embedding(vector as number[], model), [allowUnattestedCapture]: true } as const
  }
  const calls: Record<keyof Faces['calls'], (fields: Fields) => Promise<Answer>> = {
    enroll: async (fields) => {
      const now = Date.now()
      const basis = {
        kind: 'consent',
        separateConsent: true,
        purpose: 'login',
        noticeVersion: '2026-01',
        evidence: Buffer.from(textOf(fields, 'consent'), 'hex'), // SHA-256 of what the person signed
        grantedAt: new Date(now),
        expiresAt: new Date(now + 365 * DAY_MS),
      } as const
      await vault.enroll(
        { subject: textOf(fields, 'subject'), basis, ...sample(fields) },
        { actor: 'backend' },
      )
      return { status: 201 }
    },
    verify: async (fields) => {
      const operationId = textOf(fields, 'operationId') // the same again when the caller tries again
      const probe = { subject: textOf(fields, 'subject'), ...sample(fields) }
      const decision = await vault.verify(probe, { operationId, signal: AbortSignal.timeout(5000) })
      if (decision.outcome !== 'match') return { status: 401 } // nonmatch and refused look the same
      return { status: 200, body: { secondFactor: decision.exposed } }
    },
    revoke: async (fields) => {
      await vault.revoke(textOf(fields, 'subject'), 'lost-device', { actor: 'backend' })
      return { status: 204 }
    },
    export: async (fields) => {
      const policies = [{ purpose: 'login', afterRevocationDays: 30, afterExpiryDays: 30 }]
      const subject = textOf(fields, 'subject')
      return { status: 200, body: await exportSubject({ ...where, policies, subject, actor: 'backend' }) }
    },
    erase: async (fields) => {
      const receipt = await vault.erase(textOf(fields, 'subject'), { actor: 'backend' })
      const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
      return { status: 200, body: { statement: hex(receipt.statement), signature: hex(receipt.signature) } }
    },
  }
  const expected = createHash('sha256').update(`Bearer ${token}`).digest()
  return {
    calls: Object.fromEntries(
      Object.entries(calls).map(([name, call]) => [name, answered(call)]),
    ) as Faces['calls'],
    admits: (header) =>
      timingSafeEqual(
        createHash('sha256')
          .update(header ?? '')
          .digest(),
        expected,
      ),
    async close() {
      await vault.close()
      await store.close()
      keyring.close()
      provider.close()
    },
  }
}

/** The body lacks a field, or has one of another type. */
class BadBody extends Error {}

function textOf(fields: Fields, name: string): string {
  const value = fields[name]
  if (typeof value !== 'string') throw new BadBody()
  return value
}

/** Errors become a status and nothing else; the operator's log gets the code, which names nobody. */
function answered(call: (fields: Fields) => Promise<Answer>): Call {
  return async (body) => {
    try {
      return await call(typeof body === 'object' && body !== null ? { ...body } : {})
    } catch (error) {
      const code = error instanceof GuiseError ? error.code : error instanceof BadBody ? 'BODY' : 'UNEXPECTED'
      console.error(JSON.stringify({ code }))
      return { status: statusOf(error) }
    }
  }
}

/** That it may try again, or that the call was wrong: nothing else. */
function statusOf(error: unknown): number {
  if (error instanceof BadBody) return 400
  if (!(error instanceof GuiseError)) return 500
  if (error.retryable || error.code === 'ERR_VAULT_CLOSED') return 503
  if (/^ERR_(?:EMBEDDING_|POLICY_|VAULT_INPUT)/.test(error.code)) return 400
  // Nobody of that name, enrolled already, revoked already: one answer.
  return /^ERR_VAULT_(?:UNKNOWN_SUBJECT|ENROLLED|TRANSITION)$/.test(error.code) ? 409 : 500
}
