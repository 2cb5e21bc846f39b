type Query = (text: string) => Promise<readonly object[]>

/** The app's invariants, each with the rows that break it; they hold in a replica and on the server alike. */
const INVARIANTS = {
  'no closed issue has an open subtask': `
    SELECT part.id FROM public.issue AS part JOIN public.issue AS whole ON whole.id = part.parent_id
    WHERE whole.state IN ('done', 'cancelled') AND part.state NOT IN ('done', 'cancelled')`,
  'no subtask has subtasks': `
    SELECT part.id FROM public.issue AS part JOIN public.issue AS whole ON whole.id = part.parent_id
    WHERE whole.parent_id IS NOT NULL`,
  'no assignee is from outside the organisation': `
    SELECT issue.id FROM public.issue
    LEFT JOIN public.membership ON membership.id = issue.assignee_id AND membership.org_id = issue.org_id
    WHERE issue.assignee_id IS NOT NULL AND membership.id IS NULL`,
  'no two issues of a project have one number': `
    SELECT project_id, number FROM public.issue GROUP BY project_id, number HAVING count(*) > 1`,
} as const

export type Invariant = keyof typeof INVARIANTS

/** Returns the invariants that do not hold. */
export async function brokenInvariants(query: Query): Promise<Invariant[]> {
  const broken: Invariant[] = []
  for (const [invariant, violations] of Object.entries(INVARIANTS) as [Invariant, string][]) {
    if ((await query(violations)).length > 0) broken.push(invariant)
  }
  return broken
}
