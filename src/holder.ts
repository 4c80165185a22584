/** What runs on a person's device: the share that opens one template. No WebAssembly, no store. @module */

export { KeysError } from './keys/errors.ts'
export { type HolderContext, type HolderShare, holderShare } from './keys/holder.ts'
