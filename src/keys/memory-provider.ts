/** A key provider in memory that fails when it is told to, for tests. @module */

import type { Millis } from '../base/brand.ts'
import { toHex } from '../base/bytes.ts'
import { systemClock } from '../base/clock.ts'
import { committingOpen, committingSeal } from '../crypto/committing.ts'
import { randomBytes } from '../crypto/random.ts'
import { cryptoReady } from '../crypto/sodium.ts'
import { KeysError } from './errors.ts'
import type { KeyProvider } from './provider.ts'
import { packSealed, unpackSealed } from './sealed.ts'

const LABEL = 'guise/v1/memory-wrap'

/** Asked before each call, which are counted from 1; what it throws is the outage. */
export type ProviderPlan = (call: number, verb: 'wrap' | 'unwrap' | 'destroy') => void

/** Keys that end with the process: nothing that they wrapped can be opened by another one. */
export function memoryKeyProvider(plan: ProviderPlan = () => undefined): KeyProvider {
  const keys = new Map<string, Uint8Array>()
  let calls = 0
  return {
    id: 'memory',
    async wrap(secret, context) {
      plan(++calls, 'wrap')
      await cryptoReady()
      const name = toHex(context)
      const key = keys.get(name) ?? randomBytes(32)
      keys.set(name, key)
      return packSealed(committingSeal(key, LABEL, context, secret))
    },
    async unwrap(wrapped, context) {
      plan(++calls, 'unwrap')
      await cryptoReady()
      const key = keys.get(toHex(context))
      const opened = key && committingOpen(key, LABEL, context, unpackSealed(wrapped))
      if (opened === undefined) {
        throw new KeysError('ERR_KEYS_DESTROYED', 'the key is unknown, destroyed, or does not fit')
      }
      return opened
    },
    async destroy(context) {
      plan(++calls, 'destroy')
      const name = toHex(context)
      keys.get(name)?.fill(0)
      keys.delete(name)
      return { confirmedAt: systemClock.nowMs() as Millis }
    },
  }
}
