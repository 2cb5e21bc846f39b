import { z } from 'zod'
import {
  type ColumnDefinition,
  type Definition,
  type TableDefinition,
  tableId,
  travellingColumns,
} from '../../protocol/index.ts'
import { faultField, sqlStateOf } from '../database/index.ts'
import { baseType } from './rules/base-type.ts'
import type { PatchStep } from './rules/check-patch.ts'
import { basisOf } from './rules/earlier.ts'
import { concerned, freedLate, freeing, mayExchange, type UniqueColumns } from './rules/freed-late.ts'
import { temporaryValue, type Way, waysOf } from './temporary-value.ts'
import { decide, isWritten, lockRow, type PatchContext, withValues, writePatch } from './write-patch.ts'

/** The most unique indexes of one patch whose values are freed first. */
const MOST_UNIQUES = 4

/** A column that can hold another value for a moment, and the way to find one. */
interface Place {
  readonly column: ColumnDefinition
  readonly way: Way
}

/** A unique index that stood in the way. */
interface Obstacle extends UniqueColumns {
  readonly name: string
  readonly places: readonly Place[]
  /** True: all rows that may leave a value do so first; false: only those that, by their bases, leave it too late. */
  readonly all: boolean
}

/**
 * Does what `writePatch` does, whatever unique values rows of the patch take from each other: where they are in each
 * other's way, those that leave a value hold another one first. Rule PSH-R24.
 */
export async function writeInAnyOrder(context: PatchContext, steps: readonly PatchStep[]): Promise<void> {
  if (!mayExchange(steps)) return writePatch(context, steps)
  const { query } = context
  await query('SAVEPOINT tidemark_order')
  let refused = await errorOf(() => writePatch(context, steps), REFUSED)
  let obstacles: readonly Obstacle[] = []
  while (refused !== null) {
    const next = await withObstacle(context, steps, refused, obstacles)
    if (next === null) throw refused
    obstacles = next
    const freed = await freeFirst(context, steps, obstacles)
    if (freed === null) throw refused
    refused = await errorOf(() => writePatch(context, freed), REFUSED)
  }
  await query('RELEASE SAVEPOINT tidemark_order')
}

const REFUSED = /^2[23]/
/** Errors that a temporary value may meet: from a check, a policy, a trigger. */
const NOT_THIS_WAY = /^(2[23]|P0|42501|44000)/

/** Returns the error of the database, where its SQLSTATE matches; any other error is thrown. */
async function errorOf(work: () => Promise<void>, states: RegExp): Promise<unknown> {
  try {
    await work()
    return null
  } catch (error) {
    if (states.test(sqlStateOf(error) ?? '')) return error
    throw error
  }
}

const foundSchema = z.array(
  z.object({
    schema: z.string(),
    table: z.string(),
    name: z.string(),
    canBeNull: z.boolean(),
    canBeOther: z.boolean(),
  }),
)

/** Reads the columns on which an index depends and to which nothing refers; for a partition, those of its table. */
const COLUMNS = `
  SELECT coalesce(json_agg(json_build_object('schema', rn.nspname::text, 'table', r.relname::text, 'name', a.attname::text,
    'canBeNull', (is_key OR is_read) AND NOT a.attnotnull AND NOT coalesce((to_jsonb(i)->>'indnullsnotdistinct')::boolean, false),
    'canBeOther', (is_key OR is_read) AND NOT EXISTS (
      SELECT FROM pg_constraint k WHERE k.contype = 'f' AND k.conrelid = c.oid AND a.attnum = ANY (k.conkey))
    ) ORDER BY is_key DESC, a.attnum), '[]')::text AS columns
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_index i ON i.indrelid = c.oid AND (i.indisunique OR i.indisexclusion)
  JOIN pg_class ic ON ic.oid = i.indexrelid AND ic.relname = $3
  JOIN pg_class r ON r.oid = coalesce(pg_partition_root(c.oid), c.oid) JOIN pg_namespace rn ON rn.oid = r.relnamespace
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
  CROSS JOIN LATERAL (SELECT a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1]) AS is_key,
    a.attnum <> ALL (i.indkey) AS is_read) AS one
  WHERE n.nspname = $1 AND c.relname = $2
    AND (a.attnum = ANY (i.indkey) OR EXISTS (
      SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
        AND d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid AND d.refobjsubid = a.attnum))
    AND NOT EXISTS (
      SELECT FROM pg_constraint k WHERE k.contype = 'f' AND k.confrelid = c.oid AND a.attnum = ANY (k.confkey))`

/** Returns these obstacles and the one that an error names; null where nothing more can be done about it. */
async function withObstacle(
  { query, types }: PatchContext,
  steps: readonly PatchStep[],
  error: unknown,
  obstacles: readonly Obstacle[],
): Promise<readonly Obstacle[] | null> {
  if (!/^23(505|P01)$/.test(sqlStateOf(error) ?? '')) return null
  const named = ['schema', 'table', 'constraint'].map((field) => faultField(error, field))
  const name = JSON.stringify(named)
  const known = obstacles.find((one) => one.name === name)
  if (known) return known.all ? null : obstacles.map((one) => (one === known ? { ...one, all: true } : one))
  if (obstacles.length === MOST_UNIQUES) return null
  await query('ROLLBACK TO SAVEPOINT tidemark_order')
  const [row] = await query(COLUMNS, named)
  const found = foundSchema.parse(JSON.parse(row?.columns ?? '[]'))
  const [first] = found
  const id = first ? tableId({ schema: first.schema, name: first.table }) : null
  const of = steps.find((step) => step.table.id === id)?.table
  if (!of) return null
  const columns = found.map((column) => column.name)
  const isWritten = (column: string) => steps.some((step) => step.columns.some((one) => one.name === column))
  const places = placesOf(
    of,
    [true, false].flatMap((written) => found.filter((column) => isWritten(column.name) === written)),
    types,
  )
  return [...obstacles, { name, table: of.id, columns, places, all: false }]
}

function placesOf(table: TableDefinition, found: z.infer<typeof foundSchema>, types: Definition['types']): Place[] {
  const fixed = [...table.primaryKey, ...('column' in table.audience ? [table.audience.column] : [])]
  return found.flatMap(({ name, canBeNull, canBeOther }): Place[] => {
    const column = travellingColumns(table).find((one) => one.name === name)
    if (!column || fixed.includes(name)) return []
    const ways: Way[] = [
      ...(canBeNull ? ['null' as const] : []),
      ...(canBeOther ? waysOf(baseType(column.type, types)) : []),
    ]
    return ways.map((way) => ({ column, way }))
  })
}

/** Frees values, trying each way in turn, and returns the steps that are left to do; null where no way works. */
async function freeFirst(
  context: PatchContext,
  steps: readonly PatchStep[],
  obstacles: readonly Obstacle[],
): Promise<readonly PatchStep[] | null> {
  const most = Math.max(1, ...obstacles.map(({ places }) => places.length))
  for (let turn = 0; turn < most; turn += 1) {
    await context.query('ROLLBACK TO SAVEPOINT tidemark_order')
    let left: readonly PatchStep[] = steps
    const error = await errorOf(async () => {
      left = await freeValues(context, steps, obstacles, turn)
    }, NOT_THIS_WAY)
    if (error === null) return left
  }
  return null
}

async function freeValues(
  context: PatchContext,
  steps: readonly PatchStep[],
  obstacles: readonly Obstacle[],
  turn: number,
): Promise<PatchStep[]> {
  const left = [...steps]
  const places = new Map<number, Place[]>()
  for (const unique of obstacles) {
    for (const place of concerned(steps, unique)) {
      const step = left[place]
      if (step) left[place] = { ...step, apart: true }
    }
    const freed = unique.all
      ? freeing(steps, unique)
      : freedLate(steps, unique, ({ row }) => basisOf(row, context.earlier))
    const chosen = unique.places[Math.min(turn, unique.places.length - 1)]
    for (const place of freed) if (chosen) places.set(place, [...(places.get(place) ?? []), chosen])
  }
  const start = Math.random()
  for (const [nth, [place, held]] of [...places].entries()) {
    const step = left[place]
    if (step) left[place] = await freeRow(context, step, held, { start, nth })
  }
  // An update whose every conflict is resolved in favour of the row leaves nothing to write.
  return left.filter(({ decided, columns }) => !decided || columns.length > 0)
}

/**
 * Makes a row hold temporary values, and returns what is left to do with it; the step itself where there is no such
 * row.
 */
async function freeRow(
  context: PatchContext,
  step: PatchStep,
  places: readonly Place[],
  { start, nth }: { readonly start: number; readonly nth: number },
): Promise<PatchStep> {
  const one = { step, basis: basisOf(step.row, context.earlier) }
  const locked = await lockRow(context, one)
  if (!locked) return step
  const decided = step.op === 'update' ? decide(context, one, locked) : step
  const columns: ColumnDefinition[] = []
  const values: Record<string, string | null> = {}
  for (const { column, way } of places) {
    const held = locked.row[column.name]
    if (typeof held !== 'string' || columns.includes(column)) continue
    columns.push(column)
    values[column.name] = temporaryValue(baseType(column.type, context.types), held, way, start, nth)
  }
  if (columns.length === 0) return decided
  // A row that row-level security keeps from being written frees nothing; its own step reports that.
  if (!(await isWritten(context, withValues(step, columns, values))) || step.op === 'delete') return decided
  const missing = columns.filter(({ name }) => !decided.columns.some((column) => column.name === name))
  const back = Object.fromEntries(missing.map(({ name }) => [name, locked.row[name] ?? null]))
  return withValues(decided, [...decided.columns, ...missing], back)
}
