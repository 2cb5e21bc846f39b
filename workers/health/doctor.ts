import type { Sync } from '../../db/define-sync.ts'
import { readCatalogue } from '../../db/definition/catalogue.ts'
import {
  type DeclaredTable,
  declaredKeysOnly,
  declaredNames,
  declaredTables,
  declaredWatch,
  keptAgain,
} from '../../db/definition/declared-table.ts'
import { definitionHash } from '../../db/definition/definition-hash.ts'
import { readDefinitionInForce } from '../../db/definition/definition-in-force.ts'
import { resolveDefinition } from '../../db/definition/resolve-definition.ts'
import type { Query } from '../../db/query.ts'
import { type DefinitionInForce, type TableDefinition, toTidemarkError } from '../../protocol/index.ts'
import type { HealthCheck } from '../contracts.ts'
import { checkAudienceRows } from './audience-rows-check.ts'
import { checkClientRights, checkClientRole } from './client-role-checks.ts'
import { definitionCheck } from './definition-check.ts'
import { failCheck, okCheck } from './health-check.ts'
import { checkAudienceColumns, checkKeptAudiences } from './kept-audience-checks.ts'
import { checkOwnSchema } from './own-schema-check.ts'
import { checkPublication } from './publication-check.ts'
import { checkServer } from './server-checks.ts'
import { checkSlot } from './slot-checks.ts'
import { checkTables, checkWatched } from './table-checks.ts'

export interface DoctorOptions {
  /** The app's declaration; without it the tables are checked against the definition in force. */
  readonly sync?: Sync
  /** Default `tidemark`. */
  readonly slotName?: string
}

/**
 * Runs every check of a database, in the order in which to mend the findings; it changes nothing.
 *
 * `query` must be one connection under `PINNED_SETTINGS`, outside a transaction, as the role that capture uses. Throws
 * no error of the database: a check that cannot run is a finding.
 */
export async function runDoctor(query: Query, options: DoctorOptions = {}): Promise<HealthCheck[]> {
  const slotName = options.slotName ?? 'tidemark'
  const reachable = await attempt('database', async () => {
    await query('SELECT 1')
    return [okCheck('database')]
  })
  if (reachable.some((check) => check.status === 'fail')) return reachable
  const checks = [...reachable, ...(await attempt('server', () => checkServer(query, slotName)))]
  const [ownSchema] = await attempt('own-schema', async () => [await checkOwnSchema(query)])
  if (ownSchema) checks.push(ownSchema)
  checks.push(...(await attempt('slot', () => checkSlot(query, slotName))))
  if (ownSchema?.status !== 'ok') return checks
  checks.push(...(await attempt('definition-in-force', () => checkAgainstDefinition(query, options.sync))))
  return checks
}

async function checkAgainstDefinition(query: Query, sync: Sync | undefined): Promise<HealthCheck[]> {
  const inForce = await readDefinitionInForce(query)
  const tables = inForce?.definition.tables ?? []
  const checks = [definitionCheck(inForce, sync === undefined ? null : await declaredHash(query, sync, inForce))]
  checks.push(
    ...(await attempt('publication', () =>
      checkPublication(
        query,
        [...tables, ...(inForce?.watched ?? [])].map((table) => table.id),
      ),
    )),
  )
  const declared = sync ? declaredTables(sync) : declaredOf(inForce)
  checks.push(...(await attempt('tables', () => checkTables(query, declared))))
  checks.push(...(await attempt('kept-audience', () => checkKeptAudiences(query, declared))))
  checks.push(...(await attempt('audience-per-row', () => checkAudienceColumns(query, declared))))
  const watched = sync ? (sync.watch ?? []).map(declaredWatch) : (inForce?.watched ?? [])
  checks.push(...(await attempt('watched', () => checkWatched(query, watched))))
  const [role] = await attempt('client-role', async () => [await checkClientRole(query)])
  if (role) checks.push(role)
  if (role?.status !== 'ok') return checks
  checks.push(...(await attempt('client-columns', () => checkClientRights(query, tables))))
  checks.push(...(await attempt('client-rows', () => checkAudienceRows(query, tables))))
  return checks
}

/**
 * Computes the hash that the app's definition would have in force; null where it has faults, which the tables' checks
 * report.
 */
async function declaredHash(query: Query, sync: Sync, inForce: DefinitionInForce | null): Promise<string | null> {
  const catalogue = await readCatalogue(query, declaredNames(sync))
  const { definition, watched, faults } = resolveDefinition(sync, catalogue)
  if (faults.length > 0) return null
  // Neither is part of the hash, yet both are in force too: without watched tables rights would not be live.
  if (JSON.stringify(watched) !== JSON.stringify(inForce?.watched ?? [])) return 'other watched tables'
  if (JSON.stringify(declaredKeysOnly(sync)) !== JSON.stringify(inForce?.keysOnly ?? [])) return 'other history'
  return await definitionHash(definition)
}

function declaredOf(inForce: DefinitionInForce | null): DeclaredTable[] {
  return (inForce?.definition.tables ?? []).map((table: TableDefinition) => ({
    schema: table.schema,
    name: table.name,
    columns: table.columns.map((column) => column.name),
    hidden: [],
    audience: table.audience,
    kept: keptAgain(table),
    priority: table.priority,
    write: table.write ?? null,
  }))
}

/** Turns a check that itself fails into a finding under its own name. */
async function attempt(name: string, run: () => Promise<HealthCheck[]>): Promise<HealthCheck[]> {
  try {
    return await run()
  } catch (error) {
    const { message } = toTidemarkError(error)
    return [failCheck(name, `This could not be checked: ${message} Mend that, or connect as the owner of the tables.`)]
  }
}
