import { outputExpression, quoteIdentifier, quoteLiteral } from '../../protocol/index.ts'
import type { ReplicaTable, ReplicaTables } from '../replica/replica-table.ts'
import { PINNED_FUNCTION } from './outbox-ddl.ts'
import { type ForeignKey, foreignKeysOf } from './rules/foreign-keys.ts'

/** Sorts before the `RI_…` triggers of foreign keys, so that a parent is captured before what its cascade does. */
const CAPTURE = '"A_tidemark_capture"'
const ADMIT = 'tidemark_admit'

/** Output text of a column of OLD or NEW; NULL stays NULL. */
function textOf(table: ReplicaTable, name: string, row: 'OLD' | 'NEW'): string {
  const column = table.columnByName.get(name)
  if (!column) return 'NULL::text'
  const output = outputExpression(column, row)
  if (!output.startsWith('format')) return output
  return `CASE WHEN ${row}.${quoteIdentifier(name)} IS NOT DISTINCT FROM NULL THEN NULL::text ELSE ${output} END`
}

function imageOf(table: ReplicaTable, row: 'OLD' | 'NEW'): string {
  const names = table.columns.map(({ name }) => quoteLiteral(name)).join(', ')
  const values = table.columns.map(({ name }) => textOf(table, name, row)).join(', ')
  return `json_object(ARRAY[${names}]::text[], ARRAY[${values}]::text[])::text`
}

/** As `keyText` has it: the value itself, of several a JSON array without spaces. */
function keyOf(table: ReplicaTable, row: 'OLD' | 'NEW'): string {
  const values = table.key.map(({ name }) => textOf(table, name, row))
  if (values.length === 1) return values[0] ?? ''
  return `'[' || ${values.map((value) => `to_json(${value})::text`).join(` || ',' || `)} || ']'`
}

function heldCheck(table: ReplicaTable): string {
  const { audience: rule } = table
  const audience =
    'constant' in rule
      ? quoteLiteral(rule.constant)
      : `${quoteLiteral(`${rule.prefix}:`)} || ${textOf(table, rule.column, 'NEW')}`
  return `IF coalesce(NOT tidemark.is_held(${audience}), true) THEN PERFORM tidemark.refuse_foreign(${quoteLiteral(table.id)}); END IF;`
}

/** Of a table that the app itself may not write: whether this is what a cascade of this mutation does. */
function cascadeCheck(table: ReplicaTable, cascades: readonly ForeignKey[]): string {
  const isCascade = cascades.map(({ columns, parent, parentColumns }) => {
    const same = columns.map(
      (column, index) =>
        `w.before::json ->> ${quoteLiteral(parentColumns[index] ?? '')} = ${textOf(table, column, 'OLD')}`,
    )
    return `EXISTS (SELECT FROM tidemark.write w WHERE w.counter = nullif(current_setting('tidemark.mutation', true), '')::bigint
      AND w.table_id = ${quoteLiteral(parent)} AND w.op <> 'insert' AND ${same.join(' AND ')})`
  })
  return `IF TG_OP = 'INSERT' THEN PERFORM tidemark.refuse_row(${quoteLiteral(table.id)});
      ELSIF NOT (${isCascade.join(' OR ')}) THEN PERFORM tidemark.refuse_row(${quoteLiteral(table.id)}); END IF;`
}

function captureFunction(table: ReplicaTable, name: string, cascades: readonly ForeignKey[]): string {
  const id = quoteLiteral(table.id)
  const { write } = table.definition
  // What a cascade may have done does not count: it is not sent.
  const counted = cascades.length === 0 ? 'true' : `TG_OP = 'INSERT'`
  const onlyCascades = write === undefined ? 'true' : `coalesce(current_setting('tidemark.action', true), '') <> 'on'`
  const guard =
    write === 'all' || cascades.length === 0
      ? ''
      : `IF ${onlyCascades} AND current_setting('tidemark.redo', true) IS DISTINCT FROM 'on' THEN
      ${cascadeCheck(table, cascades)}
    END IF;`
  const body = `DECLARE old_row text; new_row text; old_key text; new_key text;
  BEGIN
    IF TG_OP <> 'INSERT' THEN old_row := ${imageOf(table, 'OLD')}; old_key := ${keyOf(table, 'OLD')}; END IF;
    IF TG_OP <> 'DELETE' THEN new_row := ${imageOf(table, 'NEW')}; new_key := ${keyOf(table, 'NEW')}; END IF;
    IF old_row = new_row THEN RETURN NULL; END IF;
    ${guard}
    IF TG_OP <> 'DELETE' THEN ${heldCheck(table)} END IF;
    IF old_key = new_key THEN
      PERFORM tidemark.keep_write(${id}, 'update', old_key, old_row, new_row, ${counted});
      RETURN NULL;
    END IF;
    IF TG_OP <> 'INSERT' THEN PERFORM tidemark.keep_write(${id}, 'delete', old_key, old_row, NULL, ${counted}); END IF;
    IF TG_OP <> 'DELETE' THEN PERFORM tidemark.keep_write(${id}, 'insert', new_key, NULL, new_row, ${counted}); END IF;
    RETURN NULL;
  END`
  return `CREATE OR REPLACE FUNCTION ${name}() RETURNS trigger LANGUAGE plpgsql ${PINNED_FUNCTION} AS ${quoteLiteral(body)};`
}

/** Admits, refuses and captures what the app writes to these tables; what there was of it before is replaced. */
export function captureStatements(tables: ReplicaTables): string[] {
  const all = [...tables.values()]
  const keys = foreignKeysOf({ types: [], tables: all.map(({ definition }) => definition) })
  return all.flatMap((table, position) => {
    const cascades = keys.filter((key) => key.table === table.id && (key.onDelete !== null || key.onUpdate !== null))
    const { write } = table.definition
    const name = `tidemark.capture_${position}`
    const admit = `CREATE OR REPLACE TRIGGER ${ADMIT} BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON ${table.name}
      FOR EACH STATEMENT EXECUTE FUNCTION tidemark.admit_write('${write ?? 'none'}', '${cascades.length > 0 ? 't' : 'f'}');`
    if (write === undefined && cascades.length === 0)
      return [`DROP TRIGGER IF EXISTS ${CAPTURE} ON ${table.name};`, admit]
    return [
      captureFunction(table, name, cascades),
      `CREATE OR REPLACE TRIGGER ${CAPTURE} AFTER INSERT OR UPDATE OR DELETE ON ${table.name}
      FOR EACH ROW EXECUTE FUNCTION ${name}();`,
      admit,
    ]
  })
}
