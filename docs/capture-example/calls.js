// @ts-check
/** What goes to the example's server and comes back. */

/** What a server says to a capture. */
/** @typedef {'enrolled' | 'known' | 'match' | 'nonmatch' | 'second-factor' | 'refused'} Outcome */

/**
 * Tells the server the device's public key.
 *
 * @param {import('guise/capture').TokenSigner} signer
 * @returns {Promise<void>}
 */
export async function enrolDevice(signer) {
  await call('/api/device', signer.key.publicKey)
}

/**
 * @param {{ subject: string, purpose: string, device: string }} request
 * @returns {Promise<Uint8Array>} the challenge, as it came
 */
export async function challenge(request) {
  return call(`/api/challenge?${new URLSearchParams(request)}`)
}

/**
 * Sends what was sealed, and gives the very text of the answer.
 *
 * @param {'enroll' | 'verify'} verb
 * @param {{ subject: string, purpose: string }} scope
 * @param {Uint8Array} sealed
 * @returns {Promise<string>}
 */
export async function send(verb, scope, sealed) {
  return new TextDecoder().decode(await call(`/api/${verb}?${new URLSearchParams(scope)}`, sealed))
}

/**
 * @param {string} answer
 * @returns {Outcome}
 */
export function outcomeOf(answer) {
  return JSON.parse(answer).outcome
}

/**
 * @param {string} path
 * @param {Uint8Array} [body]
 * @returns {Promise<Uint8Array>}
 */
async function call(path, body) {
  const response = await fetch(path, {
    method: 'POST',
    headers: { 'content-type': 'application/octet-stream' },
    body: new Uint8Array(body ?? []),
  })
  if (!response.ok) throw new Error(`the server answered ${response.status}`)
  return new Uint8Array(await response.arrayBuffer())
}
