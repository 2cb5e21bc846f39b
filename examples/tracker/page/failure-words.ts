import type { Failure } from 'tidemark/client'
import type { SeenMutation } from 'tidemark/react'

const ACTION_WORDS: Readonly<Record<string, string>> = {
  createIssue: 'Creating an issue',
  closeIssue: 'Closing an issue',
  reopenIssue: 'Reopening an issue',
  moveIssue: 'Moving an issue',
  assignIssue: 'Assigning an issue',
  addComment: 'Commenting',
  appendToIssue: 'Adding to a description',
}

const TABLE_WORDS: Readonly<Record<string, string>> = {
  issue: 'an issue',
  comment: 'a comment',
  note: 'a note',
  label: 'a label',
  issue_label: 'a label of an issue',
}

const VERBS = { insert: 'Adding', update: 'Changing', delete: 'Deleting' } as const

/** Words the attempt that failed. */
export function attemptOf({ action, rows }: Pick<Failure, 'action' | 'rows'>): string {
  if (action) return ACTION_WORDS[action.name] ?? action.name
  const [first] = rows
  if (!first) return 'A change'
  return `${VERBS[first.op]} ${TABLE_WORDS[tableName(first.table)] ?? 'a row'}`
}

/** Words what a mutation writes, in the log: the fields of a change, else what is added or deleted. */
export function writeWords({ action, writes }: Pick<SeenMutation, 'action' | 'writes'>): string {
  if (action) return ACTION_WORDS[action.name] ?? action.name
  const words = writes.map(({ op, table, before, after }) => {
    const name = tableName(table)
    if (op !== 'update') return `${op === 'insert' ? 'new' : 'deleted'} ${name.replaceAll('_', ' ')}`
    const changed = Object.keys(after ?? {}).filter((column) => after?.[column] !== before?.[column])
    const fields = changed.filter((column) => !/(_at|^version)$/.test(column)).map(fieldWord)
    return `${name === 'issue' ? '' : `${name.replaceAll('_', ' ')}: `}${fields.join(', ') || 'changed'}`
  })
  return [...new Set(words)].join('; ')
}

export const tableName = (table: string) => table.slice(table.lastIndexOf('.') + 1)

/** Words the reason, in the app's own terms instead of those of Postgres or Tidemark. */
export function reasonOf({ rejection, rows }: Failure): string {
  switch (rejection.kind) {
    case 'conflict':
      return `Somebody else changed ${fieldsOf(rejection.columns)} before this arrived.`
    case 'missing-row':
      return 'It has been deleted meanwhile, or moved to where you do not see it.'
    case 'constraint':
      if (rows.some(({ local }) => local?.state === 'done' || local?.state === 'cancelled' || local?.parent_id))
        return 'It breaks a rule of the tracker: an open subtask keeps its issue open.'
      return 'It breaks a rule of the tracker.'
    case 'forbidden':
      return 'You have no right to do this.'
    case 'dependency':
      return 'It builds on a change that was refused.'
    default:
      return rejection.message
  }
}

const FIELD_WORDS: Readonly<Record<string, string>> = {
  title: 'Title',
  body: 'Text',
  state: 'State',
  priority: 'Priority',
  assignee_id: 'Assignee',
  due_on: 'Due',
  project_id: 'Project',
  parent_id: 'Part of',
  number: 'Number',
  name: 'Name',
  color: 'Colour',
  edited_at: 'Edited',
}

/** Names fields within a sentence. */
const fieldsOf = (columns: readonly string[] = []) =>
  columns.length === 0 ? 'the same field' : `the same field (${columns.map(fieldWord).join(', ')})`

export const fieldWord = (column: string) => FIELD_WORDS[column] ?? column.replaceAll('_', ' ')
