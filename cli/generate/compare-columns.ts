import { quoteIdentifier } from '../../protocol/sql-identifier.ts'
import type { Choices } from './choices.ts'
import { conversionOf } from './conversion.ts'
import { alter, type Step, shownTable } from './step.ts'
import type { ColumnFacts, TableFacts } from './table-facts.ts'

export interface ColumnComparison {
  readonly steps: readonly Step[]
  readonly questions: readonly string[]
  readonly notes: readonly string[]
}

/** Compares the columns of a table as it is with those its entity wants. */
export function compareColumns(now: TableFacts, wanted: TableFacts, choices: Choices): ColumnComparison {
  const table = shownTable(now)
  const named = (columns: readonly ColumnFacts[], name: string) => columns.find((column) => column.name === name)
  const added = wanted.columns.filter(({ name }) => !named(now.columns, name))
  const gone = now.columns.filter(({ name }) => !named(wanted.columns, name))
  const dropped = gone.filter(({ name }) => choices.drops.includes(`${table}.${name}`))
  const open = gone.filter((column) => !dropped.includes(column) && !choices.keeps.includes(`${table}.${column.name}`))
  const steps = [
    ...dropped.map(({ name }) => ({
      statement: alter(now, `DROP COLUMN ${quoteIdentifier(name)}`),
      says: `Drops column ${name} of ${table}: ITS DATA IS LOST, as --drop ${table}.${name} said.`,
    })),
    ...wanted.columns.flatMap((column) => {
      const before = named(now.columns, column.name)
      return before ? changeColumn(now, before, column) : []
    }),
    ...added.map((column) => addColumn(now, column)),
  ]
  const names = (columns: readonly ColumnFacts[]) => columns.map(({ name }) => name).join(', ')
  if (open.length > 0 && added.length > 0) {
    const [first, next] = [open[0]?.name, added[0]?.name]
    return {
      steps,
      questions: [
        `Table ${table} has ${names(open)}, which its entity lacks, and lacks ${names(added)}. Say what became of each: ` +
          `--rename ${table}.${first}:${next} keeps its data under the new name, --drop ${table}.${first} loses it, --keep ${table}.${first} leaves it there.`,
      ],
      notes: [],
    }
  }
  const notes = open.map(
    ({ name }) =>
      `Column ${name} of ${table} stays, though no entity has it: --drop ${table}.${name} drops it with its data.`,
  )
  return { steps, questions: [], notes }
}

function addColumn(table: TableFacts, column: ColumnFacts): Step {
  const refused = column.notNull && column.expression === null && column.identity === ''
  const effect = column.generated
    ? 'It is computed for all rows.'
    : refused
      ? 'FAILS, and changes nothing, where the table holds rows: give the column a default, or fill it here before SET NOT NULL.'
      : column.expression === null && column.identity === ''
        ? 'Rows that exist hold NULL in it.'
        : 'Rows that exist get its default.'
  return {
    statement: alter(table, `ADD COLUMN ${columnSql(column)}`),
    says: `Adds column ${column.name} to ${shownTable(table)}. ${effect}`,
  }
}

/** Returns a column as CREATE TABLE and ADD COLUMN take it. */
export function columnSql(column: ColumnFacts): string {
  const serial = serialOf(column)
  const parts = [quoteIdentifier(column.name), serial ?? column.type]
  if (column.collation !== null) parts.push(`COLLATE ${column.collation}`)
  if (column.notNull) parts.push('NOT NULL')
  if (column.generated) parts.push(`GENERATED ALWAYS AS (${column.expression}) STORED`)
  else if (column.identity !== '')
    parts.push(`GENERATED ${column.identity === 'a' ? 'ALWAYS' : 'BY DEFAULT'} AS IDENTITY`)
  else if (column.expression !== null && serial === null) parts.push(`DEFAULT ${column.expression}`)
  return parts.join(' ')
}

/** A column that counts by a sequence makes it again where it is written as a serial type. */
function serialOf(column: ColumnFacts): string | null {
  if (!column.expression?.startsWith('nextval(')) return null
  return { smallint: 'smallserial', integer: 'serial', bigint: 'bigserial' }[column.type] ?? null
}

/** TypeORM asks an extension for what Postgres has itself by now; both give a uuid at random. Rule CLI-R53. */
const makesUuids = ({ expression }: ColumnFacts) =>
  /^(?:(?:\w+|"[^"]+")\.)?uuid_generate_v4\(\)$|^gen_random_uuid\(\)$/.test(expression ?? '')

function changeColumn(table: TableFacts, now: ColumnFacts, wanted: ColumnFacts): Step[] {
  const place = `column ${now.name} of ${shownTable(table)}`
  const change = (action: string, says: string): Step => ({
    statement: alter(table, `ALTER COLUMN ${quoteIdentifier(now.name)} ${action}`),
    says,
  })
  if (now.generated !== wanted.generated || (wanted.generated && now.expression !== wanted.expression)) {
    const loss = now.generated ? 'no data is lost, as it was computed too' : 'THE DATA IN IT IS LOST'
    return [
      {
        statement: alter(table, `DROP COLUMN ${quoteIdentifier(now.name)}`),
        says: `Drops ${place} to make it anew: ${loss}.`,
      },
      addColumn(table, wanted),
    ]
  }
  const steps: Step[] = []
  const retyped = now.type !== wanted.type || now.collation !== wanted.collation
  const keepsDefault = serialOf(now) !== null && serialOf(wanted) !== null
  const isOther = now.expression !== wanted.expression && !(makesUuids(now) && makesUuids(wanted))
  const defaulted = !keepsDefault && (isOther || (retyped && now.expression !== null))
  if (defaulted && now.expression !== null && (retyped || wanted.expression === null))
    steps.push(change('DROP DEFAULT', `Takes the default of ${place} away; rows keep what they hold.`))
  if (retyped) {
    const { keepsAll, explicit } = conversionOf(now.type, wanted.type)
    const collation = wanted.collation === null ? '' : ` COLLATE ${wanted.collation}`
    const using = explicit ? ` USING ${quoteIdentifier(now.name)}::${wanted.type}` : ''
    const effect = keepsAll
      ? 'every value stays what it is.'
      : 'VALUES THAT DO NOT FIT ARE ROUNDED OR MAKE IT FAIL, changing nothing; look at them before.'
    steps.push(
      change(`TYPE ${wanted.type}${collation}${using}`, `Makes ${place} ${wanted.type} from ${now.type}: ${effect}`),
    )
  }
  if (defaulted && wanted.expression !== null)
    steps.push(change(`SET DEFAULT ${wanted.expression}`, `Sets the default of ${place}; rows keep what they hold.`))
  if (now.identity !== wanted.identity) steps.push(...changeIdentity(now, wanted, change, place))
  if (!now.notNull && wanted.notNull)
    steps.push(
      change(
        'SET NOT NULL',
        `Requires ${place}. FAILS, and changes nothing, where a row holds NULL: fill those first.`,
      ),
    )
  if (now.notNull && !wanted.notNull)
    steps.push(change('DROP NOT NULL', `Allows NULL in ${place}; rows keep what they hold.`))
  return steps
}

function changeIdentity(
  now: ColumnFacts,
  wanted: ColumnFacts,
  change: (action: string, says: string) => Step,
  place: string,
): Step[] {
  const steps: Step[] = []
  if (now.identity !== '') steps.push(change('DROP IDENTITY', `Stops numbering ${place}; rows keep what they hold.`))
  if (wanted.identity !== '') {
    const kind = wanted.identity === 'a' ? 'ALWAYS' : 'BY DEFAULT'
    steps.push(
      change(
        `ADD GENERATED ${kind} AS IDENTITY`,
        `Numbers ${place} FROM 1: set the sequence past the rows that exist, by setval.`,
      ),
    )
  }
  return steps
}
