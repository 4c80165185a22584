/** The demo's log: a store that is put back does not open, and the log holds from its bytes alone (SPEC §14). @module */
/// <reference types="node" />

import { verifierKey } from '../audit/note.ts'
import { storedLog } from '../audit/stored-log.ts'
import { verifyLog } from '../audit/verify.ts'
import type { Finding, Stage } from './demo-stage.ts'
import type { Loot } from './demo-theft.ts'
import { count } from './io.ts'
import { codeOf, withCopy } from './thief.ts'

/** Puts the stolen copy in the place of the store, as a restore of an old backup would. */
export async function putBack({ folder, key, options, vault }: Stage, loot: Loot): Promise<Finding> {
  const copy = { store: loot.store, keys: `${folder}/keys`, key }
  const code = await codeOf(withCopy(copy, options, async () => undefined, 'owner'))
  const { queued, unanchored } = await vault.health()
  return {
    step: 'rollback',
    what: 'the copy from before the revocations put back in place of the store, with its own keys',
    result: `${code ?? 'opened'}; of the live log ${count(unanchored)} entries are not anchored yet`,
    figures: { code: code ?? 'opened', queued, unanchored, rollbackProtection: vault.rollbackProtection },
    expected: code === 'ERR_AUDIT_ROLLBACK' && vault.rollbackProtection,
  }
}

/** Verifies the whole log of the realm as an auditor would, against the anchor too. */
export async function verifyAll({ store, ctx, options }: Stage): Promise<Finding> {
  const { logSigner, anchor } = options
  if (logSigner === undefined || anchor === undefined)
    throw new RangeError('the demo has a log and an anchor')
  await ctx.ledger.settle({})
  const logKey = verifierKey(logSigner.origin, logSigner.publicKey)
  const log = storedLog(store, ctx.realm)
  const { checkpoint, writers, compared } = await verifyLog(log.export(), { logKey, anchor })
  const { hashes } = await log.inclusion(checkpoint.size - 1)
  return {
    step: 'log',
    what: 'every entry recomputed from the exported bytes, and compared with the anchor',
    result: `${count(checkpoint.size)} entries of ${count(writers)} writers hold; the proof of one takes ${hashes.length} hashes`,
    figures: { entries: checkpoint.size, writers, compared: compared.length, proof: hashes.length },
    expected: compared.length === 1,
  }
}
