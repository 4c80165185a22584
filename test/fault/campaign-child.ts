/** Child process that rotates a realm with its keyring and no vault, until it is done or killed. @module */
/// <reference types="node" />

import { writeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { openKeyring } from '../../src/keys/keyring.ts'
import { localKeyProvider } from '../../src/keys/local.ts'
import { rotateCampaign } from '../../src/vault/campaign-rotate.ts'
import { openWorldStore, providerKey, REALM } from './vault-world.ts'

/** A line for so many wraps: kills are counted in lines. */
const EACH = 5

const [directory = '', rate = ''] = process.argv.slice(2)
const store = await openWorldStore(directory)
const provider = localKeyProvider({ path: join(dirname(directory), 'keys'), key: providerKey() })
const keyring = await openKeyring({ realm: REALM, provider, store })
writeSync(1, 'ready\n')
const { complete, failed, changed } = await rotateCampaign({
  keyring,
  store,
  retire: true,
  ...(rate === '' ? {} : { perSecond: Number(rate) }),
  onProgress: ({ done }) => {
    if (done % EACH === 0) writeSync(1, `${done}\n`)
  },
})
writeSync(1, `end ${JSON.stringify({ complete, failed, changed })}\n`)
keyring.close()
provider.close()
await store.close()
