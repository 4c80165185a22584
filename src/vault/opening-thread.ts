/** What a thread runs that opens the members of a gallery: pages come, are opened, and go back (SPEC §16.4). @module */

import { builtinModule } from '../base/builtin.ts'
import { cryptoReady } from '../crypto/sodium.ts'
import { openPage, type PageSetting } from './opening-page.ts'

/** What is used of Node's worker threads. */
interface ThreadModule {
  readonly workerData: PageSetting
  readonly parentPort: {
    on(event: 'message', listener: (page: ArrayBuffer) => void): unknown
    postMessage(page: ArrayBuffer, transfer: readonly ArrayBuffer[]): void
  }
}

const { workerData, parentPort } = builtinModule('node:worker_threads') as ThreadModule

await cryptoReady()
parentPort.on('message', (page) => {
  openPage(page, workerData)
  parentPort.postMessage(page, [page])
})
