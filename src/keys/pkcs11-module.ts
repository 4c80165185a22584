/** What is used of the package `pkcs11js` (PKCS #11 v3.1, Cryptoki), which is optional: nothing here needs it to be there. @module */
/// <reference types="node" />

/** A slot, a session, or an object. */
export type Handle = Buffer

/** An attribute of an object (PKCS #11 v3.1 §4). */
export interface Attribute {
  readonly type: number
  readonly value?: number | boolean | string | Buffer
}

export type Template = Attribute[]

/** Parameters of AES-GCM (PKCS #11 v3.1 §6.13). */
export interface AesGcm {
  readonly type: number
  readonly iv: Buffer
  readonly ivBits: number
  readonly aad: Buffer
  readonly tagBits: number
}

export interface Mechanism {
  readonly mechanism: number
  readonly parameter?: AesGcm
}

/** A loaded library of a token's maker. Its calls throw `Pkcs11Error`. */
export interface Cryptoki {
  load(path: string): void
  C_Initialize(): void
  C_GetSlotList(tokenPresent: boolean): Handle[]
  C_GetTokenInfo(slot: Handle): { readonly label: string }
  C_OpenSession(slot: Handle, flags: number): Handle
  C_CloseSession(session: Handle): void
  C_Login(session: Handle, user: number, pin: string): void
  C_GenerateRandom(session: Handle, into: Buffer): Buffer
  C_GenerateKeyAsync(session: Handle, mechanism: Mechanism, template: Template): Promise<Handle>
  C_CreateObject(session: Handle, template: Template): Handle
  C_DestroyObject(session: Handle, object: Handle): void
  C_FindObjectsInit(session: Handle, template: Template): void
  C_FindObjects(session: Handle, most: number): Handle[]
  C_FindObjectsFinal(session: Handle): void
  C_GetAttributeValue(
    session: Handle,
    object: Handle,
    template: Template,
  ): { readonly type: number; readonly value: unknown }[]
  C_EncryptInit(session: Handle, mechanism: Mechanism, key: Handle): void
  C_EncryptAsync(session: Handle, bytes: Buffer, into: Buffer): Promise<Buffer>
  C_DecryptInit(session: Handle, mechanism: Mechanism, key: Handle): void
  C_DecryptAsync(session: Handle, bytes: Buffer, into: Buffer): Promise<Buffer>
}

type Constant =
  | `CKA_${'APPLICATION' | 'CLASS' | 'DECRYPT' | 'DERIVE' | 'ENCRYPT' | 'EXTRACTABLE' | 'ID' | 'KEY_TYPE' | 'LABEL' | 'LOCAL'}`
  | `CKA_${'MODIFIABLE' | 'NEVER_EXTRACTABLE' | 'PRIVATE' | 'SENSITIVE' | 'SIGN' | 'TOKEN' | 'UNWRAP' | 'VALUE' | 'VALUE_LEN'}`
  | `CKA_${'VERIFY' | 'WRAP'}`
  | 'CKF_RW_SESSION'
  | 'CKF_SERIAL_SESSION'
  | 'CKK_AES'
  | 'CKM_AES_GCM'
  | 'CKM_AES_KEY_GEN'
  | 'CKO_DATA'
  | 'CKO_SECRET_KEY'
  | 'CKU_USER'
  | 'CK_PARAMS_AES_GCM_v240'

export type Pkcs11Module = Readonly<Record<Constant, number>> & { readonly PKCS11: new () => Cryptoki }
