// @ts-check
/** Captures that are hijacked on their way, or before it, and what the server answers. */

import { sealCapture } from 'guise/capture'
import { challenge, enrolDevice, send } from './calls.js'
import { strangeDevice, thisDevice } from './device.js'
import { divert, plaintextOf, readChallenge, sealAnything } from './forge.js'
import { embed, model } from './model.js'
import { drawnPicture } from './picture.js'

/** @typedef {{ signer: import('guise/capture').TokenSigner, id: string }} Device */
/** @typedef {{ readonly subject: string, readonly purpose: string }} Scope */
/**
 * `run` gives the text of the server's answer to the hijacked capture.
 *
 * @typedef {{ readonly id: string, readonly title: string, readonly text: string, readonly wanted: string, run(): Promise<string> }} Attack
 */

const LOGIN = 'login'
/** Somebody new each time the page loads: their captures were never seen before. */
const VICTIM = `victim-${crypto.randomUUID().slice(0, 8)}`
const SCOPE = { subject: VICTIM, purpose: LOGIN }

/** @type {Promise<{ device: Device, recorded: Float32Array }> | undefined} */
let begun

/** The device is enrolled, and so is the victim, with a vector that an attacker has recorded. */
function begin() {
  begun ??= (async () => {
    const device = await thisDevice()
    await enrolDevice(device.signer)
    const recorded = await vectorOf(VICTIM)
    await send('enroll', SCOPE, await captured(device, SCOPE, recorded))
    return { device, recorded }
  })()
  return begun
}

/**
 * @param {string} person
 * @returns {Promise<Float32Array>}
 */
async function vectorOf(person) {
  return (await embed(drawnPicture(person))).vector
}

/**
 * A capture as the page makes it, of the challenge that is given or a new one.
 *
 * @param {Device} device
 * @param {Scope} scope
 * @param {Float32Array} vector
 * @param {Uint8Array} [question]
 * @returns {Promise<Uint8Array>}
 */
async function captured(device, scope, vector, question) {
  return sealCapture({
    challenge: question ?? (await challenge({ ...scope, device: device.id })),
    vector,
    model,
    conditions: { masked: false, glasses: false, quality: 80 },
    intent: true,
    signer: device.signer,
  })
}

/** @type {readonly Attack[]} */
export const attacks = [
  {
    id: 'honest',
    title: 'No attack',
    text: 'The victim logs in. Without this the refusals below would say nothing.',
    wanted: 'match',
    run: async () => {
      const { device } = await begin()
      return send('verify', SCOPE, await captured(device, SCOPE, await vectorOf(VICTIM)))
    },
  },
  {
    id: 'replayed-capture',
    title: 'A capture, sent again',
    text: 'What went over the network a moment ago and was accepted, byte for byte.',
    wanted: 'refused',
    run: async () => {
      const { device } = await begin()
      const sealed = await captured(device, SCOPE, await vectorOf(VICTIM))
      await send('verify', SCOPE, sealed)
      return send('verify', SCOPE, sealed)
    },
  },
  {
    id: 'replayed-clip',
    title: 'A recorded clip',
    text: 'The camera is fed the picture of an earlier login; the device signs it for a new question.',
    wanted: 'refused',
    run: async () => {
      const { device } = await begin()
      const clip = await vectorOf(VICTIM)
      await send('verify', SCOPE, await captured(device, SCOPE, clip))
      return send('verify', SCOPE, await captured(device, SCOPE, clip))
    },
  },
  {
    id: 'altered-vector',
    title: 'Other numbers under a real statement',
    text: 'The device signs what it sees of a stranger; the victim’s numbers are put in before it is sealed.',
    wanted: 'refused',
    run: async () => {
      const { device } = await begin()
      const question = await challenge({ ...SCOPE, device: device.id })
      const { signed, signature } = await overheard(device, question, await vectorOf('a stranger'))
      const plaintext = plaintextOf(signed, signature, await vectorOf(VICTIM))
      return send('verify', SCOPE, await sealAnything(plaintext, question))
    },
  },
  {
    id: 'altered-bit',
    title: 'One bit on the way',
    text: 'The last bit of a sealed capture is turned.',
    wanted: 'refused',
    run: async () => {
      const { device } = await begin()
      const sealed = Uint8Array.from(await captured(device, SCOPE, await vectorOf(VICTIM)))
      sealed[sealed.length - 1] = (sealed.at(-1) ?? 0) ^ 1
      return send('verify', SCOPE, sealed)
    },
  },
  {
    id: 'stale-nonce',
    title: 'An old question',
    text: 'A capture that answers a question of ten seconds ago: it was good then, and nobody used it.',
    wanted: 'refused',
    run: async () => {
      const { device } = await begin()
      const question = await challenge({ ...SCOPE, device: device.id })
      await expired(question)
      return send('verify', SCOPE, await captured(device, SCOPE, await vectorOf(VICTIM), question))
    },
  },
  {
    id: 'wrong-purpose',
    title: 'Asked for something else',
    text: 'The person agreed to a newsletter; the capture is presented as a login.',
    wanted: 'refused',
    run: async () => {
      const { device } = await begin()
      const other = { subject: VICTIM, purpose: 'newsletter' }
      return send('verify', SCOPE, await captured(device, other, await vectorOf(VICTIM)))
    },
  },
  {
    id: 'stolen-statement',
    title: 'Somebody else’s capture',
    text: 'Mallory was asked, and answered; the capture is presented for the victim.',
    wanted: 'refused',
    run: async () => {
      const { device } = await begin()
      const mallory = { subject: 'mallory', purpose: LOGIN }
      return send('verify', SCOPE, await captured(device, mallory, await vectorOf(VICTIM)))
    },
  },
  {
    id: 'sealed-anew',
    title: 'Opened by another, and sealed anew',
    text: 'The device is given a key of the attacker’s to seal to; they open the capture, and seal it to the server.',
    wanted: 'refused',
    run: async () => {
      const { device } = await begin()
      const question = await challenge({ ...SCOPE, device: device.id })
      const diverted = await divert(question)
      const sealed = await captured(device, SCOPE, await vectorOf(VICTIM), diverted.challenge)
      return send('verify', SCOPE, await sealAnything(await diverted.open(sealed), question))
    },
  },
  {
    id: 'unknown-device',
    title: 'A device that nobody enrolled',
    text: 'Everything is right but the key: it was made a moment ago.',
    wanted: 'refused',
    run: async () => {
      await begin()
      return send('verify', SCOPE, await captured(await strangeDevice(), SCOPE, await vectorOf(VICTIM)))
    },
  },
  {
    id: 'near-repeat',
    title: 'A recording, changed a little',
    text: 'What was recorded at the enrolment, with one number moved: a new probe, and one that agrees too well to be a new picture.',
    wanted: 'second-factor',
    run: async () => {
      const { device, recorded } = await begin()
      const moved = Float32Array.from(recorded)
      const at = Math.floor(Math.random() * moved.length)
      moved[at] = (moved[at] ?? 0) + 1 + Math.random()
      return send('verify', SCOPE, await captured(device, SCOPE, moved))
    },
  },
]

/**
 * What the device signs, and its signature.
 *
 * @param {Device} device
 * @param {Uint8Array} question
 * @param {Float32Array} vector
 * @returns {Promise<{ signed: Uint8Array, signature: Uint8Array }>}
 */
async function overheard(device, question, vector) {
  let signed = new Uint8Array()
  let signature = new Uint8Array()
  const sign = async (/** @type {Uint8Array} */ message) => {
    signed = Uint8Array.from(message)
    signature = Uint8Array.from(await device.signer.sign(message))
    return signature
  }
  await captured({ ...device, signer: { key: device.signer.key, sign } }, SCOPE, vector, question)
  return { signed, signature }
}

/**
 * Waits until a challenge is good for nothing: its nonce begins with the instant, in milliseconds.
 *
 * @param {Uint8Array} question
 */
async function expired(question) {
  const { nonce } = readChallenge(question)
  const at = nonce.subarray(0, 6).reduce((sum, byte) => 256 * sum + byte, 0)
  while (Date.now() <= at) await new Promise((resolve) => setTimeout(resolve, at - Date.now() + 1))
}
