// @ts-check
/** The device's key: made once, kept by the browser, and never readable, neither by this page nor by one that takes its place. */

import { deviceId, platformSigner } from 'guise/capture'

const DATABASE = 'guise-capture-example'
const TABLE = 'keys'

/**
 * The signer of this browser, and the id by which a desk knows its key.
 *
 * @returns {Promise<{ signer: import('guise/capture').TokenSigner, id: string }>}
 */
export async function thisDevice() {
  const signer = await platformSigner(await keyPair())
  return { signer, id: deviceId(signer.key) }
}

/**
 * A key that nobody has enrolled.
 *
 * @returns {Promise<{ signer: import('guise/capture').TokenSigner, id: string }>}
 */
export async function strangeDevice() {
  const signer = await platformSigner(await newPair())
  return { signer, id: deviceId(signer.key) }
}

/** @returns {Promise<CryptoKeyPair>} */
function newPair() {
  return crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign', 'verify'])
}

/** @returns {Promise<CryptoKeyPair>} */
async function keyPair() {
  const database = await opened()
  try {
    const known = await answer(database.transaction(TABLE).objectStore(TABLE).get('device'))
    if (known !== undefined) return known
    const made = await newPair()
    // Another tab may have been faster: then its key is the device's.
    const table = database.transaction(TABLE, 'readwrite').objectStore(TABLE)
    await answer(table.add(made, 'device')).catch(() => undefined)
    return await answer(database.transaction(TABLE).objectStore(TABLE).get('device'))
  } finally {
    database.close()
  }
}

/** @returns {Promise<IDBDatabase>} */
function opened() {
  const request = indexedDB.open(DATABASE, 1)
  request.addEventListener('upgradeneeded', () => request.result.createObjectStore(TABLE))
  return answer(request)
}

/**
 * @template Value
 * @param {IDBRequest<Value>} request
 * @returns {Promise<Value>}
 */
function answer(request) {
  return new Promise((resolve, reject) => {
    request.addEventListener('success', () => resolve(request.result))
    request.addEventListener('error', (event) => {
      event.preventDefault()
      reject(request.error ?? new Error('the browser keeps no keys'))
    })
  })
}
