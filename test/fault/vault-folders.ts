/** What child processes that open a vault are made of. @module */

/** Folders of the library, without the floors above the vault. */
export const VAULT_FOLDERS: readonly string[] = [
  'base',
  'crypto',
  'store',
  'embedding',
  'policy',
  'audit',
  'transform',
  'capture',
  'keys',
  'template',
  'compare',
  'seal',
  'record',
  'gallery',
  'vault',
].map((folder) => `src/${folder}`)
