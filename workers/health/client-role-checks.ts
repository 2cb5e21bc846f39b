import { grantOf, lackingRights, type NeededRight } from '../../db/definition/needed-rights.ts'
import type { Query } from '../../db/query.ts'
import { quoteIdentifier, quoteTable, type TableDefinition } from '../../protocol/index.ts'
import type { HealthCheck } from '../contracts.ts'
import { failCheck, okCheck, warnCheck } from './health-check.ts'

export interface ClientRoleFacts {
  readonly bypassesRls: boolean
  /** True where the connecting role may `SET ROLE tidemark_client`. */
  readonly settable: boolean
}

/** Judges whether statements on behalf of clients can run as a role of their own; null facts: there is no such role. */
export function clientRoleCheck(facts: ClientRoleFacts | null): HealthCheck {
  const name = 'client-role'
  if (facts === null) return failCheck(name, 'Role tidemark_client does not exist: run `tidemark migrate`.')
  if (facts.bypassesRls) {
    return failCheck(
      name,
      'Role tidemark_client bypasses row-level security. Run: ALTER ROLE tidemark_client NOSUPERUSER NOBYPASSRLS.',
    )
  }
  if (!facts.settable)
    return failCheck(
      name,
      'The role of DATABASE_URL may not become tidemark_client. Run: GRANT tidemark_client TO that role.',
    )
  return okCheck(name)
}

export interface TableRights {
  readonly schemaUsage: boolean
  /** True where the role has the rights of the table's owner, to whom row-level security does not apply. */
  readonly owner: boolean
  readonly rowSecurity: boolean
  /** Columns that the role may select. */
  readonly readable: readonly string[]
  /** Columns that the role may insert, and those that it may update. */
  readonly insertable: readonly string[]
  readonly updatable: readonly string[]
  readonly deletes: boolean
}

/** Judges whether the role reads exactly the visible columns of a table. */
export function columnRightsCheck(
  table: Pick<TableDefinition, 'id' | 'schema' | 'name'>,
  visible: readonly string[],
  rights: TableRights,
): HealthCheck {
  const name = `client-columns ${table.id}`
  const list = (names: readonly string[]) => names.map(quoteIdentifier).join(', ')
  if (rights.owner)
    return failCheck(
      name,
      `Role tidemark_client has the rights of the owner of ${table.id}: REVOKE the owner's role from it.`,
    )
  if (!rights.schemaUsage) {
    return failCheck(
      name,
      `Role tidemark_client may not use the schema of ${table.id}: GRANT USAGE ON SCHEMA ${quoteIdentifier(table.schema)} TO tidemark_client.`,
    )
  }
  const missing = visible.filter((column) => !rights.readable.includes(column))
  if (missing.length > 0) {
    return failCheck(
      name,
      `Role tidemark_client may not read what replicas hold: GRANT SELECT (${list(missing)}) ON ${quoteTable(table)} TO tidemark_client.`,
    )
  }
  const extra = rights.readable.filter((column) => !visible.includes(column))
  if (extra.length > 0) {
    return failCheck(
      name,
      `Role tidemark_client may read columns that never leave the server (${list(extra)}): REVOKE SELECT ON ${quoteTable(table)} FROM tidemark_client (and PUBLIC), then run \`tidemark migrate\`.`,
    )
  }
  return okCheck(name, { value: visible.length, unit: 'columns' })
}

/** Judges whether the role writes exactly what replicas may write of a table. */
export function writeRightsCheck(
  table: Pick<TableDefinition, 'id' | 'schema' | 'name' | 'write' | 'columns'>,
  rights: Pick<TableRights, 'insertable' | 'updatable' | 'deletes'>,
): HealthCheck {
  const name = `client-writes ${table.id}`
  const open =
    table.write === undefined
      ? []
      : table.columns
          .filter((column) => column.generated === null && !column.serverGenerated)
          .map((column) => column.name)
  const held = [...rights.insertable, ...rights.updatable]
  const extra = [...new Set(held.filter((column) => !open.includes(column)))]
  if (extra.length > 0 || (rights.deletes && table.write === undefined)) {
    return failCheck(
      name,
      `Role tidemark_client may write what replicas may not (${[...extra.map(quoteIdentifier), ...(rights.deletes && table.write === undefined ? ['DELETE'] : [])].join(', ')}): REVOKE INSERT, UPDATE, DELETE ON ${quoteTable(table)} FROM tidemark_client (and PUBLIC), then run \`tidemark migrate\`.`,
    )
  }
  const lacks = open.some((column) => !rights.insertable.includes(column) || !rights.updatable.includes(column))
  if (lacks || (table.write !== undefined && !rights.deletes)) {
    return failCheck(name, `Role tidemark_client lacks rights to write ${table.id}: run \`tidemark migrate\`.`)
  }
  return okCheck(name, { value: open.length, unit: 'columns' })
}

export function rowSecurityCheck(
  table: Pick<TableDefinition, 'id' | 'schema' | 'name' | 'audience' | 'write'>,
  rights: TableRights,
): HealthCheck {
  const name = `row-security ${table.id}`
  if (rights.rowSecurity) return okCheck(name)
  if (table.write !== undefined) {
    return failCheck(
      name,
      `Replicas write ${table.id}, and row-level security is off: nothing but Tidemark's own filter decides which rows. ALTER TABLE ${quoteTable(table)} ENABLE ROW LEVEL SECURITY, with policies TO tidemark_client for SELECT, INSERT, UPDATE and DELETE.`,
    )
  }
  if ('constant' in table.audience) return okCheck(name)
  return warnCheck(
    name,
    `Row-level security is off on ${table.id}, so Tidemark's own filter alone keeps audiences apart: ALTER TABLE ${quoteTable(table)} ENABLE ROW LEVEL SECURITY, with a policy by tidemark.audience_values.`,
  )
}

/** Judges whether the role may use all that statements on the table need besides the table. */
function neededRightsCheck(table: Pick<TableDefinition, 'id'>, lacking: readonly NeededRight[]): HealthCheck {
  const name = `client-needs ${table.id}`
  if (lacking.length === 0) return okCheck(name)
  const grants = lacking.map((right) => `${grantOf(right)};`).join(' ')
  return failCheck(
    name,
    `Statements on ${table.id} need rights that role tidemark_client lacks: ${grants} Run that as its owner, or \`tidemark migrate\` as one who may grant it.`,
    { value: lacking.length, unit: 'rights' },
  )
}

const ROLE = `
  SELECT (r.rolsuper OR r.rolbypassrls)::text AS bypasses,
    CASE WHEN current_setting('server_version_num')::int >= 160000 THEN pg_has_role(current_user, r.oid, 'SET')
      ELSE pg_has_role(current_user, r.oid, 'MEMBER') END::text AS settable
  FROM pg_roles r WHERE r.rolname = 'tidemark_client'`

const columnsWith = (right: 'SELECT' | 'INSERT' | 'UPDATE') => `
    coalesce((SELECT json_agg(a.attname::text ORDER BY a.attnum) FROM pg_attribute a
      WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        AND has_column_privilege('tidemark_client', c.oid, a.attnum, '${right}')), '[]')::text`

const RIGHTS = `
  SELECT has_schema_privilege('tidemark_client', n.oid, 'USAGE')::text AS schema_usage,
    pg_has_role('tidemark_client', c.relowner, 'USAGE')::text AS owner, c.relrowsecurity::text AS row_security,
    ${columnsWith('SELECT')} AS readable,
    ${columnsWith('INSERT')} AS insertable, ${columnsWith('UPDATE')} AS updatable,
    has_table_privilege('tidemark_client', c.oid, 'DELETE')::text AS deletes
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2`

export async function checkClientRole(query: Query): Promise<HealthCheck> {
  const [row] = await query(ROLE)
  return clientRoleCheck(row ? { bypassesRls: row.bypasses === 'true', settable: row.settable === 'true' } : null)
}

/** Checks the rights of the role on each synced table that exists. */
export async function checkClientRights(query: Query, tables: readonly TableDefinition[]): Promise<HealthCheck[]> {
  const checks: HealthCheck[] = []
  for (const table of tables) {
    const [row] = await query(RIGHTS, [table.schema, table.name])
    if (!row) continue
    const rights: TableRights = {
      schemaUsage: row.schema_usage === 'true',
      owner: row.owner === 'true',
      rowSecurity: row.row_security === 'true',
      readable: JSON.parse(row.readable ?? '[]'),
      insertable: JSON.parse(row.insertable ?? '[]'),
      updatable: JSON.parse(row.updatable ?? '[]'),
      deletes: row.deletes === 'true',
    }
    const visible = table.columns.map((column) => column.name)
    checks.push(
      columnRightsCheck(table, visible, rights),
      writeRightsCheck(table, rights),
      rowSecurityCheck(table, rights),
      neededRightsCheck(table, await lackingRights(query, table, table.write === undefined ? 'reads' : 'both')),
    )
  }
  return checks
}
