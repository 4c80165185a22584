/** One session with a token: found by its label, logged in, opened anew after it broke (SPEC §4.8). @module */
/// <reference types="node" />

import type { Secret } from '../base/secret.ts'
import { KeysError } from './errors.ts'
import { endsSession, isReturned, tokenFailure } from './pkcs11-errors.ts'
import type { Cryptoki, Handle, Pkcs11Module } from './pkcs11-module.ts'

/** A session that is open. Its handles die with it. */
export interface OpenToken {
  readonly api: Cryptoki
  readonly constants: Pkcs11Module
  readonly session: Handle
}

/** Where the token is and what opens it. */
export interface TokenPlace {
  /** Path of the maker's library. */
  readonly module: string
  readonly label: string
  readonly pin: Secret
}

/** The library is loaded and initialised once a process, whoever asks for it. */
const LIBRARIES: Map<string, Cryptoki> = new Map()

/** A token in one process. Not for two calls at once: a session does one thing at a time. */
export class Token {
  readonly #place: TokenPlace
  #open: OpenToken | undefined
  /** A PIN that was refused is not tried again: tokens lock themselves after a few. */
  #refused: KeysError | undefined

  constructor(place: TokenPlace) {
    this.#place = place
  }

  /** Runs a task in the session. What the token refuses becomes a `KeysError`. */
  async run<Result>(task: (token: OpenToken) => Promise<Result>): Promise<Result> {
    if (this.#refused !== undefined) throw this.#refused
    try {
      this.#open ??= await this.#start()
      return await task(this.#open)
    } catch (error) {
      const failure = tokenFailure(error)
      // Whatever state it was left in: the next call begins with a session of its own.
      if (endsSession(error)) this.close()
      throw failure
    }
  }

  close(): void {
    const open = this.#open
    this.#open = undefined
    try {
      open?.api.C_CloseSession(open.session)
    } catch {
      // A token that is gone has closed it already.
    }
  }

  async #start(): Promise<OpenToken> {
    const constants = await loadModule()
    const api = loadLibrary(constants, this.#place.module)
    const slot = findSlot(api, this.#place.label)
    const session = api.C_OpenSession(slot, constants.CKF_SERIAL_SESSION | constants.CKF_RW_SESSION)
    const open = { api, constants, session }
    try {
      this.#login(open)
      return open
    } catch (error) {
      api.C_CloseSession(session)
      throw error
    }
  }

  #login({ api, constants, session }: OpenToken): void {
    try {
      const pin = this.#place.pin.use((bytes) => new TextDecoder().decode(bytes))
      api.C_Login(session, constants.CKU_USER, pin)
    } catch (error) {
      // Sessions of one process share their login.
      if (isReturned(error, 'CKR_USER_ALREADY_LOGGED_IN')) return
      const failure = tokenFailure(error)
      if (failure.code === 'ERR_KEYS_DENIED') this.#refused = failure
      throw failure
    }
  }
}

/** A name that compilers and bundlers do not look up. */
const PACKAGE: string = 'pkcs11js'

async function loadModule(): Promise<Pkcs11Module> {
  try {
    const module = (await import(PACKAGE)) as Pkcs11Module & { readonly default?: Pkcs11Module }
    return module.default ?? module
  } catch (cause) {
    throw new KeysError('ERR_KEYS_ABSENT', 'the package pkcs11js is not installed, or not built', { cause })
  }
}

function loadLibrary({ PKCS11: Library }: Pkcs11Module, path: string): Cryptoki {
  const known = LIBRARIES.get(path)
  if (known !== undefined) return known
  const api = new Library()
  try {
    api.load(path)
  } catch (cause) {
    throw new KeysError('ERR_KEYS_ABSENT', 'the library of the token cannot be loaded', { cause })
  }
  try {
    api.C_Initialize()
  } catch (error) {
    // Somebody else in this process uses the same library.
    if (!isReturned(error, 'CKR_CRYPTOKI_ALREADY_INITIALIZED')) throw error
  }
  LIBRARIES.set(path, api)
  return api
}

function findSlot(api: Cryptoki, label: string): Handle {
  const slots = api.C_GetSlotList(true).filter((slot) => api.C_GetTokenInfo(slot).label.trimEnd() === label)
  const [slot] = slots
  if (slot === undefined)
    throw new KeysError('ERR_KEYS_PROVIDER', 'there is no token of this label at the moment')
  if (slots.length > 1) throw new KeysError('ERR_KEYS_INPUT', 'two tokens have this label')
  return slot
}
