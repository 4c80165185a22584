/** The child process of the fault tests: runs a driver, or verifies directories named on its input. @module */
/// <reference types="node" />

import { writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Driver } from './driver.ts'

const [command = '', module = '', directory = '', seed = '0', rounds = '0', early = ''] =
  process.argv.slice(2)
const { driver } = (await import(new URL(module, import.meta.url).href)) as { driver: Driver }

if (command === 'run') {
  const options = { seed: Number(seed), rounds: Number(rounds), early: early === 'early' }
  await driver.run(directory, options, (token) => {
    writeSync(1, `ack ${token}\n`)
  })
} else {
  // One line in, one line out: {directory, acknowledged} to {lost, torn}.
  for await (const line of createInterface({ input: process.stdin })) {
    const request = JSON.parse(line) as { directory: string; acknowledged: string[] }
    let answer: object
    try {
      answer = await driver.verify(request.directory, request.acknowledged)
    } catch (error) {
      answer = { lost: [], torn: [`not readable: ${String(error)}`] }
    }
    writeSync(1, `${JSON.stringify(answer)}\n`)
  }
}
