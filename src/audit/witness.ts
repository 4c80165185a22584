/** A witness as anchor: another operator's service that cosigns only what continues what it has seen (SPEC §14.5, C2SP tlog-witness). @module */

import { checkFunction, checkInteger, checkObject } from '../base/check.ts'
import { type AdvanceOptions, type Anchor, anchorFault, checkAdvance, forked } from './anchor.ts'
import { type Checkpoint, checkCheckpoint, cosignatureOf, parseSize } from './checkpoint.ts'
import { AuditError, rejectInput } from './errors.ts'
import {
  bytesOf,
  checkName,
  KEY_TYPE,
  parseNote,
  parseSignatures,
  parseVerifierKey,
  toBase64,
  type VerifierKey,
} from './note.ts'
import { MOST_PROOF_HASHES } from './proof.ts'

export interface WitnessOptions {
  /** The submission prefix: `add-checkpoint` is added to it. https, or http for a machine that is this one. */
  readonly url: string
  /** The witness's verifier key, as text. */
  readonly witnessKey: string
  /** The log's origin. */
  readonly origin: string
  /** The proof that the tree of `from` entries begins the one of `to`: `tree.consistency`. A vault gives it by itself. */
  readonly consistency?: (from: number, to: number) => Promise<readonly Uint8Array[]>
  /** Where the newest cosigned checkpoint is kept here, such as a `fileAnchor`; default: this process only. */
  readonly kept?: Anchor
  /** Of one request; default 10,000. */
  readonly timeoutMs?: number
  readonly fetch?: (url: string, init: RequestInit) => Promise<Response>
}

const TIMEOUT_MS = 10_000
const MOST_TIMEOUT_MS = 600_000
const MOST_ANSWER_BYTES = 65_536
/** The size that a witness has is learnt from its answer; somebody else may advance it meanwhile. */
const MOST_TRIES = 3

/**
 * An anchor at a witness. What it keeps cannot be put back together with the store, and a fork does not pass it. `read` gives
 * what is kept on this side, because a witness has no way to ask: a log that was put back is refused by the first `advance`.
 */
export function witnessAnchor(options: WitnessOptions): Anchor {
  checkObject(options, 'options', rejectInput)
  const { timeoutMs = TIMEOUT_MS, kept = processAnchor(), consistency = noProof } = options
  const witness: Witness = {
    url: addressOf(options.url),
    key: parseVerifierKey(options.witnessKey, KEY_TYPE.witness),
    origin: checkName(options.origin),
    consistency: checkFunction(consistency, 'consistency', rejectInput) as typeof consistency,
    timeoutMs: checkInteger(timeoutMs, 'timeoutMs', [1, MOST_TIMEOUT_MS], rejectInput),
    fetch: options.fetch ?? ((url, init) => globalThis.fetch(url, init)),
    kept,
  }
  return {
    read: async (callOptions) => {
      const last = await kept.read(callOptions)
      if (last !== undefined) cosignatureOf(parseNote(last.note), witness.key)
      return last
    },
    advance: (next, callOptions) => advance(witness, next, callOptions),
  }
}

interface Witness extends Required<Pick<WitnessOptions, 'url' | 'origin' | 'timeoutMs' | 'fetch'>> {
  readonly consistency: NonNullable<WitnessOptions['consistency']>
  readonly key: VerifierKey
  readonly kept: Anchor
}

/** What a witness said. */
type Answer =
  | { readonly is: 'cosigned'; readonly lines: string }
  | { readonly is: 'elsewhere'; readonly size: number }

async function advance(witness: Witness, value: Checkpoint, options: AdvanceOptions = {}): Promise<void> {
  const next = checkCheckpoint(value)
  if (next.origin !== witness.origin) throw rejectInput('the checkpoint is of another log')
  const last = await witness.kept.read(options)
  checkAdvance(last, next)
  let from = last?.size ?? 0
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const answer = await ask(witness, from, next, options)
    if (answer.is === 'cosigned') {
      await witness.kept.advance({ ...next, note: cosigned(next, answer.lines, witness.key) }, options)
      return
    }
    const { size } = answer
    if (size > next.size)
      throw new AuditError('ERR_AUDIT_ROLLBACK', 'the checkpoint is smaller than the witnessed one')
    // The witness has this very size, and another root.
    if (size === from) throw forked()
    from = size
  }
  throw anchorFault('the witness is being advanced by somebody else', { retryable: true })
}

/** The note with the witness's signature. Whatever else stands in the answer is left out. */
function cosigned({ note }: Checkpoint, lines: string, key: VerifierKey): string {
  const { text } = parseNote(note)
  const { line } = cosignatureOf({ text, signatures: parseSignatures(lines) }, key)
  return note.includes(line) ? note : `${note}${line}`
}

async function ask(
  witness: Witness,
  from: number,
  next: Checkpoint,
  options: AdvanceOptions,
): Promise<Answer> {
  const prove = options.consistency ?? witness.consistency
  const proof = from === 0 ? [] : await prove(from, next.size)
  if (proof.length > MOST_PROOF_HASHES) throw rejectInput('the consistency proof is too long')
  const body = `old ${from}\n${proof.map((hash) => `${toBase64(hash)}\n`).join('')}\n${next.note}`
  const limit = AbortSignal.timeout(witness.timeoutMs)
  const signal = options.signal === undefined ? limit : AbortSignal.any([limit, options.signal])
  signal.throwIfAborted()
  let response: Response
  let text: string
  try {
    response = await witness.fetch(witness.url, {
      method: 'POST',
      body: bytesOf(body) as BodyInit,
      signal,
      redirect: 'error',
      credentials: 'omit',
    })
    text = await readAnswer(response)
  } catch (error) {
    options.signal?.throwIfAborted()
    if (error instanceof AuditError) throw error
    throw anchorFault('the witness cannot be reached', { cause: error, retryable: true })
  }
  return understand(response, text)
}

function understand({ status, headers }: Response, text: string): Answer {
  if (status === 200) return { is: 'cosigned', lines: text }
  if (status === 409) {
    const size = text.endsWith('\n') ? parseSize(text.slice(0, -1)) : undefined
    const type = headers.get('content-type')?.split(';')[0]?.trim().toLowerCase()
    // Without a size it is the other conflict: the same size, and another root.
    if (type !== 'text/x.tlog.size') throw forked()
    if (size === undefined) throw anchorFault('the witness answers with a malformed size')
    return { is: 'elsewhere', size }
  }
  if (status === 422) throw forked()
  if (status === 404) throw anchorFault('the witness does not know the log')
  if (status === 403) throw anchorFault('the witness does not accept the key of the log')
  const retryable = status === 429 || status >= 500
  throw anchorFault(`the witness answers with status ${status}`, { retryable })
}

/** The body as text, bounded: a witness is not trusted with memory. */
async function readAnswer(response: Response): Promise<string> {
  if (response.body === null) return ''
  const reader = response.body.getReader()
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  let text = ''
  let length = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return text + decoder.decode()
    length += value.length
    if (length > MOST_ANSWER_BYTES) {
      await reader.cancel()
      throw anchorFault('the answer of the witness is too long')
    }
    text += decoder.decode(value, { stream: true })
  }
}

function addressOf(prefix: string): string {
  let url: URL
  try {
    url = new URL(prefix)
  } catch {
    throw rejectInput('url must be an address')
  }
  const local = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname)
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && local))
    throw rejectInput('url must be https')
  if (url.search !== '' || url.hash !== '') throw rejectInput('url must be a prefix')
  return `${url.href.replace(/\/$/, '')}/add-checkpoint`
}

function noProof(): Promise<never> {
  return Promise.reject(rejectInput('a witness needs a proof of consistency'))
}

/** An anchor that lasts as long as the process. */
function processAnchor(): Anchor {
  let kept: Checkpoint | undefined
  return {
    read: async () => kept && { ...kept, root: Uint8Array.from(kept.root) },
    advance: async (next) => {
      checkAdvance(kept, next)
      kept = { ...next, root: Uint8Array.from(next.root) }
    },
  }
}
