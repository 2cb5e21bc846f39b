import type { CommittedMutation } from 'tidemark/workers'
import { connect } from './connect.ts'
import type { ActivityKind } from './sync-tables.ts'

interface Event {
  readonly issueId: string
  readonly kind: ActivityKind
  /** A state, a priority, or the id of a membership. */
  readonly value: string
}

const KINDS: Readonly<Record<string, ActivityKind>> = {
  state: 'state',
  priority: 'priority',
  assignee_id: 'assignee',
}

/** Lists the effects of a mutation on issues, as far as they are recorded. */
function eventsOf(mutation: CommittedMutation): Event[] {
  if (mutation.kind === 'patch') {
    return mutation.rows.flatMap((row) => {
      if (row.o !== 'u' || row.t !== 'public.issue') return []
      return Object.entries(row.d).flatMap(([column, value]): Event[] => {
        const kind = KINDS[column]
        return kind && value !== null ? [{ issueId: row.k.id ?? '', kind, value }] : []
      })
    })
  }
  const { issueId, state, assigneeId } = Object(mutation.args) as Readonly<Record<string, unknown>>
  if (typeof issueId !== 'string') return []
  switch (mutation.name) {
    case 'closeIssue':
    case 'reopenIssue':
      return [{ issueId, kind: 'state', value: String(state) }]
    case 'assignIssue':
      return typeof assigneeId === 'string' ? [{ issueId, kind: 'assignee', value: assigneeId }] : []
    default:
      return []
  }
}

/** The acting user is a member, or was one; the issue may be gone by now. */
const RECORD = `
  INSERT INTO public.activity (org_id, issue_id, actor_id, kind, value, mutation_id)
  SELECT issue.org_id, issue.id, actor.id, $3::public.activity_kind,
    coalesce((SELECT display_name FROM public.membership WHERE id::text = $4), $4), $5
  FROM public.issue JOIN public.membership AS actor ON actor.org_id = issue.org_id AND actor.user_id = $2::uuid
  WHERE issue.id = $1::uuid
  ON CONFLICT (mutation_id, issue_id, kind) DO NOTHING`

/** Records the effects of a committed mutation; a second call for the same one records nothing. */
export async function recordActivity(
  mutation: CommittedMutation,
  env: { readonly DATABASE_URL: string; readonly DATABASE_PROXY?: string | undefined },
): Promise<void> {
  const events = eventsOf(mutation)
  if (events.length === 0) return
  const client = await connect(env)
  try {
    for (const { issueId, kind, value } of events) {
      await client.query(RECORD, [issueId, mutation.userId, kind, value, mutation.id])
    }
  } finally {
    await client.end()
  }
}
