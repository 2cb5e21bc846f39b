import { adoptDefinition } from '../../db/definition/adopt-definition.ts'
import {
  type ColumnInDoubt,
  columnsInDoubt,
  compareShapes,
  type Drift,
  leavesToIdentify,
} from '../../db/definition/compare-shapes.ts'
import { readDefinitionInForce } from '../../db/definition/definition-in-force.ts'
import { type FoundShape, readShapes, storeShapes } from '../../db/definition/table-shape.ts'
import type { Query } from '../../db/query.ts'
import { type DefinitionInForce, TidemarkError } from '../../protocol/index.ts'
import { type Database, databaseMessageOf, SQL_STATE, sqlStateOf } from '../database/index.ts'
import type { LeftOut } from './rules/epoch-decision.ts'

/** The longest wait for a table's lock: statements that queue behind ours wait as long as we do. */
const LOCK_WAIT_MS = 1_000

/** Answers those of the columns that were altered and taken back. */
export type FindTakenBack = (doubts: readonly ColumnInDoubt[]) => Promise<readonly ColumnInDoubt[]>

export interface TakeOver {
  /** Null where a history begins, for which neither the tables' rows nor their identity until now matter. */
  readonly findTakenBack: FindTakenBack | null
}

/**
 * Takes over harmless changes of the tables: a new partition gets full identity, and the shapes found are stored.
 *
 * Answers the changes that replicas would show wrongly; where there are any, no shape is stored. Throws `unavailable`
 * where a lock is held for too long or a table is altered meanwhile, `schema-drift` where a right is missing.
 */
export async function takeOver(database: Database, { findTakenBack }: TakeOver): Promise<readonly Drift[]> {
  const anew = findTakenBack === null
  // The log is read before anything is locked, because it may be long.
  const doubts = anew ? [] : await readDoubts()
  const takenBack = anew ? [] : await findTakenBack(doubts)
  return await underLocks(database, async (query) => {
    const inForce = await readDefinitionInForce(query)
    if (inForce === null) return []
    const shapes = await identifyLeaves(query, inForce)
    if (!anew && keyOf(columnsInDoubt(inForce, shapes)) !== keyOf(doubts))
      throw new TidemarkError('unavailable', 'A synced table was altered while it was looked at; it is tried again.')
    const drifts = compareShapes(inForce, shapes).filter((drift) => !anew || drift.kind !== 'rows')
    for (const { table, column } of takenBack) {
      if (drifts.some((drift) => drift.table === table.id)) continue
      drifts.push({ table: table.id, kind: 'rows', what: `had column ${column} of another type for a while` })
    }
    if (drifts.length === 0) await storeShapes(query, inForce)
    return drifts
  })

  async function readDoubts(): Promise<readonly ColumnInDoubt[]> {
    return await database.transaction(async ({ query }) => {
      const inForce = await readDefinitionInForce(query)
      return inForce === null ? [] : columnsInDoubt(inForce, await readShapes(query, inForce))
    })
  }

  async function identifyLeaves(query: Query, inForce: DefinitionInForce): Promise<ReadonlyMap<string, FoundShape>> {
    const read = async () => forgetting(await readShapes(query, inForce))
    const shapes = await read()
    const leaves = [...shapes.values()].flatMap(leavesToIdentify)
    for (const { name } of leaves) await query(`ALTER TABLE ${name} REPLICA IDENTITY FULL`)
    // ALTER TABLE has locked these partitions, so nobody changes a row of them meanwhile.
    return leaves.length > 0 ? await read() : shapes
  }

  function forgetting(shapes: ReadonlyMap<string, FoundShape>): ReadonlyMap<string, FoundShape> {
    if (!anew) return shapes
    const entries = [...shapes].map(([id, found]) => {
      const before = found.before && found.now && { ...found.before, relation: found.now.relation, leaves: [] }
      return [id, { ...found, before }] as const
    })
    return new Map(entries)
  }
}

/**
 * Puts the definition in force anew, adapted to what these tables are now. Answers its version and the tables that had
 * to be left out. Throws as `takeOver` does.
 */
export async function adoptDrift(database: Database, drifts: readonly Drift[]): Promise<LeftOut> {
  const { version, definition } = await underLocks(database, (query) => adoptDefinition(query, drifts))
  const tables = drifts.map(({ table }) => table).filter((id) => definition.tables.every((table) => table.id !== id))
  return { tables, version }
}

const keyOf = (doubts: readonly ColumnInDoubt[]) =>
  JSON.stringify(doubts.map(({ table, column, made }) => [table.id, column, made]).sort())

async function underLocks<Result>(database: Database, run: (query: Query) => Promise<Result>): Promise<Result> {
  try {
    return await database.transaction(async ({ query }) => {
      await query(`SET LOCAL lock_timeout = '${LOCK_WAIT_MS}ms'`)
      await query('LOCK TABLE tidemark.sync_definition IN SHARE ROW EXCLUSIVE MODE')
      return await run(query)
    })
  } catch (error) {
    const said = databaseMessageOf(error) ?? ''
    if (sqlStateOf(error) === SQL_STATE.lockNotAvailable)
      throw new TidemarkError(
        'unavailable',
        'A synced table was altered and is locked by an open transaction; it is tried again.',
        { cause: error },
      )
    if (sqlStateOf(error) === SQL_STATE.insufficientPrivilege)
      throw new TidemarkError(
        'schema-drift',
        `A synced table was altered, and capture's role may not follow (${said}): run tidemark migrate as the owner, or ` +
          'make this role a member of it.',
        { cause: error },
      )
    throw error
  }
}
