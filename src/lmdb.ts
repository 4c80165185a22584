/** The embedded durable store; needs the optional peer `lmdb`. @module */

export { type LmdbStore, type LmdbStoreOptions, lmdbStore } from './store/lmdb.ts'
export { restoreLmdb } from './store/lmdb-backup.ts'
