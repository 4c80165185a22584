/** The tables and functions of a store in PostgreSQL, as SQL (SPEC §10.5). @module */

import { checkText } from '../base/check.ts'
import { rejectInput } from './errors.ts'
import { OPERATION } from './postgres-commit.ts'
import { ISOLATION, REFUSED, TOO_LATE } from './postgres-failure.ts'
import { TABLES, type Table } from './store.ts'

/** The version that this release works with. */
export const SCHEMA_VERSION = 3
export const DEFAULT_SCHEMA = 'guise'

/** How many appended rows get their keys at once; more than a page, so that a page that is not full is the last. */
const SEQUENCED_ROWS = 4096

/** A schema name that needs no escapes and leaves room for the names made from it. */
export function checkSchema(value: unknown): string {
  return checkText(value, 'schema', { maxBytes: 48, pattern: /^[a-z_][a-z0-9_]*$/ }, rejectInput)
}

/** The steps from one version of the schema to the next, the first from nothing. */
export function migrations(schema: string): readonly string[] {
  const place = `"${schema}"`
  const tables = TABLES.map((table) => tableSql(place, table)).join('')
  const unsampled = [...TABLES, 'queue_pending'].map((table) => unsampledSql(place, table)).join('')
  return [`${tables}${queueSql(place)}${commitSql(place)}${sequenceSql(place)}`, readSql(place), unsampled]
}

/**
 * What ANALYZE samples of a column stays in the server's statistics, vacuum or not, when the rows are gone. Changing a type to
 * itself drops what was sampled and rewrites nothing; it sets the storage to the type's own.
 */
function unsampledSql(place: string, table: string): string {
  const columns = table === 'queue_pending' ? ['bytes'] : ['key', 'bytes']
  const changes = [
    ...columns.map((column) => `ALTER COLUMN ${column} TYPE bytea, ALTER COLUMN ${column} SET STATISTICS 0`),
    'ALTER COLUMN bytes SET STORAGE EXTERNAL',
  ]
  return `ALTER TABLE ${place}."${table}" ${changes.join(', ')};
`
}

/** What every version stands on. Idempotent; the schema itself is made before. */
export function ledgerSql(schema: string): string {
  return `CREATE TABLE IF NOT EXISTS "${schema}".migration (
  version integer PRIMARY KEY,
  applied timestamptz NOT NULL DEFAULT now()
);
`
}

/** Tables that are changed row by row and often have room in their pages for the next version of a row. */
const BUSY_TABLES: ReadonlySet<Table> = new Set<Table>(['states', 'attempts', 'keyrings'])

/**
 * No CHECK constraints: the server writes the row that breaks one into its log. What is deleted is vacuumed early,
 * since a deleted row stays readable in its page until then. Sealed bytes do not compress.
 */
function tableSql(place: string, table: Table): string {
  const fill = BUSY_TABLES.has(table) ? 'fillfactor = 70, ' : ''
  return `CREATE TABLE ${place}."${table}" (
  key bytea PRIMARY KEY,
  bytes bytea NOT NULL,
  version uuid NOT NULL
) WITH (${fill}autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 100);
ALTER TABLE ${place}."${table}" ALTER COLUMN bytes SET STORAGE EXTERNAL;
`
}

function queueSql(place: string): string {
  return `CREATE TABLE ${place}.queue_pending (
  place bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  bytes bytea NOT NULL,
  version uuid NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
ALTER TABLE ${place}.queue_pending ALTER COLUMN bytes SET STORAGE EXTERNAL;
CREATE TABLE ${place}.queue_head (
  single boolean PRIMARY KEY DEFAULT true,
  last_key bigint NOT NULL
);
INSERT INTO ${place}.queue_head (last_key) VALUES (0);
`
}

/** A function decides on what is committed while it waits: each of its statements must see the present. */
const DECLARED_ISOLATION = `  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'isolation' USING ERRCODE = '${ISOLATION}';
  END IF;
`

const DURABLE = `  IF durable AND current_setting('synchronous_commit') NOT IN ('on', 'remote_apply') THEN
    PERFORM set_config('synchronous_commit', 'on', true);
  END IF;
`

/**
 * One call is one transaction. It goes through the rows in the order of the arguments, which is the same for every
 * commit, and locks each as it decides it, until the transaction ends: a row that is written by writing it, a row
 * that is checked FOR SHARE, a row that must be missing by making it and deleting it again, since another who
 * makes the same key waits for the end of this transaction. Every statement waits for those before it and then
 * sees their result, so that all expectations hold at the end, when all locks are held.
 *
 * Nearly every commit checks a keyring, and hardly any writes one: sharers of a row lock would write it at every
 * check and could keep a writer waiting for ever. A lock on the table costs no write, and waits in line.
 */
function commitSql(place: string): string {
  return `CREATE FUNCTION ${place}.commit_1(
  operations integer[], lengths integer[], expected uuid[], block bytea, ring_lock integer,
  lock_ms integer, limit_ms integer, durable boolean, OUT refused integer, OUT made uuid
) LANGUAGE plpgsql AS $guise$
DECLARE
  at integer := 1;
  k bytea;
  b bytea;
  written boolean := false;
  found_row boolean;
  begun timestamptz := clock_timestamp();
BEGIN
${DECLARED_ISOLATION}${DURABLE}  PERFORM set_config('lock_timeout', lock_ms::text, true);
  made := gen_random_uuid();
  IF ring_lock = 1 THEN
    LOCK TABLE ${place}.keyrings IN ROW SHARE MODE;
  ELSIF ring_lock = 2 THEN
    LOCK TABLE ${place}.keyrings IN EXCLUSIVE MODE;
  END IF;
  FOR i IN 1 .. cardinality(operations) LOOP
    IF clock_timestamp() > begun + limit_ms * interval '1 millisecond' THEN
      RAISE EXCEPTION 'too late' USING ERRCODE = '${TOO_LATE}';
    END IF;
    k := substring(block FROM at FOR lengths[2 * i - 1]);
    at := at + lengths[2 * i - 1];
    b := substring(block FROM at FOR lengths[2 * i]);
    at := at + lengths[2 * i];
    CASE operations[i]
${TABLES.map((table, number) => operationsSql(place, table, 8 * number)).join('')}    END CASE;
    IF NOT found_row THEN
      IF written THEN
        RAISE EXCEPTION '%', i USING ERRCODE = '${REFUSED}';
      END IF;
      refused := i;
      RETURN;
    END IF;
    written := written OR operations[i] % 8 <> ${OPERATION.check};
  END LOOP;
END
$guise$;
`
}

function operationsSql(place: string, table: Table, base: number): string {
  const name = `${place}."${table}"`
  const lock = table === 'keyrings' ? '' : ' FOR SHARE'
  const when = (operation: number, sql: string): string =>
    `    WHEN ${base + operation} THEN\n      ${sql}\n      found_row := FOUND;\n`
  const row = 't.key = k AND t.version = expected[i]'
  const insert = (bytes: string): string =>
    `INSERT INTO ${name} AS t (key, bytes, version) VALUES (k, ${bytes}, made) ON CONFLICT DO NOTHING;`
  const remove = `DELETE FROM ${name} AS t WHERE ${row};`
  const shared =
    when(OPERATION.check, `PERFORM 1 FROM ${name} AS t WHERE ${row}${lock};`) +
    when(OPERATION.remove, remove) +
    absentSql(name, base + OPERATION.absent, insert("''"))
  if (table === 'queue') {
    const append = `INSERT INTO ${place}.queue_pending (bytes, version) VALUES (b, made);`
    return shared + when(OPERATION.append, append)
  }
  const update = `UPDATE ${name} AS t SET bytes = b, version = made WHERE ${row};`
  return when(OPERATION.update, update) + when(OPERATION.insert, insert('b')) + shared
}

/** Nobody adds to the keyrings while their table is locked; elsewhere the missing row itself is held. */
function absentSql(name: string, operation: number, insert: string): string {
  const head = `    WHEN ${operation} THEN\n`
  if (name.endsWith('"keyrings"')) {
    return `${head}      PERFORM 1 FROM ${name} AS t WHERE t.key = k;\n      found_row := NOT FOUND;\n`
  }
  return `${head}      ${insert}
      found_row := FOUND;
      IF found_row THEN
        DELETE FROM ${name} AS t WHERE t.key = k;
      END IF;
`
}

/**
 * Appended rows wait without a key until someone reads the queue: a counter that every commit advances would make
 * all of them wait for each other's flush. Places come from a sequence: a commit that begins after another has
 * ended draws a greater one, and when its row is seen, so is the other's. So keys given under the lock of the one
 * row of queue_head, in the order of places and after all keys before, follow the order of commits, and rows come
 * into sight in the order of their keys.
 */
function sequenceSql(place: string): string {
  return `CREATE FUNCTION ${place}.sequence_1(lock_ms integer, durable boolean)
RETURNS bigint LANGUAGE plpgsql AS $guise$
DECLARE
  before bigint;
  placed bigint;
BEGIN
${DECLARED_ISOLATION}${DURABLE}  PERFORM set_config('lock_timeout', lock_ms::text, true);
  SELECT h.last_key INTO STRICT before FROM ${place}.queue_head AS h FOR UPDATE;
  WITH taken AS (
    DELETE FROM ${place}.queue_pending AS p
    WHERE p.place IN (SELECT q.place FROM ${place}.queue_pending AS q ORDER BY q.place LIMIT ${SEQUENCED_ROWS})
    RETURNING p.place, p.bytes, p.version
  ), kept AS (
    INSERT INTO ${place}.queue (key, bytes, version)
    SELECT int8send(before + row_number() OVER (ORDER BY t.place)), t.bytes, t.version FROM taken AS t
    RETURNING 1
  )
  SELECT count(*) INTO placed FROM kept;
  UPDATE ${place}.queue_head AS h SET last_key = before + placed;
  RETURN placed;
END
$guise$;
`
}

/**
 * Rows of some places, each with the number of its place. A function that is STABLE reads with the snapshot of the statement that calls
 * it, and its own statements are planned once a session. Of each place `pieces` says how many parts its key has, and of each part the
 * row that it is from (0: the next bytes of `block`), where in it, and how long it is.
 */
function readSql(place: string): string {
  return `CREATE FUNCTION ${place}.read_1(tables integer[], pieces integer[], block bytea)
RETURNS TABLE (place integer, bytes bytea, version text) LANGUAGE plpgsql STABLE AS $guise$
DECLARE
  met bytea[] := '{}';
  next_piece integer := 1;
  at integer := 1;
  k bytea;
  b bytea;
  v uuid;
  source bytea;
  origin integer;
  size integer;
BEGIN
  FOR i IN 1 .. cardinality(tables) LOOP
    k := '';
    FOR j IN 1 .. pieces[next_piece] LOOP
      origin := pieces[next_piece + 2];
      size := pieces[next_piece + 3];
      IF pieces[next_piece + 1] = 0 THEN
        k := k || substring(block FROM at FOR size);
        at := at + size;
      ELSE
        source := met[pieces[next_piece + 1]];
        IF origin < 0 THEN
          origin := length(source) + origin;
        END IF;
        IF source IS NULL OR origin < 0 OR origin + size > length(source) THEN
          k := k || decode(repeat('00', size), 'hex');
        ELSE
          k := k || substring(source FROM origin + 1 FOR size);
        END IF;
      END IF;
      next_piece := next_piece + 3;
    END LOOP;
    next_piece := next_piece + 1;
    b := NULL;
    CASE tables[i]
${TABLES.map(
  (table, number) =>
    `    WHEN ${number} THEN\n      SELECT t.bytes, t.version INTO b, v FROM ${place}."${table}" AS t WHERE t.key = k;\n`,
).join('')}    END CASE;
    met[i] := b;
    IF b IS NOT NULL THEN
      place := i - 1;
      bytes := b;
      version := v::text;
      RETURN NEXT;
    END IF;
  END LOOP;
END
$guise$;
`
}

/** The statement that asks for rows of some places. */
export function rowsSql(schema: string): string {
  return `SELECT place, bytes, version FROM "${schema}".read_1($1::integer[], $2::integer[], $3::bytea)`
}

/** The statement that commits. */
export function writeSql(schema: string): string {
  return `SELECT refused, made::text AS made FROM "${schema}".commit_1(
    $1::integer[], $2::integer[], $3::uuid[], $4::bytea, $5::integer, $6::integer, $7::integer, $8::boolean)`
}

/** Versions of rows under some keys, by table, and whether the server is a standby: one statement, one snapshot. */
export function versionsSql(schema: string, tables: readonly Table[]): string {
  const parts = tables.map(
    (table, i) =>
      `SELECT ${i} AS place, key, version::text AS version FROM "${schema}"."${table}" WHERE key = ANY($${i + 1}::bytea[])`,
  )
  return `${parts.join(' UNION ALL ')} UNION ALL SELECT -1, ''::bytea, pg_is_in_recovery()::text`
}

/** What is asked of a server when a store is opened on it. */
export function openingSql(schema: string): string {
  const settings = SETTINGS.map((name) => `current_setting('${name}') AS ${name}`).join(', ')
  return `SELECT ${settings}, pg_is_in_recovery() AS standby, gen_random_uuid()::text AS seed,
  (SELECT max(version) FROM "${schema}".migration) AS schema_version`
}

const SETTINGS = [
  'server_version_num',
  'fsync',
  'full_page_writes',
  'synchronous_commit',
  'default_transaction_isolation',
  'default_transaction_read_only',
] as const

export type Setting = (typeof SETTINGS)[number]
