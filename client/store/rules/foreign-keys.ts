import { type Definition, tableId } from '../../../protocol/index.ts'

/** A foreign key as a replica enforces it. */
export interface ForeignKey {
  readonly table: string
  readonly columns: readonly string[]
  readonly parent: string
  readonly parentColumns: readonly string[]
  /** The action of a deleted or changed parent on its children; `NO ACTION` and `RESTRICT` do nothing. */
  readonly onDelete: ReferentialAction | null
  readonly onUpdate: ReferentialAction | null
}

type ReferentialAction = 'CASCADE' | 'SET NULL' | 'SET DEFAULT'

const NAME = String.raw`(?:"(?:[^"]|"")*"|[^\s",().]+)`
const NAMES = String.raw`\(((?:${NAME}(?:, )?)+)\)`
const FORM = new RegExp(String.raw`FOREIGN KEY ${NAMES} REFERENCES (?:ONLY )?(${NAME})\.(${NAME})${NAMES}`)
const ACTION = (event: string) => new RegExp(`ON ${event} (CASCADE|SET NULL|SET DEFAULT)`)

const unquoted = (name: string) => (name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name)

const namesOf = (list: string) => (list.match(new RegExp(NAME, 'g')) ?? []).map(unquoted)

function actionOn(event: string, rest: string): ReferentialAction | null {
  const found = ACTION(event).exec(rest)?.[1]
  return found === 'CASCADE' || found === 'SET NULL' || found === 'SET DEFAULT' ? found : null
}

/**
 * Answers the foreign keys of a definition, read from the statements that Postgres itself has printed, and those that
 * are only followed, which do nothing here.
 */
export function foreignKeysOf(definition: Definition): ForeignKey[] {
  return definition.tables.flatMap(({ id, foreignKeys, refers = [] }) => [
    ...refers.map((one): ForeignKey => ({ table: id, ...one, onDelete: null, onUpdate: null })),
    ...foreignKeys.flatMap(({ statement }): ForeignKey[] => {
      const found = FORM.exec(statement)
      const [whole = '', columns = '', schema = '', name = '', parentColumns = ''] = found ?? []
      if (!found) return []
      const rest = statement.slice((found.index ?? 0) + whole.length)
      return [
        {
          table: id,
          columns: namesOf(columns),
          parent: tableId({ schema: unquoted(schema), name: unquoted(name) }),
          parentColumns: namesOf(parentColumns),
          onDelete: actionOn('DELETE', rest),
          onUpdate: actionOn('UPDATE', rest),
        },
      ]
    }),
  ])
}
