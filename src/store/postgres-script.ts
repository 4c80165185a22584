/** The schema and its roles as scripts for whoever runs the server (SPEC §10.5). @module */

import { checkInteger, checkObject } from '../base/check.ts'
import { rejectInput } from './errors.ts'
import { checkSchema, DEFAULT_SCHEMA, ledgerSql, migrations, SCHEMA_VERSION } from './postgres-schema.ts'
import { TABLES } from './store.ts'

/**
 * What `migratePostgres` runs, as one transaction for psql: from version `from` (default 0, nothing there yet) to
 * the version that this release works with.
 */
export function postgresSchema(options: { readonly schema?: string; readonly from?: number } = {}): string {
  const given = checkObject(options, 'options', rejectInput)
  const schema = checkSchema(given['schema'] ?? DEFAULT_SCHEMA)
  const from = checkInteger(given['from'] ?? 0, 'from', [0, SCHEMA_VERSION], rejectInput)
  const steps = migrations(schema)
    .slice(from)
    .map((sql, i) => `${sql}${recordSql(schema, from + i + 1)}`)
  const head = from === 0 ? `CREATE SCHEMA IF NOT EXISTS "${schema}";\n${ledgerSql(schema)}` : ''
  return `BEGIN;\n${head}${steps.join('')}COMMIT;\n`
}

/** Notes that a version of the schema is there. */
export function recordSql(schema: string, version: number): string {
  return `INSERT INTO "${schema}".migration (version) VALUES (${version});\n`
}

/**
 * Three roles that nobody logs in as, to be granted to those who do. `<schema>_migrator` owns everything,
 * `<schema>_vault` reads and writes rows, `<schema>_auditor` reads queue and log. Run it again after a migration.
 */
export function postgresRoles(options: { readonly schema?: string } = {}): string {
  const given = checkObject(options, 'options', rejectInput)
  const schema = checkSchema(given['schema'] ?? DEFAULT_SCHEMA)
  const [migrator, vault, auditor] = ['migrator', 'vault', 'auditor'].map((role) => `"${schema}_${role}"`)
  const place = `"${schema}"`
  const own = [...TABLES, 'queue_pending', 'queue_head', 'migration'].map((table) => `${place}."${table}"`)
  const data = [...TABLES, 'queue_pending'].map((table) => `${place}."${table}"`).join(', ')
  const functions = [`${place}.commit_1`, `${place}.sequence_1`, `${place}.read_1`]
  return `BEGIN;
${[migrator, vault, auditor].map(roleSql).join('')}ALTER SCHEMA ${place} OWNER TO ${migrator};
${own.map((table) => `ALTER TABLE ${table} OWNER TO ${migrator};\n`).join('')}${functions
  .map(
    (name) => `ALTER FUNCTION ${name} OWNER TO ${migrator};\nREVOKE ALL ON FUNCTION ${name} FROM PUBLIC;\n`,
  )
  .join('')}REVOKE ALL ON SCHEMA ${place} FROM PUBLIC;
GRANT USAGE ON SCHEMA ${place} TO ${vault}, ${auditor};
GRANT SELECT ON ${place}.migration TO ${vault}, ${auditor};
GRANT SELECT, INSERT, UPDATE, DELETE ON ${data} TO ${vault};
GRANT SELECT, UPDATE ON ${place}.queue_head TO ${vault};
GRANT EXECUTE ON FUNCTION ${functions.join(', ')} TO ${vault};
GRANT EXECUTE ON FUNCTION ${place}.read_1 TO ${auditor};
GRANT SELECT ON ${place}.queue, ${place}.queue_pending, ${place}.log TO ${auditor};
COMMIT;
`
}

function roleSql(role: string | undefined): string {
  return `DO $guise$ BEGIN CREATE ROLE ${role} NOLOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $guise$;\n`
}
