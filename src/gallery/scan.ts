/** The scan: a probe against every code of a gallery, the best taken (SPEC §16.5). @module */

import { accepts } from '../compare/decide.ts'
import { score } from '../compare/score.ts'
import type { Bits } from '../policy/operating-point.ts'
import { encodeProbe } from '../template/template.ts'
import { GALLERY_SUITE } from './declaration.ts'
import { turn } from './engine.ts'
import type { GalleryTable, ShardView } from './table.ts'

/** No more are confirmed in one search. */
const MOST_SCANNED = 64
/** About 4 ms of work between two turns of the event loop. */
const SHARDS_A_TURN = 64

/** A member that resembles the probe; `rank` orders such members and leaves no verb. */
export interface Hit {
  readonly number: number
  readonly slot: number
  readonly handle: Uint8Array
  /** S and Q of §7. */
  readonly sum: number
  readonly energy: number
  readonly rank: number
}

/** What is searched, and how. */
export interface ScanQuestion {
  /** Borrowed. */
  readonly integers: Int32Array
  readonly bits: Bits
  /** Ten-thousandths. */
  readonly threshold: number
  readonly signal?: AbortSignal | undefined
}

/** The members whose codes accept the probe, the most alike first, at most 64. */
export async function scanTable(table: GalleryTable, question: ScanQuestion): Promise<readonly Hit[]> {
  const { engine, shards } = table
  if (engine === undefined) return await scanPortable(table, question)
  const found = await engine.search({ ...question, shards, suite: GALLERY_SUITE })
  const hits: Hit[] = []
  for (const { shard, slot, sum, energy, rank } of found) {
    const number = shard + 1
    // Who has gone since is no hit.
    const handle = table.handle(number, slot)
    if (handle !== undefined && hits.length < MOST_SCANNED)
      hits.push({ number, slot, handle, sum, energy, rank })
  }
  return hits
}

/** `scanTable` in plain JavaScript, for runtimes where the kernel does not run. */
export async function scanPortable(table: GalleryTable, question: ScanQuestion): Promise<readonly Hit[]> {
  const hits: Hit[] = []
  for (let number = 1; number <= table.shards; number++) {
    for (const { slot, sum, energy } of scanShard(table.view(number), question)) {
      const handle = table.handle(number, slot)
      if (handle !== undefined) hits.push({ number, slot, handle, sum, energy, rank: rankOf(sum, energy) })
    }
    if (hits.length > 16 * MOST_SCANNED) keepBest(hits)
    if (number % SHARDS_A_TURN === 0) await turn(question.signal)
  }
  keepBest(hits)
  return hits
}

/** One rotation of the probe for all members of a shard. */
function scanShard(
  shard: ShardView,
  { integers, bits, threshold }: ScanQuestion,
): readonly Pick<Hit, 'slot' | 'sum' | 'energy'>[] {
  const found: Pick<Hit, 'slot' | 'sum' | 'energy'>[] = []
  const probe = encodeProbe(integers, GALLERY_SUITE, bits, shard.key)
  try {
    for (let slot = 0; slot < shard.fill; slot++) {
      const code = shard.code(slot)
      if (code === undefined) continue
      const { sum, energy } = score(code, probe)
      if (accepts(sum, energy, bits, threshold)) found.push({ slot, sum, energy })
    }
  } finally {
    probe.wipe()
  }
  return found
}

/** S ÷ √Q: the order of comparisons of one number of bits. */
export function rankOf(sum: number, energy: number): number {
  return sum / Math.sqrt(energy)
}

/** Sorting is stable: of equal ones those of the lower shard and slot stay. */
function keepBest(hits: Hit[]): void {
  hits.sort((a, b) => b.rank - a.rank)
  hits.length = Math.min(hits.length, MOST_SCANNED)
}
