import { type FormEvent, useState } from 'react'
import { ModalDialog, useLiveQuery } from 'tidemark/react'
import { type IssuePriority, issuePriority } from '../sync-tables.ts'
import { Choice } from './choice.tsx'
import type { IssueFilter } from './issue-query.ts'
import { PRIORITY_WORDS } from './issue-words.ts'
import type { NewIssue } from './issue-writes.ts'
import { useWrite } from './use-write.ts'
import { ofOrganization, PEOPLE, type PersonRow, PROJECTS, type ProjectRow } from './workspace-query.ts'

export function NewIssueDialog({ filter, onClose }: { filter: IssueFilter; onClose: () => void }) {
  const [draft, setDraft] = useState({ title: '', body: '', priority: 'none' as IssuePriority })
  const [projectId, setProjectId] = useState(filter.projectId)
  const [assigneeId, setAssigneeId] = useState<string | null>(null)
  const write = useWrite()
  const rows = ofOrganization(useLiveQuery<ProjectRow>(PROJECTS).rows, filter.organizationId)
  const projects = rows.filter(({ archived_at }) => archived_at === null)
  const project = projects.find(({ id }) => id === projectId) ?? projects[0]
  const people = ofOrganization(useLiveQuery<PersonRow>(PEOPLE).rows, project?.org_id ?? null)

  const create = async (event: FormEvent) => {
    event.preventDefault()
    if (!project || draft.title.trim() === '') return
    const issue: NewIssue = { ...draft, projectId: project.id, assigneeId, parentId: null, state: 'todo' }
    if (await write((replica) => replica.actions.createIssue(issue))) onClose()
  }
  return (
    <ModalDialog title="New issue" className="new-issue" onClose={onClose}>
      <form onSubmit={(event) => void create(event)}>
        <input
          className="text-field"
          aria-label="Title"
          placeholder="Title"
          required
          maxLength={300}
          // biome-ignore lint/a11y/noAutofocus: the dialog begins with it.
          autoFocus
          value={draft.title}
          onChange={(event) => setDraft({ ...draft, title: event.target.value })}
        />
        <textarea
          className="text-field"
          aria-label="Description"
          placeholder="Description"
          rows={5}
          value={draft.body}
          onChange={(event) => setDraft({ ...draft, body: event.target.value })}
        />
        <div className="new-issue-choices">
          <Choice
            label="Project"
            value={project?.id ?? ''}
            onChange={(id) => {
              setProjectId(id)
              setAssigneeId(null)
            }}
          >
            {projects.map(({ id, name }) => (
              <option key={id} value={id}>
                {name}
              </option>
            ))}
          </Choice>
          <Choice
            label="Priority of the new issue"
            value={draft.priority}
            onChange={(priority) => setDraft({ ...draft, priority: priority as IssuePriority })}
          >
            {issuePriority.enumValues.map((priority) => (
              <option key={priority} value={priority}>
                {PRIORITY_WORDS[priority]}
              </option>
            ))}
          </Choice>
          <Choice
            label="Assignee of the new issue"
            value={assigneeId ?? ''}
            onChange={(id) => setAssigneeId(id || null)}
          >
            <option value="">Nobody</option>
            {people.map(({ id, name }) => (
              <option key={id} value={id}>
                {name}
              </option>
            ))}
          </Choice>
        </div>
        <div className="notice-actions">
          <button type="submit" className="button primary">
            Create
          </button>
          <button type="button" className="button" onClick={onClose}>
            Cancel
          </button>
        </div>
      </form>
    </ModalDialog>
  )
}
