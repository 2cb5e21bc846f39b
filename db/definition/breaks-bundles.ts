import {
  type ColumnDefinition,
  composeNames,
  type Definition,
  type DefinitionInForce,
  enumLabels,
  namesOfVersion,
  type TableDefinition,
} from '../../protocol/index.ts'

/**
 * Tells whether code that was written over one version may fail over the last of these: it names what is gone or goes by
 * another name, reads another type, or writes less than a row needs. Rights and policies refuse without breaking.
 */
export function breaksBundles(
  before: Definition,
  versions: readonly Pick<DefinitionInForce, 'definition' | 'steps'>[],
): boolean {
  const { tables, types } = versions.at(-1)?.definition ?? before
  const lostLabels = before.types.some((type) => {
    const now = types.find(({ schema, name }) => schema === type.schema && name === type.name)
    const labels = enumLabels(now?.statement ?? '') ?? []
    return now !== undefined && enumLabels(type.statement)?.some((label) => !labels.includes(label))
  })
  const named = versions.map(({ definition, steps = [] }) =>
    namesOfVersion({ definition, steps: [...steps], names: [] }),
  )
  const isRenamed = [...named.reduce(composeNames, new Map())].some(
    ([from, { table, columns }]) => from !== table || [...columns].some(([was, is]) => was !== is),
  )
  return (
    lostLabels ||
    isRenamed ||
    before.tables.some((table) => {
      const now = tables.find(({ id }) => id === table.id)
      return now === undefined || breaksTable(table, now)
    })
  )
}

function breaksTable(before: TableDefinition, after: TableDefinition): boolean {
  const isInserted = before.write !== undefined && after.write !== undefined
  const gone = before.columns.some((column) => after.columns.every(({ name }) => name !== column.name))
  return (
    gone ||
    after.columns.some((column) => {
      const old = before.columns.find(({ name }) => name === column.name)
      if (old !== undefined && withoutLimit(old.type) !== withoutLimit(column.type)) return true
      return isInserted && mustBeGiven(column) && (old === undefined || !mustBeGiven(old))
    })
  )
}

const mustBeGiven = (column: ColumnDefinition): boolean =>
  column.notNull &&
  column.generated === null &&
  column.serverGenerated === undefined &&
  column.default === undefined &&
  column.serverDefault === undefined

/** A length or a precision that grows or shrinks is the same type to who reads it. */
const withoutLimit = (type: string): string => type.replace(/\(\d+(,\s*-?\d+)?\)/, '')
