/** A token of SoftHSM2 in a folder of its own; one library a process, so one configuration a test file. @module */

import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface SoftToken {
  readonly module: string
  readonly token: string
  readonly pin: string
  /** What a process needs in its environment to see the token. */
  readonly env: { readonly SOFTHSM2_CONF: string }
  /** Where the token keeps its objects. */
  readonly folder: string
  remove(): void
}

/** Debian has it in the first place on every machine, other systems elsewhere. */
const PLACES = [
  '/usr/lib/softhsm/libsofthsm2.so',
  '/usr/lib64/softhsm/libsofthsm2.so',
  '/usr/local/lib/softhsm/libsofthsm2.so',
  '/opt/homebrew/lib/softhsm/libsofthsm2.so',
]

/** Makes a token. A machine without SoftHSM2 fails here, because a skipped proof looks like a passed one. */
export function softToken(label = 'clinic'): SoftToken {
  const module = process.env['GUISE_SOFTHSM'] ?? PLACES.find((path) => existsSync(path))
  if (module === undefined) throw new Error('SoftHSM2 is not installed: apt-get install softhsm2')
  const base = mkdtempSync(join(tmpdir(), 'guise-softhsm-'))
  const folder = join(base, 'tokens')
  mkdirSync(folder)
  const configuration = join(base, 'softhsm2.conf')
  writeFileSync(
    configuration,
    `directories.tokendir = ${folder}\nobjectstore.backend = file\nlog.level = ERROR\n`,
  )
  const env = { SOFTHSM2_CONF: configuration }
  const pin = '4831'
  const init = ['--init-token', '--free', '--label', label, '--pin', pin, '--so-pin', '123456']
  execFileSync('softhsm2-util', init, { env: { ...process.env, ...env }, stdio: 'pipe' })
  // The library reads it when it is initialised, in this process.
  process.env['SOFTHSM2_CONF'] = configuration
  return {
    module,
    token: label,
    pin,
    env,
    folder,
    remove: () => rmSync(base, { recursive: true, force: true }),
  }
}
