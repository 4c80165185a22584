/** Whether there is a store before one is opened: a mistyped path shows as one, and nothing is made on the way. @module */
/// <reference types="node" />

import { accessSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { StoreError } from '../store/errors.ts'
import { DATA_FILE } from '../store/lmdb-files.ts'

/** Refuses a place that does not exist, and a folder that holds no store: opening it would put an empty one there. */
export function needStore(...paths: readonly (string | undefined)[]): void {
  for (const path of paths) {
    if (path === undefined) continue
    accessSync(path)
    if (!existsSync(join(path, DATA_FILE)))
      throw new StoreError('ERR_STORE_INPUT', `there is no store in ${path}`)
  }
}
