import type { Definition, NamesOfTable, VersionNames } from '../../../protocol/index.ts'

/**
 * Names the columns that have another type in a definition of which nobody tells how it came of the one before: what was
 * written to them cannot be said there. Their tables keep their names, as far as anybody knows.
 */
export function unknownRetypes(before: Definition, after: Definition): VersionNames {
  return new Map(
    before.tables.flatMap(({ id, columns }): [string, NamesOfTable][] => {
      const now = new Map(after.tables.find((table) => table.id === id)?.columns.map(({ name, type }) => [name, type]))
      const retyped = columns.filter(({ name, type }) => now.has(name) && alike(now.get(name) ?? '') !== alike(type))
      if (retyped.length === 0) return []
      const names = new Map(columns.map(({ name }) => [name, name]))
      const unknown = new Map(retyped.map(({ name }) => [name, null]))
      return [[id, { table: id, columns: names, filled: {}, labels: new Map(), retyped: unknown }]]
    }),
  )
}

/** A length makes no other values, nor whether a text has one. */
const alike = (type: string) => type.replace(/\([\d, -]+\)/, '').replace(/^character varying/, 'text')
