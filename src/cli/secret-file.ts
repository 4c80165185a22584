/** A file that only its owner reads, written once. @module */
/// <reference types="node" />

import { closeSync, fsyncSync, openSync, rmSync, writeSync } from 'node:fs'

/** Refuses a file that exists; what was written of one that failed is removed. */
export function writeSecret(path: string, bytes: Uint8Array): void {
  const fd = openSync(path, 'wx', 0o600)
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at)
    fsyncSync(fd)
  } catch (error) {
    rmSync(path, { force: true })
    throw error
  } finally {
    closeSync(fd)
  }
}
