import { type DemoOrganization, demoOrganizations, demoUsers } from '../demo-users.ts'
import type { IssueState } from '../sync-tables.ts'
import { seedActivity } from './activity.ts'
import {
  capitalise,
  fill,
  type IssueDraft,
  iso,
  type Member,
  markChanged,
  pickUnsaid,
  type SeedRows,
  withoutArticle,
} from './issue-draft.ts'
import { seedNotes } from './notes.ts'
import {
  bugBodies,
  closingComments,
  middleComments,
  openingComments,
  organizationLabels,
  reasons,
  symptoms,
  taskBodies,
  tasks,
} from './phrases.ts'
import { type ProjectPlan, projectPlans } from './projects.ts'
import { createRandom, type Random } from './random.ts'
import { seedSubtasks } from './subtasks.ts'

const DAY_MS = 86_400_000
const HISTORY_DAYS = 270
/** The organisations began to write issues before they began to record activity. */
const RECORDED_DAYS = 90

/** Younger issues are mostly open, older ones mostly done. */
function stateAt(random: Random, ageDays: number): IssueState {
  const settled = Math.min(0.88, 0.1 + ageDays / 110)
  if (random.chance(settled)) return random.chance(0.09) ? 'cancelled' : 'done'
  return random.pick(['backlog', 'backlog', 'todo', 'todo', 'in_progress', 'in_review'] as const)
}

function draftIssue(random: Random, plan: ProjectPlan, members: readonly Member[], createdMs: number, nowMs: number) {
  const isBug = random.chance(0.55)
  const thing = random.pick(plan.things)
  const { text: symptom, when: circumstances } = random.pick(symptoms)
  const when = random.pick(circumstances)
  const name = random.pick(members).firstName
  const words = { thing, Thing: capitalise(thing), symptom, when, name, Name: name, n: String(2 + random.below(7)) }
  const title = isBug
    ? `${capitalise(withoutArticle(thing))} ${symptom} ${when}`.trim()
    : fill(random.pick(tasks), words) + random.pick(reasons)
  const body = fill(random.pick(isBug ? bugBodies : taskBodies), words)
  const ageDays = (nowMs - createdMs) / DAY_MS
  const state = stateAt(random, ageDays)
  const isClosed = state === 'done' || state === 'cancelled'
  const closedMs = isClosed ? createdMs + (nowMs - createdMs) * (0.05 + 0.9 * random.next() ** 2) : null
  return { isBug, thing, title, body, state, closedMs }
}

/**
 * Generates all demo data, the same for the same `now`: only times follow it, so that the demo never looks abandoned.
 */
export function generateSeed(now: Date, commentCount = 20_000): SeedRows {
  const random = createRandom(20_261_118)
  const nowMs = now.getTime()
  const foundedAt = iso(nowMs - (HISTORY_DAYS + 30) * DAY_MS)
  const founded = { created_at: foundedAt, updated_at: foundedAt }
  const rows: SeedRows = {
    organization: demoOrganizations.map(({ id, name, slug }) => ({ id, name, slug, ...founded })),
    app_user: demoUsers.map(({ id, email, name }) => ({ id, email, name, ...founded })),
    membership: [],
    project: [],
    label: [],
    issue: [],
    issue_label: [],
    comment: [],
    note: [],
    activity: [],
  }
  const drafts: IssueDraft[] = []
  for (const organization of demoOrganizations) seedOrganization(random, rows, drafts, organization, nowMs, founded)
  seedComments(random, rows, drafts, commentCount)
  seedActivity(random, rows, drafts, nowMs - RECORDED_DAYS * DAY_MS)
  seedNotes(random, rows, drafts)
  seedSubtasks(random, drafts)
  rows.issue = drafts.map((draft) => draft.row)
  return rows
}

function seedOrganization(
  random: Random,
  rows: SeedRows,
  drafts: IssueDraft[],
  organization: DemoOrganization,
  nowMs: number,
  founded: { readonly created_at: string; readonly updated_at: string },
): void {
  const orgId = organization.id
  const members: Member[] = []
  for (const user of demoUsers) {
    const role = user.memberships.find((membership) => membership.organization.id === orgId)?.role
    if (!role) continue
    const id = random.uuid()
    members.push({ id, name: user.name, firstName: user.name.split(' ')[0] ?? user.name })
    rows.membership.push({
      id,
      org_id: orgId,
      user_id: user.id,
      display_name: user.name,
      email: user.email,
      role,
      invite_hash: random.uuid().replaceAll('-', ''),
      joined_at: founded.created_at,
      ...founded,
    })
  }
  const labels = organizationLabels.map(([name, color]) => ({
    id: random.uuid(),
    org_id: orgId,
    name,
    color,
    ...founded,
  }))
  rows.label.push(...labels)
  const labelId = (name: string) => labels.find((label) => label.name === name)?.id ?? ''

  for (const plan of projectPlans.filter((candidate) => candidate.organization === organization.slug)) {
    const projectId = random.uuid()
    const untilMs = nowMs - (plan.archivedDaysAgo ?? 0) * DAY_MS
    rows.project.push({
      id: projectId,
      org_id: orgId,
      key: plan.key,
      name: plan.name,
      description: plan.description,
      lead_id: random.pick(members).id,
      created_at: founded.created_at,
      updated_at: plan.archivedDaysAgo === undefined ? founded.updated_at : iso(untilMs),
      deleted_at: plan.archivedDaysAgo === undefined ? null : iso(untilMs),
    })
    const historyMs = untilMs - nowMs + HISTORY_DAYS * DAY_MS
    const createdTimes = Array.from({ length: plan.issues }, () => untilMs - random.next() ** 1.15 * historyMs)
    createdTimes.sort((first, second) => first - second)
    for (const [index, createdMs] of createdTimes.entries()) {
      const text = draftIssue(random, plan, members, createdMs, untilMs)
      const id = random.uuid()
      const isStarted = text.state !== 'backlog' && text.state !== 'cancelled'
      const hasDueDate = text.closedMs === null && random.chance(0.25)
      drafts.push({
        id,
        orgId,
        thing: text.thing,
        createdMs,
        closedMs: text.closedMs,
        untilMs: text.closedMs ?? untilMs,
        state: text.state,
        members,
        row: {
          id,
          org_id: orgId,
          project_id: projectId,
          parent_id: null,
          number: index + 1,
          title: text.title,
          body: text.body,
          state: text.state,
          priority: random.pick([
            'urgent',
            'high',
            'high',
            'medium',
            'medium',
            'medium',
            'low',
            'low',
            'none',
          ] as const),
          assignee_id: isStarted || random.chance(0.3) ? random.pick(members).id : null,
          creator_id: random.pick(members).id,
          due_on: hasDueDate ? iso(nowMs + (random.below(60) - 10) * DAY_MS).slice(0, 10) : null,
          created_at: iso(createdMs),
          updated_at: iso(text.closedMs ?? createdMs),
          closed_at: text.closedMs === null ? null : iso(text.closedMs),
        },
      })
      const chosen = new Set([labelId(text.isBug ? 'bug' : 'feature')])
      // A new feature cannot be a regression.
      const fitting = labels.slice(2).filter(({ name }) => text.isBug || name !== 'regression')
      if (random.chance(0.4)) chosen.add(random.pick(fitting).id)
      if (random.chance(0.1)) chosen.add(random.pick(fitting).id)
      for (const label of chosen) rows.issue_label.push({ org_id: orgId, issue_id: id, label_id: label })
    }
  }
}

/**
 * Seeds comments: many on a few issues, few on most; a comment comes after its issue, and sets when that changed last.
 */
function seedComments(random: Random, rows: SeedRows, drafts: readonly IssueDraft[], count: number): void {
  const popularity = drafts.map((draft) => ({ draft, weight: 0.15 + random.next() ** 3 }))
  const total = popularity.reduce((sum, entry) => sum + entry.weight, 0)
  let carried = 0
  for (const { draft, weight } of popularity) {
    carried += (weight / total) * count
    const { untilMs } = draft
    const times: number[] = []
    for (; carried >= 0.5 && rows.comment.length + times.length < count; carried -= 1) times.push(random.next())
    const said = new Set<string>()
    for (const progress of times.sort((first, second) => first - second)) {
      const createdMs = draft.createdMs + (untilMs - draft.createdMs) * progress
      const words = { thing: draft.thing, name: random.pick(draft.members).firstName, n: String(2 + random.below(7)) }
      const template = pickUnsaid(random, phrasesAt(draft.closedMs === null ? progress * 0.7 : progress), said)
      const comment = {
        id: random.uuid(),
        org_id: draft.orgId,
        issue_id: draft.id,
        author_id: random.pick(draft.members).id,
        body: fill(template, words),
        created_at: iso(createdMs),
        edited_at: random.chance(0.05) ? iso(createdMs + (untilMs - createdMs) * 0.1 * random.next()) : null,
      }
      rows.comment.push({ ...comment, updated_at: comment.edited_at ?? comment.created_at })
      markChanged(draft, createdMs)
    }
  }
}

function phrasesAt(progress: number): readonly string[] {
  if (progress < 0.3) return openingComments
  return progress < 0.75 ? middleComments : closingComments
}
