import type { EntityMetadata } from 'typeorm'
import { sqlIndexes } from '../../db/entity/marks.ts'
import { quoteIdentifier, quoteTable } from '../../protocol/sql-identifier.ts'

type ForeignKey = EntityMetadata['foreignKeys'][number]

/** Returns the statements that make of TypeORM's table of an entity what its entity says in words that TypeORM has not. */
export function statementsUnknownToTypeorm(metadata: EntityMetadata): string[] {
  const indexes = typeof metadata.target === 'function' ? sqlIndexes(metadata.target) : []
  return [
    ...metadata.foreignKeys.filter(losesPart).map(setNullSql),
    ...indexes.map(
      ({ name, on, unique }) =>
        `CREATE ${unique ? 'UNIQUE ' : ''}INDEX ${quoteIdentifier(name)} ON ${tableOf(metadata)} ${on}`,
    ),
  ]
}

/** Tells whether a reference that is set to NULL has columns that may not be. */
const losesPart = ({ onDelete, columns }: ForeignKey) =>
  onDelete === 'SET NULL' && new Set(columns.map(({ isNullable }) => isNullable)).size === 2

/** Sets to NULL what may be, as no row could be deleted otherwise. */
function setNullSql({ name, entityMetadata, referencedEntityMetadata, ...key }: ForeignKey): string {
  const list = (columns: ForeignKey['columns']) =>
    columns.map(({ databaseName }) => quoteIdentifier(databaseName)).join(', ')
  const clauses = [
    `FOREIGN KEY (${list(key.columns)}) REFERENCES ${tableOf(referencedEntityMetadata)} (${list(key.referencedColumns)})`,
    `ON DELETE SET NULL (${list(key.columns.filter(({ isNullable }) => isNullable))})`,
    ...(key.onUpdate ? [`ON UPDATE ${key.onUpdate}`] : []),
    ...(key.deferrable ? [`DEFERRABLE ${key.deferrable}`] : []),
  ]
  const constraint = quoteIdentifier(name)
  return `ALTER TABLE ${tableOf(entityMetadata)} DROP CONSTRAINT ${constraint}, ADD CONSTRAINT ${constraint} ${clauses.join(' ')}`
}

const tableOf = ({ schema, tableName }: EntityMetadata) => quoteTable({ schema: schema ?? 'public', name: tableName })
