import { useState } from 'react'
import { mutationFacts, mutationTimes, type SeenMutation, useMutations } from 'tidemark/react'
import { fieldWord } from './failure-words.ts'

const STATUS_WORDS = { pending: 'pending', sent: 'sent', confirmed: 'confirmed', failed: 'failed' } as const

/** Every mutation of this replica, newest first, with what it does to rows and how long each step took. */
export function MutationLog({ onClose }: { onClose: () => void }) {
  const records = useMutations()
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
          <Entry key={record.id} record={record} />
        ))}
      </ol>
    </section>
  )
}

function Entry({ record }: { record: SeenMutation }) {
  const [isOpen, setIsOpen] = useState(false)
  const { id, action, status, effective, rejection, writes, lsn } = record
  return (
    <li data-status={status}>
      <button type="button" className="log-line" aria-expanded={isOpen} onClick={() => setIsOpen(!isOpen)}>
        <span className="log-counter">{id.slice(id.lastIndexOf(':') + 1)}</span>
        <span className="log-status" data-status={status}>
          {STATUS_WORDS[status]}
          {!effective && status === 'sent' && ', without effect'}
        </span>
        <span className="ellipsis">{mutationFacts(record)}</span>
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
