import type { FailedRow } from 'tidemark/client'
import { fieldWord } from './failure-words.ts'
import { FieldEditor, FieldValue, isEditableField } from './field-value.tsx'
import { type Choice, choiceOf, type Resolution } from './resolution.ts'

/** Columns that mean nothing to people. */
const SILENT = new Set(['id', 'org_id', 'issue_id', 'creator_id', 'author_id', 'user_id', 'label_id'])
const TIMES = /_at$/

/** Both versions of a row, field by field; with a resolution, whose to take. */
export function VersionTable(props: {
  row: FailedRow
  orgId: string | null
  contested: readonly string[]
  resolution: Resolution | null
  onResolve: (column: string, choice: Choice) => void
}) {
  const { row, resolution } = props
  const columns = Object.keys(row.local ?? {}).filter((column) => !SILENT.has(column) && !TIMES.test(column))
  if (columns.length === 0) return null
  return (
    <div className="versions">
      {columns.map((column) => (
        <fieldset key={column} data-contested={props.contested.includes(column)}>
          <legend>
            {fieldWord(column)}
            {props.contested.includes(column) && <span className="contested">changed by both</span>}
          </legend>
          <Version
            name="Mine"
            column={column}
            value={row.local?.[column] ?? null}
            isChosen={resolution && choiceOf(resolution, column).take === 'mine'}
            onChoose={() => props.onResolve(column, { take: 'mine' })}
          />
          {row.server && (
            <Version
              name="Theirs"
              column={column}
              value={row.server[column] ?? null}
              isChosen={resolution && choiceOf(resolution, column).take === 'theirs'}
              onChoose={() => props.onResolve(column, { take: 'theirs' })}
            />
          )}
          {resolution && isEditableField(column) && (
            <OtherVersion
              column={column}
              orgId={props.orgId}
              initial={row.local?.[column] ?? null}
              choice={choiceOf(resolution, column)}
              onResolve={(choice) => props.onResolve(column, choice)}
            />
          )}
        </fieldset>
      ))}
    </div>
  )
}

function Version(props: {
  name: string
  column: string
  value: string | null
  /** Null where there is nothing to choose. */
  isChosen: boolean | null
  onChoose: () => void
}) {
  const { name, column, value, isChosen, onChoose } = props
  const content = (
    <>
      <span className="version-name">{name}</span>
      <FieldValue column={column} value={value} />
    </>
  )
  if (isChosen === null) return <div className="version">{content}</div>
  return (
    <label className="version" data-chosen={isChosen}>
      <input type="radio" checked={isChosen} onChange={onChoose} />
      {content}
    </label>
  )
}

function OtherVersion(props: {
  column: string
  orgId: string | null
  initial: string | null
  choice: Choice
  onResolve: (choice: Choice) => void
}) {
  const { choice, onResolve } = props
  const isChosen = choice.take === 'other'
  return (
    <div className="version" data-chosen={isChosen}>
      <label>
        <input type="radio" checked={isChosen} onChange={() => onResolve({ take: 'other', value: props.initial })} />
        <span className="version-name">Edit</span>
      </label>
      {isChosen && (
        <FieldEditor
          column={props.column}
          orgId={props.orgId}
          value={choice.value}
          onChange={(value) => onResolve({ take: 'other', value })}
        />
      )}
    </div>
  )
}
