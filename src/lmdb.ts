/** The embedded durable store; needs the optional peer `lmdb`. @module */

export { type LmdbStoreOptions, lmdbStore } from './store/lmdb.ts'
