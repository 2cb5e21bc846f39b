import { fill, type IssueDraft, iso, pickUnsaid, type SeedRows } from './issue-draft.ts'
import { privateNotes } from './phrases.ts'
import type { Random } from './random.ts'

const NOTES_PER_MEMBER = 14

/** Seeds everybody's notes on the issues that they were given last. */
export function seedNotes(random: Random, rows: SeedRows, drafts: readonly IssueDraft[]): void {
  for (const { id: memberId, org_id: orgId, user_id: userId } of rows.membership) {
    const mine = drafts.filter(
      ({ orgId: itsOrgId, closedMs, row }) => itsOrgId === orgId && closedMs === null && row.assignee_id === memberId,
    )
    mine.sort((first, second) => String(second.row.updated_at).localeCompare(String(first.row.updated_at)))
    const said = new Set<string>()
    for (const draft of mine.slice(0, NOTES_PER_MEMBER)) {
      const colleagues = draft.members.filter(({ id }) => id !== memberId)
      const words = { thing: draft.thing, name: random.pick(colleagues).firstName, n: String(2 + random.below(7)) }
      const id = random.uuid()
      const body = fill(pickUnsaid(random, privateNotes, said), words)
      const createdAt = iso(draft.createdMs + (draft.untilMs - draft.createdMs) * random.next())
      rows.note.push({
        id,
        user_id: userId ?? null,
        org_id: draft.orgId,
        issue_id: draft.id,
        body,
        created_at: createdAt,
        updated_at: createdAt,
      })
    }
  }
}
