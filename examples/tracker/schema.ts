import { bigserial, date, integer, pgEnum, pgTable, primaryKey, text, timestamp, uuid } from 'drizzle-orm/pg-core'

const timestamptz = (name: string) => timestamp(name, { withTimezone: true, mode: 'string' })

/** The columns that replicas hold; `migrations/` makes the tables, with their keys, indexes and policies. */
const memberRole = pgEnum('member_role', ['owner', 'admin', 'member', 'guest'])
export const issueState = pgEnum('issue_state', ['backlog', 'todo', 'in_progress', 'in_review', 'done', 'cancelled'])
export const issuePriority = pgEnum('issue_priority', ['urgent', 'high', 'medium', 'low', 'none'])
const activityKind = pgEnum('activity_kind', ['state', 'priority', 'assignee'])

export type IssueState = (typeof issueState.enumValues)[number]
export type IssuePriority = (typeof issuePriority.enumValues)[number]
export type ActivityKind = (typeof activityKind.enumValues)[number]
export type MemberRole = (typeof memberRole.enumValues)[number]

export const organization = pgTable('organization', {
  id: uuid('id').primaryKey(),
  name: text('name').notNull(),
  slug: text('slug').notNull(),
  createdAt: timestamptz('created_at').notNull().defaultNow(),
})

export const membership = pgTable('membership', {
  id: uuid('id').primaryKey().defaultRandom(),
  orgId: uuid('org_id').notNull(),
  userId: uuid('user_id').notNull(),
  displayName: text('display_name').notNull(),
  email: text('email').notNull(),
  role: memberRole('role').notNull().default('member'),
  inviteHash: text('invite_hash'),
  joinedAt: timestamptz('joined_at').notNull().defaultNow(),
})

export const project = pgTable('project', {
  id: uuid('id').primaryKey().defaultRandom(),
  orgId: uuid('org_id').notNull(),
  key: text('key').notNull(),
  name: text('name').notNull(),
  description: text('description').notNull().default(''),
  leadId: uuid('lead_id'),
  createdAt: timestamptz('created_at').notNull().defaultNow(),
  deletedAt: timestamptz('deleted_at'),
})

export const issue = pgTable('issue', {
  id: uuid('id').primaryKey().defaultRandom(),
  orgId: uuid('org_id').notNull(),
  projectId: uuid('project_id').notNull(),
  parentId: uuid('parent_id'),
  number: integer('number').notNull(),
  title: text('title').notNull(),
  body: text('body').notNull().default(''),
  state: issueState('state').notNull().default('backlog'),
  priority: issuePriority('priority').notNull().default('none'),
  assigneeId: uuid('assignee_id'),
  creatorId: uuid('creator_id').notNull(),
  dueOn: date('due_on', { mode: 'string' }),
  createdAt: timestamptz('created_at').notNull().defaultNow(),
  updatedAt: timestamptz('updated_at').notNull().defaultNow(),
  closedAt: timestamptz('closed_at'),
})

export const label = pgTable('label', {
  id: uuid('id').primaryKey().defaultRandom(),
  orgId: uuid('org_id').notNull(),
  name: text('name').notNull(),
  color: text('color').notNull(),
})

export const issueLabel = pgTable(
  'issue_label',
  {
    orgId: uuid('org_id').notNull(),
    issueId: uuid('issue_id').notNull(),
    labelId: uuid('label_id').notNull(),
  },
  (table) => [primaryKey({ columns: [table.issueId, table.labelId] })],
)

export const comment = pgTable('comment', {
  id: uuid('id').primaryKey().defaultRandom(),
  orgId: uuid('org_id').notNull(),
  issueId: uuid('issue_id').notNull(),
  authorId: uuid('author_id').notNull(),
  body: text('body').notNull(),
  createdAt: timestamptz('created_at').notNull().defaultNow(),
  editedAt: timestamptz('edited_at'),
})

export const note = pgTable('note', {
  id: uuid('id').primaryKey().defaultRandom(),
  userId: uuid('user_id').notNull(),
  orgId: uuid('org_id').notNull(),
  issueId: uuid('issue_id').notNull(),
  body: text('body').notNull(),
  createdAt: timestamptz('created_at').notNull().defaultNow(),
})

export const activity = pgTable('activity', {
  id: bigserial('id', { mode: 'bigint' }).primaryKey(),
  orgId: uuid('org_id').notNull(),
  issueId: uuid('issue_id').notNull(),
  actorId: uuid('actor_id').notNull(),
  kind: activityKind('kind').notNull(),
  value: text('value').notNull(),
  createdAt: timestamptz('created_at').notNull().defaultNow(),
})
