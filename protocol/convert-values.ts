import type { Value } from './change.ts'
import { printedSql } from './output-sql.ts'
import { quoteIdentifier } from './sql-identifier.ts'
import type { Retype } from './table-step.ts'

/** New names of labels, by those before. */
export interface Relabelling {
  readonly labels: Readonly<Record<string, string>>
}

/**
 * How a column's values become those of a later version, stage by stage; null: nobody can tell. One array stands for one
 * column of one version, and is known by its identity.
 */
export type Conversion = readonly (Retype | Relabelling)[] | null

/** Answers the value that one from before is in the later version; undefined: it cannot be said there. */
export type Convert = (conversion: Conversion, value: Value) => Value | undefined

/** Runs a query of one parameter, the values as a JSON array; answers its column, or null where it is refused. */
export type RunConversion = (sql: string, values: string) => Promise<readonly Value[] | null>

/**
 * Finds what becomes of all values that `ask` converts, which it is called for once, and answers how to convert them.
 *
 * Values of one column go by one query. Where one of them is refused, each goes by its own.
 */
export async function conversionsOf(ask: (convert: Convert) => void, run: RunConversion): Promise<Convert> {
  const asked = new Map<Conversion, Set<Value>>()
  ask((conversion, value) => {
    asked.set(conversion, (asked.get(conversion) ?? new Set()).add(value))
    return value
  })
  const found = new Map<Conversion, ReadonlyMap<Value, Value | undefined>>()
  for (const [conversion, values] of asked) found.set(conversion, await convertAll(conversion, [...values], run))
  return (conversion, value) => found.get(conversion)?.get(value)
}

async function convertAll(
  conversion: Conversion,
  values: readonly Value[],
  run: RunConversion,
): Promise<ReadonlyMap<Value, Value | undefined>> {
  let now: readonly (Value | undefined)[] = values.map((value) => (conversion === null ? undefined : value))
  for (const stage of conversion ?? []) {
    if ('labels' in stage) {
      now = now.map((value) => (typeof value === 'string' ? (stage.labels[value] ?? value) : value))
      continue
    }
    const before = [...new Set(now)].filter((value) => value !== undefined)
    const after = await retypeAll(stage, before, run)
    now = now.map((value) => (value === undefined ? undefined : after.get(value)))
  }
  return new Map(values.map((value, index) => [value, now[index]]))
}

async function retypeAll(
  retype: Retype,
  values: readonly Value[],
  run: RunConversion,
): Promise<ReadonlyMap<Value, Value | undefined>> {
  if (values.length === 0) return new Map()
  const sql = retypeSql(retype)
  const together = await run(sql, JSON.stringify(values))
  if (together !== null) return new Map(values.map((value, index) => [value, together[index]]))
  const alone = new Map<Value, Value | undefined>()
  for (const value of values.length > 1 ? values : []) alone.set(value, (await run(sql, JSON.stringify([value])))?.[0])
  return alone
}

/** Prints the new values of those in a JSON array, in its order; to be run under `PINNED_SETTINGS`. */
function retypeSql({ column, from, to, expression }: Retype): string {
  const before = `SELECT given.value::${from} AS ${quoteIdentifier(column)}`
  return `SELECT CASE WHEN made.value IS NULL THEN NULL ELSE ${printedSql('made.value', to)} END AS value
    FROM json_array_elements_text($1::text::json) WITH ORDINALITY AS given(value, place)
    CROSS JOIN LATERAL (SELECT ${expression} AS value FROM (${before}) AS held) AS made ORDER BY given.place`
}
