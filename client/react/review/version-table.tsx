import type { ReactNode } from 'react'
import type { FailedRow } from '../../mutations/mutation.ts'
import { type Choice, choiceOf, type Resolution } from '../rules/resolution.ts'
import type { ReviewParts } from './review-parts.tsx'

interface VersionTableProps {
  readonly row: FailedRow
  /** The columns that both sides changed. */
  readonly contested: readonly string[]
  /** Whose version to take, column by column; null where there is nothing to choose. */
  readonly resolution: Resolution | null
  readonly onResolve: (column: string, choice: Choice) => void
  readonly parts: Required<ReviewParts>
}

/** Both versions of a row, field by field; with a resolution, whose to take. */
export function VersionTable(props: VersionTableProps) {
  const { row, parts } = props
  const columns = Object.keys(row.local ?? {}).filter((column) => parts.isShown(column, row))
  if (columns.length === 0) return null
  return (
    <div className="tidemark-versions">
      {columns.map((column) => (
        <ColumnVersions key={column} column={column} {...props} />
      ))}
    </div>
  )
}

function ColumnVersions({
  column,
  row,
  contested,
  resolution,
  onResolve,
  parts,
}: VersionTableProps & { column: string }) {
  const isContested = contested.includes(column)
  const choice = resolution && choiceOf(resolution, column)
  const version = (name: string, values: FailedRow['local'], take: 'mine' | 'theirs') => (
    <Version
      name={name}
      isChosen={choice && choice.take === take}
      onChoose={() => onResolve(column, { take })}
      value={<parts.Value column={column} value={values?.[column] ?? null} row={row} />}
    />
  )
  return (
    <fieldset data-contested={isContested}>
      <legend>
        {parts.columnWord(column)}
        {isContested && <span className="tidemark-contested">changed by both</span>}
      </legend>
      {version('Mine', row.local, 'mine')}
      {row.server && version('Theirs', row.server, 'theirs')}
      {choice && parts.isEditable(column, row) && (
        <OtherVersion
          column={column}
          row={row}
          choice={choice}
          onResolve={(next) => onResolve(column, next)}
          parts={parts}
        />
      )}
    </fieldset>
  )
}

function Version(props: {
  readonly name: string
  readonly value: ReactNode
  /** Null where there is nothing to choose. */
  readonly isChosen: boolean | null
  readonly onChoose: () => void
}) {
  const content = (
    <>
      <span className="tidemark-version-name">{props.name}</span>
      {props.value}
    </>
  )
  if (props.isChosen === null) return <div className="tidemark-version">{content}</div>
  return (
    <label className="tidemark-version" data-chosen={props.isChosen}>
      <input type="radio" checked={props.isChosen} onChange={props.onChoose} />
      {content}
    </label>
  )
}

function OtherVersion({
  column,
  row,
  choice,
  onResolve,
  parts,
}: {
  readonly column: string
  readonly row: FailedRow
  readonly choice: Choice
  readonly onResolve: (choice: Choice) => void
  readonly parts: Required<ReviewParts>
}) {
  const isChosen = choice.take === 'other'
  const onChange = (value: string | null) => onResolve({ take: 'other', value })
  return (
    <div className="tidemark-version" data-chosen={isChosen}>
      <label>
        <input type="radio" checked={isChosen} onChange={() => onChange(row.local?.[column] ?? null)} />
        <span className="tidemark-version-name">Edit</span>
      </label>
      {isChosen && <parts.Editor column={column} value={choice.value} row={row} onChange={onChange} />}
    </div>
  )
}
