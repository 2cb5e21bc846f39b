import { KEPT_AUDIENCE, quoteIdentifier, quoteLiteral, quoteTable } from '../../protocol/index.ts'

/** Sorts after the app's triggers by any usual name, so that it sees what they made of the row. */
export const KEPT_TRIGGER = '~tidemark_audience'
export const KEPT_KEY = 'tidemark_audience_key'

/** A table whose audience Tidemark keeps, with everything that its triggers name. */
export interface KeptTable {
  readonly schema: string
  readonly name: string
  /** pg_class.oid, by which what is made for the table is named: it stays when the table is renamed. */
  readonly oid: string
  /** The type of the audience's column, perhaps with a collation. */
  readonly type: string
  readonly column: string | null
  readonly parent: KeptParent | null
  readonly when: string | null
}

export interface KeptParent {
  readonly schema: string
  readonly name: string
  readonly columns: readonly string[]
  readonly key: readonly string[]
  readonly audience: string
  /** What the app's own foreign key does, as `pg_get_constraintdef` prints it after the names. */
  readonly actions: string
  /** A child may stand there before its parent. */
  readonly mayComeLater: boolean
}

const OWN = quoteIdentifier(KEPT_AUDIENCE)
const PINNED = 'LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = off'

const keepFunction = ({ oid }: KeptTable) => `tidemark.keep_audience_${oid}`
const carryFunction = ({ oid }: KeptTable) => `tidemark.carry_audience_${oid}`
export const carryTrigger = ({ oid }: Pick<KeptTable, 'oid'>) => `~tidemark_audience_${oid}`
/** Postgres has one name space for the indexes and tables of a schema. */
export const parentIndex = ({ oid }: Pick<KeptTable, 'oid'>) => `tidemark_parent_of_${oid}`
export const childIndex = ({ oid }: Pick<KeptTable, 'oid'>) => `tidemark_audience_of_${oid}`

const list = (names: readonly string[]) => names.map(quoteIdentifier).join(', ')
const holds = (when: string) => `coalesce((${when}), false)`

/** The foreign key that moves the rows with their parent; it does on delete what the app's own does. */
export function keyDefinition({ parent }: { readonly parent: KeptParent }): string {
  return (
    `FOREIGN KEY (${list([...parent.columns, KEPT_AUDIENCE])}) REFERENCES ` +
    `${quoteTable(parent)} (${list([...parent.key, parent.audience])}) ON UPDATE CASCADE${parent.actions}`
  )
}

/** An expression for the audience that a row should have, over the row under the name `alias`. */
export function expectedAudience({ column, parent, when }: KeptTable, alias: string): string {
  const row = quoteIdentifier(alias)
  const own = parent
    ? `(SELECT p.${quoteIdentifier(parent.audience)} FROM ${quoteTable(parent)} AS p WHERE ${parent.key
        .map((name, index) => `p.${quoteIdentifier(name)} = ${row}.${quoteIdentifier(parent.columns[index] ?? '')}`)
        .join(' AND ')})`
    : `${row}.${quoteIdentifier(column ?? '')}`
  // The condition's columns bear no name of a table, so that it stands where there is but this one.
  return when === null ? own : `CASE WHEN (SELECT ${holds(when)} FROM (SELECT ${row}.*) AS "its row") THEN ${own} END`
}

/**
 * The body of the child's trigger. Reading the parent FOR KEY SHARE makes a move of it wait for the child, or the child
 * for the move; a value that is there already is vouched for by the foreign key.
 */
function keepBody({ column, parent, when }: KeptTable): string {
  const condition =
    when === null
      ? ''
      : `IF NOT (SELECT ${holds(when)} FROM (SELECT (NEW).*) AS "its row") THEN NEW.${OWN} := NULL; RETURN NEW; END IF;`
  if (!parent) return `BEGIN ${condition} NEW.${OWN} := NEW.${quoteIdentifier(column ?? '')}; RETURN NEW; END`
  const same = parent.columns
    .map((name) => `NEW.${quoteIdentifier(name)} IS NOT DISTINCT FROM OLD.${quoteIdentifier(name)}`)
    .join(' AND ')
  const its = parent.key
    .map((name, index) => `p.${quoteIdentifier(name)} = NEW.${quoteIdentifier(parent.columns[index] ?? '')}`)
    .join(' AND ')
  return `BEGIN
    ${condition}
    IF TG_OP = 'UPDATE' AND current_setting('session_replication_role') <> 'replica' THEN
      IF ${same} AND OLD.${OWN} IS NOT NULL AND NEW.${OWN} IS NOT NULL THEN RETURN NEW; END IF;
    END IF;
    SELECT p.${quoteIdentifier(parent.audience)} INTO NEW.${OWN} FROM ${quoteTable(parent)} AS p WHERE ${its} FOR KEY SHARE;
    RETURN NEW;
  END`
}

/** The body of the parent's trigger: from NULL, and where foreign keys do not act, it carries the audience on itself. */
function carryBody(table: KeptTable, parent: KeptParent): string {
  const to = `NEW.${quoteIdentifier(parent.audience)}`
  const from = `OLD.${quoteIdentifier(parent.audience)}`
  const its = parent.columns
    .map((name, index) => `t.${quoteIdentifier(name)} = NEW.${quoteIdentifier(parent.key[index] ?? '')}`)
    .join(' AND ')
  const when = table.when === null ? '' : ` AND ${holds(table.when)}`
  const update = (of: string) =>
    `UPDATE ${quoteTable(table)} AS t SET ${OWN} = ${to} WHERE ${its} AND t.${OWN} ${of}${when};`
  return `BEGIN
    IF TG_OP = 'INSERT' THEN
      ${update('IS NULL')}
    ELSIF ${from} IS NOT DISTINCT FROM ${to} THEN
      RETURN NULL;
    ELSIF ${from} IS NULL THEN
      ${update('IS NULL')}
    ELSIF current_setting('session_replication_role') = 'replica' THEN
      ${update(`= ${from}`)}
    END IF;
    RETURN NULL;
  END`
}

export interface KeptFunction {
  readonly name: string
  readonly body: string
}

/** The functions that keep a table's audience, as their bodies stand in the database. */
export function keptFunctions(table: KeptTable): KeptFunction[] {
  const { parent } = table
  // A name in the body is a column wherever it could be a variable too.
  const body = (text: string) => `#variable_conflict use_column\n${text}`
  return [
    { name: keepFunction(table), body: body(keepBody(table)) },
    ...(parent ? [{ name: carryFunction(table), body: body(carryBody(table, parent)) }] : []),
  ]
}

export function functionStatements({ name, body }: KeptFunction): string[] {
  return [
    `CREATE OR REPLACE FUNCTION ${name}() RETURNS trigger ${PINNED} AS ${quoteLiteral(body)}`,
    `REVOKE EXECUTE ON FUNCTION ${name}() FROM PUBLIC`,
  ]
}

/** A trigger of ours, on the table by that name. */
export interface KeptTriggerOn {
  readonly table: { readonly schema: string; readonly name: string }
  readonly name: string
  readonly statement: string
}

/** None has a condition, as the app could not alter or drop a column that is named in one. */
export function keptTriggers(table: KeptTable): KeptTriggerOn[] {
  const { parent } = table
  const make = (on: { schema: string; name: string }, name: string, events: string, calls: string) => ({
    table: { schema: on.schema, name: on.name },
    name,
    statement: `CREATE OR REPLACE TRIGGER ${quoteIdentifier(name)} ${events} ON ${quoteTable(on)} FOR EACH ROW EXECUTE FUNCTION ${calls}()`,
  })
  const own = make(table, KEPT_TRIGGER, 'BEFORE INSERT OR UPDATE', keepFunction(table))
  if (!parent) return [own]
  const carry = carryTrigger(table)
  return [
    own,
    make(parent, carry, 'AFTER UPDATE', carryFunction(table)),
    ...(parent.mayComeLater ? [make(parent, `${carry}_later`, 'AFTER INSERT', carryFunction(table))] : []),
  ]
}

/** The mark in the column's comment: what it was filled by. */
export function keptMark({ schema: _, name: _name, oid: _oid, ...rule }: KeptTable): string {
  return `Kept by Tidemark: ${JSON.stringify(rule)}`
}
