/** What a template costs: bytes of its rows, and processor time of a vault's calls (SPEC §15.8). @module */
/// <reference types="node" />

import { logSigner } from '../audit/checkpoint.ts'
import { randomBytes } from '../crypto/random.ts'
import type { Dataset } from '../dataset/dataset.ts'
import { embedding } from '../embedding/embedding.ts'
import type { Model } from '../embedding/model.ts'
import { EvaluateError } from '../evaluate/errors.ts'
import type { CostFigures, Quartiles } from '../evaluate/figures.ts'
import { createKeyring } from '../keys/keyring.ts'
import { memoryKeyProvider } from '../keys/memory-provider.ts'
import type { OperatingPoint } from '../policy/operating-point.ts'
import { referenceKey, secretKey } from '../record/place.ts'
import { memoryStore } from '../store/memory.ts'
import { openContext, openVault } from '../vault/open.ts'
import { allowHighFalseMatchRate, allowOvercomplete, allowUnattestedCapture } from '../vault/symbols.ts'
import type { VaultOptions } from '../vault/types.ts'
import { enrollment, PURPOSE } from './demo-stage.ts'
import { nameOf } from './thief.ts'

const CALLS = 200
/** The engine is warm after so many. */
const WARM_UP = 20

/** Enrols and verifies vectors of a data set on a vault in memory. Times are of this machine as it is now. */
export async function costFigures(
  dataset: Dataset,
  model: Model,
  point: OperatingPoint,
): Promise<CostFigures> {
  const provider = memoryKeyProvider()
  const store = memoryStore()
  const keyring = await createKeyring({ realm: 'cost', provider, store })
  const signer = await logSigner('cost.example/guise', randomBytes(32))
  const options: VaultOptions = {
    keyring,
    store,
    model,
    purpose: PURPOSE,
    operatingPoints: [point],
    bits: point.bits,
    custody: { profile: 'operator' },
    logSigner: signer,
    attempts: { realmPerHour: 1_000_000 },
    [allowHighFalseMatchRate]: true,
    [allowOvercomplete]: true,
  }
  const vault = await openVault(options)
  const ctx = await openContext(options)
  try {
    const enrolled: number[] = []
    const compared: number[] = []
    let number = 0
    for await (const { vector } of dataset.read()) {
      const person = { id: `cost-${number}`, samples: [vector, vector, vector, vector] as const }
      const enroll = await timed(() => vault.enroll(enrollment({ cast: { model } }, person, vector)))
      const sample = { embedding: embedding(vector, model), [allowUnattestedCapture]: true } as const
      const compare = await timed(() => vault.verify({ subject: person.id, ...sample }))
      vector.fill(0)
      if (number++ < WARM_UP) continue
      enrolled.push(enroll)
      compared.push(compare)
      if (enrolled.length === CALLS) break
    }
    if (enrolled.length === 0)
      throw new EvaluateError(
        'ERR_EVALUATE_TOO_FEW',
        `an evaluation needs ${WARM_UP + 1} samples, which enrolment and comparison are timed on`,
      )
    const name = await nameOf(ctx, 'cost-0')
    const reference = await store.get('references', referenceKey(ctx.realm, name.record))
    const secret = await store.get('secrets', secretKey(ctx.realm, name.record, name.generation))
    return {
      codeBytes: point.bits / 8,
      referenceRowBytes: reference?.bytes.length ?? 0,
      secretRowBytes: secret?.bytes.length ?? 0,
      enrollMs: quartiles(enrolled),
      compareMs: quartiles(compared),
    }
  } finally {
    await vault.close()
    await ctx.ledger.close()
    signer.close()
    keyring.close()
    await store.close()
  }
}

/** Processor time of this process, all threads. */
async function timed(call: () => Promise<unknown>): Promise<number> {
  const start = process.cpuUsage()
  await call()
  const { user, system } = process.cpuUsage(start)
  return (user + system) / 1000
}

/** Quantiles of Hyndman and Fan's first kind: values that were measured. */
export function quartiles(values: readonly number[]): Quartiles {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (share: number): number => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0
  return { low: at(0.25), median: at(0.5), high: at(0.75), samples: sorted.length }
}
