import { type FormEvent, useState } from 'react'
import { useLiveQuery } from 'tidemark/react'
import { type IssueDetailRow, SUBTASKS, type SubtaskRow } from './issue-detail-query.ts'
import { isClosed } from './issue-writes.ts'
import { StateIcon } from './state-icon.tsx'
import { useChangeState } from './use-change-state.ts'
import { useWrite } from './use-write.ts'

/** The parts of an issue; a part has none of its own. */
export function SubtaskList({ issue }: { issue: IssueDetailRow }) {
  const { rows, error } = useLiveQuery<SubtaskRow>(SUBTASKS, [issue.id])
  const changeState = useChangeState()
  if (error !== null) return <p role="alert">The subtasks cannot be shown: {error.message}</p>
  if (issue.parent_id !== null || rows === null) return null
  const closed = rows.filter(({ state }) => isClosed(state)).length
  return (
    <section className="subtasks" aria-label="Subtasks">
      <h2>Subtasks {rows.length > 0 && <span className="count">{`${closed} of ${rows.length}`}</span>}</h2>
      <ul>
        {rows.map((row) => (
          <li key={row.id}>
            <input
              type="checkbox"
              aria-label={`${row.reference} is done`}
              checked={isClosed(row.state)}
              onChange={() => void changeState(row, isClosed(row.state) ? 'todo' : 'done')}
            />
            <StateIcon state={row.state} />
            <a href={`#${row.id}`} className="ellipsis">
              <span className="reference">{row.reference}</span> {row.title}
            </a>
          </li>
        ))}
      </ul>
      {!isClosed(issue.state) && issue.archived_at === null && <NewSubtask issue={issue} />}
    </section>
  )
}

function NewSubtask({ issue }: { issue: IssueDetailRow }) {
  const [title, setTitle] = useState('')
  const write = useWrite()
  const add = async (event: FormEvent) => {
    event.preventDefault()
    if (title.trim() === '') return
    const isWritten = await write((replica) =>
      replica.actions.createIssue({
        projectId: issue.project_id,
        parentId: issue.id,
        title,
        body: '',
        state: 'todo',
        priority: 'none',
        assigneeId: null,
      }),
    )
    if (isWritten) setTitle('')
  }
  return (
    <form className="new-subtask" onSubmit={add}>
      <input
        className="text-field"
        aria-label="New subtask"
        placeholder="Add a subtask"
        maxLength={300}
        value={title}
        onChange={(event) => setTitle(event.target.value)}
      />
    </form>
  )
}
