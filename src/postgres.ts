/** The store on PostgreSQL 14 and later, over a pool of `pg` or one like it. @module */

export { type PostgresStoreOptions, postgresStore } from './store/postgres.ts'
export type { PostgresClient, PostgresPool, PostgresSession } from './store/postgres-connection.ts'
export { migratePostgres } from './store/postgres-migrate.ts'
export { postgresRoles, postgresSchema } from './store/postgres-script.ts'
