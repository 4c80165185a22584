/** Writes a vault's log and proofs of it into a folder, for a verifier in another language. Usage: node .ci/log.mjs FOLDER @module */
import { createWriteStream, writeFileSync } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { allowUnattestedCapture, createKeyring, embedding, logSigner, memoryStore, openVault } from 'guise'
import { openCheckpoint, storedLog } from 'guise/audit'
import { calibrate } from 'guise/evaluate'
import { memoryKeyProvider, syntheticPeople } from 'guise/testing'

const folder = process.argv[2] ?? '.'
const hex = (bytes) => Buffer.from(bytes).toString('hex')
const model = { id: 'log@1', dimensions: 128, metric: 'cosine' }
const others = syntheticPeople({ seed: 'others', subjects: 130, samples: 2, dimensions: 128 })
const { operatingPoint } = await calibrate(others, { model, falseMatchRate: 1e-4 })
const store = memoryStore()
const keyring = await createKeyring({ realm: 'clinic', provider: memoryKeyProvider(), store })
const signer = await logSigner('clinic.example/guise', crypto.getRandomValues(new Uint8Array(32)))
const custody = { profile: 'operator' }
const options = {
  keyring,
  store,
  model,
  purpose: 'login',
  operatingPoints: [operatingPoint],
  custody,
  logSigner: signer,
}
const vaults = [await openVault(options), await openVault(options)]
const now = Date.now()
const basis = {
  kind: 'consent',
  purpose: 'login',
  grantedAt: new Date(now),
  expiresAt: new Date(now + 86_400_000),
  noticeVersion: '2026-11',
  evidence: new Uint8Array(32),
  separateConsent: true,
}
const face = (person) =>
  embedding(
    Float32Array.from({ length: 128 }, (_, i) => Math.sin(i * i + person)),
    model,
  )
const log = storedLog(store, 'clinic')
const notes = []
for (let round = 0; round < 8; round++) {
  await Promise.all(
    vaults.map(async (vault, i) => {
      const subject = `p${round}-${i}`
      await vault.enroll(
        { subject, basis, embedding: face(round), [allowUnattestedCapture]: true },
        { actor: 'desk-4' },
      )
      for (const person of [round, round + 1]) {
        await vault.verify({ subject, embedding: face(person), [allowUnattestedCapture]: true })
      }
      await (round % 2 === 0 ? vault.suspend(subject) : vault.revoke(subject, 'other'))
    }),
  )
  notes.push((await log.checkpoint()).note)
}
for (const vault of vaults) await vault.close()
await pipeline(log.export(), createWriteStream(`${folder}/log`))
const newest = await log.checkpoint()
const inclusion = []
for (let index = 0; index < newest.size; index++) {
  const { hashes, checkpoint } = await log.inclusion(index)
  inclusion.push({ index, entry: hex(await log.entry(index)), hashes: hashes.map(hex), checkpoint })
}
const consistency = []
for (const note of notes) {
  const { size } = openCheckpoint(note, signer.verifierKey)
  consistency.push({
    older: note,
    newer: newest.note,
    hashes: (await log.consistency(size, newest.size)).map(hex),
  })
}
writeFileSync(`${folder}/key`, signer.verifierKey)
writeFileSync(`${folder}/older`, notes[2])
writeFileSync(`${folder}/proofs.json`, JSON.stringify({ inclusion, consistency }))
