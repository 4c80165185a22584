/** What a vault really wraps: record secrets as an operator with every key sees them. @module */
import type { KeyProvider } from 'guise'
import type { Realm } from '../../src/base/brand.ts'
import { toHex } from '../../src/base/bytes.ts'
import { hkdfPrepare } from '../../src/crypto/kdf.ts'
import { preparedCustody } from '../../src/keys/custody.ts'
import { epochContext, realmContext } from '../../src/keys/provider.ts'
import { RealmKeys } from '../../src/keys/realm-keys.ts'
import { decodeRing } from '../../src/keys/ring.ts'
import { openWrap } from '../../src/keys/wraps.ts'
import { decodeSecretRow } from '../../src/record/secret-row.ts'
import { decodeStateRow } from '../../src/record/state-row.ts'
import type { Store } from '../../src/store/store.ts'
import { onlyRow, rowsOf } from './rows.ts'
import { basis, memoryProvider, PURPOSE, sample, testVault } from './vault.ts'

const REALM = 'clinic' as Realm

/** The realm keys of version 1 and the key of epoch 1. */
export async function realmOf(
  store: Store,
  provider: KeyProvider,
): Promise<{ readonly keys: RealmKeys; readonly epoch: Uint8Array }> {
  const { bytes } = await onlyRow(store, 'keyrings')
  const { ring } = decodeRing(bytes, { realm: REALM, provider: provider.id })
  const wrapped = ring.secrets[0]?.wrapped ?? new Uint8Array(0)
  const secret = await provider.unwrap(wrapped, realmContext(REALM, 1))
  const epoch = await provider.unwrap(ring.epochs[0]?.wrapped ?? new Uint8Array(0), epochContext(REALM, 1))
  return { keys: new RealmKeys(REALM, 1, secret), epoch }
}

/** Enrols and reissues until there have been `count` templates, and gives the record secret of each. */
export async function spyOnSecrets(count: number): Promise<readonly string[]> {
  const provider = memoryProvider()
  const { vault, store } = await testVault({ provider })
  const { keys, epoch } = await realmOf(store, provider)
  const secrets: string[] = []
  await vault.enroll({ subject: 'anna', basis: basis(), ...sample(1) })
  for (;;) {
    secrets.push(await recordSecret(store, keys, epoch))
    if (secrets.length === count) return secrets
    await vault.reissue({ subject: 'anna', basis: basis(), ...sample(1) })
  }
}

async function recordSecret(store: Store, keys: RealmKeys, epoch: Uint8Array): Promise<string> {
  const [row] = await rowsOf(store, 'states')
  if (row === undefined) throw new Error('nobody is enrolled')
  const handle = row.key.subarray(REALM.length + 1)
  const name = decodeStateRow(row.bytes, { realm: REALM, handle }, () => keys.state)
  const secret = decodeSecretRow((await onlyRow(store, 'secrets')).bytes, name)
  const opened = openWrap(secret, {
    custody: preparedCustody(0, { custodyKey: keys.custody }),
    binding: { ...name, purpose: PURPOSE, profile: 0, keyVersion: 1 },
    outer: { prepared: hkdfPrepare(epoch), header: secret.header },
  })
  if (opened === undefined) throw new Error('the wrap does not open')
  return toHex(opened.recordSecret)
}
