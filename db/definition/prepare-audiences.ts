import { KEPT_AUDIENCE, quoteIdentifier, quoteLiteral, quoteTable } from '../../protocol/index.ts'
import type { Query } from '../query.ts'
import type { DeclaredTable } from './declared-table.ts'
import {
  columnStatements,
  fillStatement,
  finishingStatements,
  indexStatements,
  keepingStatements,
  parentsFirst,
  planSoundly,
} from './keep-audiences.ts'
import type { KeptTable } from './kept-audience-sql.ts'
import { isKept, type KeptFacts, missingIndexes, readKeptFacts } from './kept-facts.ts'

/** Below this, everything is done at once with the definition. */
const MANY_ROWS = 10_000
const BATCH_ROWS = 2_000

export interface Preparing {
  /** Outside a transaction, for what cannot be in one. */
  readonly query: Query
  /** Runs in a transaction of its own, perhaps more than once. */
  readonly inTransaction: <Result>(run: (query: Query) => Promise<Result>) => Promise<Result>
  readonly manyRows?: number
  readonly batchRows?: number
}

/**
 * Makes what large tables need to keep their audiences before the definition comes in force: indexes without locking
 * writers out, and the values of their rows in batches, each a transaction of its own. Whatever cannot be done yet is
 * left to `keepAudiences`, and what was begun before is gone on with. Answers the tables that were prepared.
 */
export async function prepareAudiences(
  { query, inTransaction, manyRows = MANY_ROWS, batchRows = BATCH_ROWS }: Preparing,
  declared: readonly DeclaredTable[],
): Promise<string[]> {
  const prepared: string[] = []
  for (const one of parentsFirst(declared)) {
    const facts = await readKeptFacts(query, one)
    const table = await inTransaction((within) => planSoundly(within, one, facts))
    if (table === null || 'fault' in table || isKept(table, facts) || !canPrepare(table, facts)) continue
    if (!(await isLarge(query, table, manyRows))) continue
    await inTransaction(async (within) => await each(columnStatements(table, facts), within))
    for (const index of missingIndexes(table, await readKeptFacts(query, one)))
      await each(indexStatements(index, true), query)
    await inTransaction(
      async (within) => await each(keepingStatements(table, await readKeptFacts(within, one)), within),
    )
    await fillInBatches(table, facts.table?.key ?? [], { query, inTransaction, batchRows })
    await inTransaction(async (within) => await each(finishingStatements(table), within))
    prepared.push(quoteTable(table))
  }
  return prepared
}

/** What the definition in force reads stays as it is until the next one comes in force. */
function canPrepare(table: KeptTable, facts: KeptFacts): boolean {
  const isThere = facts.table?.columns.some(({ name }) => name === KEPT_AUDIENCE)
  // Nothing but the adding of the column.
  return columnStatements(table, facts).length === (isThere ? 0 : 1)
}

async function each(statements: readonly string[], run: Query): Promise<void> {
  for (const statement of statements) await run(statement)
}

async function isLarge(query: Query, table: KeptTable, manyRows: number): Promise<boolean> {
  const relations = [table, ...(table.parent ? [table.parent] : [])].map(quoteTable)
  const counts = relations.map(
    (name) => `(SELECT count(*) FROM (SELECT FROM ${name} LIMIT ${manyRows + 1}) AS first) > ${manyRows}`,
  )
  const [row] = await query(`SELECT (${counts.join(' OR ')})::text AS large`)
  return row?.large === 'true'
}

/** Goes through a table by its key; a batch locks no more rows than it has. */
async function fillInBatches(
  table: KeptTable,
  key: readonly string[],
  { query, inTransaction, batchRows }: Pick<Preparing, 'query' | 'inTransaction'> & { readonly batchRows: number },
): Promise<void> {
  const names = key.map((name) => `kept.${quoteIdentifier(name)}`)
  const values = names.map((_, index) => `k${index}`)
  let from: readonly (string | null)[] | null = null
  while (true) {
    const after: string = from === null ? 'true' : `(${names.join(', ')}) > (${literals(from)})`
    const [last] = await query(
      `SELECT ${names.map((name, index) => `${name}::text AS k${index}`).join(', ')} FROM ${quoteTable(table)} AS kept
       WHERE ${after} ORDER BY ${names.join(', ')} LIMIT 1 OFFSET ${batchRows - 1}`,
    )
    const to: readonly (string | null)[] | null = last ? values.map((name) => last[name] ?? null) : null
    const upTo = to === null ? after : `${after} AND (${names.join(', ')}) <= (${literals(to)})`
    await inTransaction((within) => within(fillStatement(table, upTo)))
    if (to === null) return
    from = to
  }
}

/** The values of a key as untyped literals, which take the columns' own types. */
const literals = (values: readonly (string | null)[]) => values.map((value) => quoteLiteral(value ?? '')).join(', ')
