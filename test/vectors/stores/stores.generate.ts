/** Writes the store of the present formats, once: a file that is there stays as it is. `npm run vectors` runs it. @module */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { memoryStore } from 'guise'
import { expect, test } from 'vitest'
import manifest from '../../../package.json' with { type: 'json' }
import { toHex } from '../../../src/base/bytes.ts'
import {
  deviceOf,
  keyFiles,
  MODEL,
  openStored,
  PURPOSE,
  REALMS,
  rowsFrom,
  type StoredFile,
  type StoredPerson,
  type StoredRealm,
  sampleFrom,
  vectorText,
} from '../../support/stored.ts'
import { face } from '../../support/vault.ts'

const PATH = fileURLToPath(new URL('1.json', import.meta.url))
const AT = Date.UTC(2026, 10, 23)
const YEAR_MS = 365 * 86_400_000
const STATES = {
  clinic: ['active', 'active', 'active', 'revoked', 'suspended', 'held', 'erased', 'active', 'expired'],
  ward: ['active', 'active', 'revoked'],
} as const satisfies Record<StoredRealm, readonly string[]>

function peopleOf(realm: StoredRealm): readonly StoredPerson[] {
  const first = realm === 'clinic' ? 0 : 100
  return STATES[realm].map((state, i) => ({
    realm,
    subject: `${realm} person ${i}`,
    state,
    enrolled: vectorText(face(first + i, 0, MODEL.dimensions)),
    probe: vectorText(face(first + i, 1, MODEL.dimensions)),
  }))
}

function basisOf({ realm, state }: StoredPerson, number: number) {
  const contract = realm === 'ward' && number === 1
  const young = number === 2 ? { under14: true, guardianEvidence: new Uint8Array(32).fill(3) } : {}
  return {
    kind: contract ? 'contract' : 'consent',
    purpose: PURPOSE,
    grantedAt: new Date(AT - 60_000),
    expiresAt: new Date(AT + (state === 'expired' ? 1000 : YEAR_MS)),
    noticeVersion: `2026-0${1 + (number % 3)}`,
    evidence: new Uint8Array(32).fill(7),
    separateConsent: !contract,
    ...young,
  } as const
}

test('1.json', async () => {
  if (existsSync(PATH)) return

  const folder = mkdtempSync(join(tmpdir(), 'guise-stored-'))
  const [providerKey, logSeed, deviceSecret] = [1, 2, 3].map((seed) => new Uint8Array(32).fill(seed)) as [
    Uint8Array<ArrayBuffer>,
    Uint8Array<ArrayBuffer>,
    Uint8Array<ArrayBuffer>,
  ]
  const store = memoryStore()
  const place = { store, keys: join(folder, 'keys'), providerKey, logSeed, atMs: AT }
  let receipt: StoredFile['receipt'] | undefined
  for (const realm of REALMS) {
    const { vault, keyring, close } = await openStored(place, realm, true)
    const share = realm === 'ward' ? { holderShare: deviceOf(deviceSecret) } : {}
    for (const [number, person] of peopleOf(realm).entries()) {
      const { subject, state, enrolled, probe } = person
      await vault.enroll({ subject, basis: basisOf(person, number), ...sampleFrom(enrolled), ...share })
      await vault.verify({ subject, ...sampleFrom(probe), ...share }, { actor: 'gate-1' })
      // Wraps under two epochs, templates of a second generation.
      if (number === 1) await keyring.promote(await keyring.add())
      if (number === 2)
        await vault.reissue({ subject, basis: basisOf(person, number), ...sampleFrom(enrolled), ...share })
      if (state === 'revoked') await vault.revoke(subject, 'lost-device')
      if (state === 'suspended') await vault.suspend(subject)
      if (state === 'held') await vault.hold(subject)
      if (state !== 'erased') continue
      const { statement, signature } = await vault.erase(subject)
      const publicKey = toHex(await keyring.receiptPublicKey())
      receipt = { statement: toHex(statement), signature: toHex(signature), publicKey }
    }
    const [first] = peopleOf(realm)
    // Failures are counted.
    if (first !== undefined)
      await vault.verify({ subject: first.subject, ...sampleFrom(vectorText(face(50))), ...share })
    await close()
  }
  if (receipt === undefined) throw new Error('nobody was erased')
  const file: StoredFile = {
    source:
      'SPEC.md §12.9, written by the library; faces are seeded random numbers, keys and seeds are constants',
    about:
      'Rows of a store by table, key and bytes in hexadecimal, with the files of its local key provider and what opens them; vectors are float32 in little-endian order, base64. Never written again.',
    guise: manifest.version,
    specification: '1',
    licence: 'Apache-2.0',
    at: AT,
    providerKey: toHex(providerKey),
    logSeed: toHex(logSeed),
    deviceSecret: toHex(deviceSecret),
    receipt,
    people: REALMS.flatMap(peopleOf),
    keys: keyFiles(place.keys),
    rows: await rowsFrom(store),
  }
  rmSync(folder, { recursive: true })
  const text = `${JSON.stringify(file, undefined, 1)}\n`
  expect(text.length).toBeLessThan(200_000)
  writeFileSync(PATH, text, { flag: 'wx' })
})
