import { useState } from 'react'
import { mutationFacts, mutationTimes, type SeenMutation, useLiveQuery, useMutations } from 'tidemark/react'
import { fieldWord, tableName, writeWords } from './failure-words.ts'
import { issueOf } from './issue-marks.ts'
import { usePast } from './use-past.ts'

/** Issues of older mutations go by their ids, in the details. */
const MOST_SUBJECTS = 100
const REFERENCES = `
  SELECT issue.id, project.key || '-' || issue.number AS reference
  FROM issue JOIN project ON project.id = issue.project_id WHERE issue.id = ANY($1::uuid[])`

interface ReferenceRow {
  id: string
  reference: string
}

const STATUS_WORDS = { pending: 'pending', sent: 'sent', confirmed: 'confirmed', failed: 'failed' } as const

/** Every mutation of this replica, newest first, with what it does to rows and how long each step took. */
export function MutationLog({ onClose }: { onClose: () => void }) {
  const records = useMutations()
  const subjects = [...new Set(records.flatMap(subjectsOf))].slice(0, MOST_SUBJECTS)
  const { rows } = useLiveQuery<ReferenceRow>(REFERENCES, [subjects])
  const references = new Map(rows?.map(({ id, reference }) => [id, reference]))
  return (
    <section className="mutation-log" aria-label="Mutation log">
      <header>
        <h2>
          Mutations <span className="count">{records.length}</span>
        </h2>
        <button type="button" className="link" onClick={onClose}>
          Close
        </button>
      </header>
      {records.length === 0 && <p className="muted blank">Nothing has been written in this replica yet.</p>}
      <ol>
        {records.map((record) => (
          <Entry key={record.id} record={record} references={references} />
        ))}
      </ol>
    </section>
  )
}

/** The issues that a mutation is about, or whose parts it writes. */
function subjectsOf({ action, writes }: SeenMutation): string[] {
  const named = action ? issueOf(action.args) : null
  const written = writes.map(({ table, before, after }) => {
    const row = after ?? before
    return tableName(table) === 'issue' ? row?.id : row?.issue_id
  })
  return [...new Set([named, ...written].filter((id) => typeof id === 'string'))]
}

function Entry({ record, references }: { record: SeenMutation; references: ReadonlyMap<string, string> }) {
  const [isOpen, setIsOpen] = useState(false)
  const run = usePast()
  const about = subjectsOf(record).flatMap((subject) => references.get(subject) ?? [])
  const { id, action, status, effective, rejection, writes, lsn } = record
  return (
    <li data-status={status}>
      <button type="button" className="log-line" aria-expanded={isOpen} onClick={() => setIsOpen(!isOpen)}>
        <span className="log-counter">{id.slice(id.lastIndexOf(':') + 1)}</span>
        <span className="log-status" data-status={status}>
          {STATUS_WORDS[status]}
          {!effective && status === 'sent' && ', without effect'}
        </span>
        <span className="ellipsis">
          {about.length > 0 && <strong>{about.join(', ')} </strong>}
          {writeWords(record)} <span className="muted">{mutationFacts(record)}</span>
        </span>
        <span className="log-time">{mutationTimes(record)}</span>
      </button>
      {isOpen && (
        <div className="log-detail">
          <p>
            <span className="muted">id</span> {id} <span className="muted">at</span> {record.at}
            {lsn && (
              <>
                {' '}
                <span className="muted">committed at</span> {lsn}
              </>
            )}
          </p>
          {action && <pre>{JSON.stringify(action.args, null, 2)}</pre>}
          {rejection && (
            <p className="log-rejection">
              {rejection.kind}
              {rejection.code ? ` (${rejection.code})` : ''}: {rejection.message}
            </p>
          )}
          {writes.map((write, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: the writes of a mutation are in order.
            <Patch key={index} write={write} />
          ))}
          {status === 'confirmed' && (
            <button type="button" className="link" onClick={() => void run((replica) => replica.rollback(id))}>
              Take back
            </button>
          )}
          {writes.length === 0 && <p className="muted">Its writes are settled: the rows are the server’s now.</p>}
        </div>
      )}
    </li>
  )
}

function Patch({ write: { table, op, before, after } }: { write: SeenMutation['writes'][number] }) {
  const columns = Object.keys(after ?? before ?? {}).filter((column) => before?.[column] !== after?.[column])
  return (
    <table className="log-patch">
      <caption>
        {op} {table}
      </caption>
      <tbody>
        {columns.map((column) => (
          <tr key={column}>
            <th scope="row" title={fieldWord(column)}>
              {column}
            </th>
            <td>
              {before !== null && <del>{before[column] ?? 'NULL'}</del>}
              {after !== null && <ins>{after[column] ?? 'NULL'}</ins>}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}
