/** Logs for tests: entries of several writers, interleaved, the same for every run. @module */
import {
  type AuditEvent,
  type Checkpoint,
  exportLog,
  type LocalLogSigner,
  logSigner,
  type MerkleTree,
  memoryTreeHashes,
  openTree,
  signCheckpoint,
  type WriterChain,
  writerChain,
} from 'guise/audit'
import { AuditError } from '../../src/audit/errors.ts'
import { manualClock } from '../../src/base/manual-clock.ts'

export const ORIGIN = 'clinic.example/guise'

export interface TestLog {
  readonly signer: LocalLogSigner
  readonly entries: readonly Uint8Array[]
  readonly tree: MerkleTree
  readonly checkpoint: Checkpoint
}

export function seed(fill: number): Uint8Array {
  return new Uint8Array(32).fill(fill)
}

const EVENTS: readonly AuditEvent[] = [
  { action: 'enroll', outcome: 'done', handle: new Uint8Array(16).fill(1), basis: 'consent', epoch: 1 },
  { action: 'verify', outcome: 'match', handle: new Uint8Array(16).fill(2), policy: 'login-1' },
  { action: 'verify', outcome: 'refused', actor: 'desk-4' },
  { action: 'rotate', outcome: 'done', record: new Uint8Array(16).fill(3), epoch: 2 },
  { action: 'erase', outcome: 'failed', generation: new Uint8Array(20).fill(4) },
]

export function eventAt(index: number): AuditEvent {
  return EVENTS[index % EVENTS.length] as AuditEvent
}

/** `count` entries of `writers` writers, in an order that is not round-robin. */
export async function testLog(count: number, writers = 3, fill = 7): Promise<TestLog> {
  const clock = manualClock(1_767_225_600_000)
  const chains: WriterChain[] = Array.from({ length: writers }, () => writerChain('clinic', { clock }))
  const entries = Array.from({ length: count }, (_, i) => {
    const chain = chains[(i * i + Math.floor(i / 3)) % writers] as WriterChain
    return chain.next(eventAt(i))
  })
  const tree = await openTree(memoryTreeHashes())
  await tree.append(entries)
  const signer = await logSigner(ORIGIN, seed(fill))
  const checkpoint = await signCheckpoint(signer, { size: tree.size, root: tree.root() })
  return { signer, entries, tree, checkpoint }
}

/** A signed checkpoint of the log as it was. */
export async function checkpointAt({ signer, tree }: TestLog, size: number): Promise<Checkpoint> {
  return signCheckpoint(signer, { size, root: await tree.rootAt(size) })
}

/** The whole export in one buffer. */
export async function exportBytes(
  entries: readonly Uint8Array[],
  checkpoint: Checkpoint,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  for await (const part of exportLog(entries, checkpoint)) parts.push(part)
  return Uint8Array.from(Buffer.concat(parts))
}

/** An export whose entries do not have to be as many as the checkpoint says. */
export function looseExport(entries: readonly Uint8Array[], note: string): Uint8Array {
  const text = new TextEncoder().encode(note)
  const label = 'guise/v1/log'
  const u32 = (n: number): Buffer => {
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32BE(n)
    return bytes
  }
  return Uint8Array.from(
    Buffer.concat([
      Uint8Array.of(label.length),
      Buffer.from(label),
      u32(text.length),
      text,
      ...entries.flatMap((entry) => [u32(entry.length), entry]),
    ]),
  )
}

/** The code that a call ends with; `'resolved'` when it ends well. */
export async function codeOf(call: () => unknown): Promise<string> {
  try {
    await call()
    return 'resolved'
  } catch (error) {
    if (error instanceof AuditError) return error.code
    throw error
  }
}
