import type { ActivityKind, IssueState } from '../sync-tables.ts'
import { type IssueDraft, iso, markChanged, type SeedRows } from './issue-draft.ts'
import type { Random } from './random.ts'

/** Returns the states that an issue went through on its way. */
function statesUntil(random: Random, state: IssueState): IssueState[] {
  if (state === 'backlog') return []
  if (state === 'in_review') return ['in_progress', 'in_review']
  if (state === 'done') return random.chance(0.5) ? ['in_progress', 'in_review', 'done'] : ['in_progress', 'done']
  return [state]
}

/** Seeds the steps by which each issue came to its assignee and state; the last step of a closed one is its closing. */
export function seedActivity(random: Random, rows: SeedRows, drafts: readonly IssueDraft[], sinceMs: number): void {
  for (const draft of drafts) {
    const assignee = draft.members.find(({ id }) => id === draft.row.assignee_id)
    const steps: [ActivityKind, string][] = assignee ? [['assignee', assignee.name]] : []
    if (draft.row.priority !== 'none' && random.chance(0.3)) steps.push(['priority', String(draft.row.priority)])
    for (const state of statesUntil(random, draft.state)) steps.push(['state', state])
    const times = steps.map(() => draft.createdMs + (draft.untilMs - draft.createdMs) * random.next())
    times.sort((first, second) => first - second)
    for (const [index, [kind, value]] of steps.entries()) {
      const isClosing = draft.closedMs !== null && index === steps.length - 1
      const happenedMs = isClosing ? draft.untilMs : (times[index] ?? draft.untilMs)
      if (happenedMs < sinceMs) continue
      rows.activity.push({
        org_id: draft.orgId,
        issue_id: draft.id,
        actor_id: random.pick(draft.members).id,
        kind,
        value,
        created_at: iso(happenedMs),
      })
      markChanged(draft, happenedMs)
    }
  }
  rows.activity.sort((first, second) => String(first.created_at).localeCompare(String(second.created_at)))
}
