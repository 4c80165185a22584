/** Keys in an HSM, or in any other token that speaks PKCS#11, through the optional package pkcs11js. @module */

export { type Pkcs11KeyOptions, type Pkcs11KeyProvider, pkcs11KeyProvider } from './keys/pkcs11.ts'
