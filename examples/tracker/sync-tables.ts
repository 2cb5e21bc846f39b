// Made by `tidemark build` from entities.ts. Change the entities and run it again; what is written here is lost.
import { sql } from 'drizzle-orm'
import * as pg from 'drizzle-orm/pg-core'
import { table } from 'tidemark/db'

export const activityKind = pg.pgEnum('activity_kind', ['state', 'priority', 'assignee'])
export type ActivityKind = (typeof activityKind.enumValues)[number]

export const issueState = pg.pgEnum('issue_state', ['backlog', 'todo', 'in_progress', 'in_review', 'done', 'cancelled'])
export type IssueState = (typeof issueState.enumValues)[number]

export const issuePriority = pg.pgEnum('issue_priority', ['urgent', 'high', 'medium', 'low', 'none'])
export type IssuePriority = (typeof issuePriority.enumValues)[number]

export const memberRole = pg.pgEnum('member_role', ['owner', 'admin', 'member', 'guest'])
export type MemberRole = (typeof memberRole.enumValues)[number]

export const activity = pg.pgTable('activity', {
  id: pg.bigint('id', { mode: 'bigint' }).primaryKey().generatedByDefaultAsIdentity(),
  orgId: pg.uuid('org_id').notNull(),
  issueId: pg.uuid('issue_id').notNull(),
  actorId: pg.uuid('actor_id').notNull(),
  kind: activityKind('kind').notNull(),
  value: pg.text('value').notNull(),
  createdAt: pg.timestamp('created_at', { withTimezone: true }).notNull().default(sql`now()`),
})
export type ActivityRow = typeof activity.$inferSelect
export type NewActivityRow = typeof activity.$inferInsert

export const comment = pg.pgTable('comment', {
  id: pg.uuid('id').primaryKey().default(sql`gen_random_uuid()`),
  createdAt: pg.timestamp('created_at', { withTimezone: true }).notNull().default(sql`now()`),
  updatedAt: pg.timestamp('updated_at', { withTimezone: true }).notNull().default(sql`now()`),
  version: pg.integer('version').notNull().default(sql`1`),
  orgId: pg.uuid('org_id').notNull(),
  issueId: pg.uuid('issue_id').notNull(),
  authorId: pg.uuid('author_id').notNull(),
  body: pg.text('body').notNull(),
  editedAt: pg.timestamp('edited_at', { withTimezone: true }),
})
export type CommentRow = typeof comment.$inferSelect
export type NewCommentRow = typeof comment.$inferInsert

export const issue = pg.pgTable('issue', {
  id: pg.uuid('id').primaryKey().default(sql`gen_random_uuid()`),
  createdAt: pg.timestamp('created_at', { withTimezone: true }).notNull().default(sql`now()`),
  updatedAt: pg.timestamp('updated_at', { withTimezone: true }).notNull().default(sql`now()`),
  version: pg.integer('version').notNull().default(sql`1`),
  orgId: pg.uuid('org_id').notNull(),
  projectId: pg.uuid('project_id').notNull(),
  parentId: pg.uuid('parent_id'),
  number: pg.integer('number').notNull(),
  title: pg.text('title').notNull(),
  body: pg.text('body').notNull().default(sql`''`),
  state: issueState('state').notNull().default(sql`'backlog'`),
  priority: issuePriority('priority').notNull().default(sql`'none'`),
  assigneeId: pg.uuid('assignee_id'),
  creatorId: pg.uuid('creator_id').notNull(),
  dueOn: pg.date('due_on'),
  closedAt: pg.timestamp('closed_at', { withTimezone: true }),
})
export type IssueRow = typeof issue.$inferSelect
export type NewIssueRow = typeof issue.$inferInsert

export const issueLabel = pg.pgTable('issue_label', {
  issueId: pg.uuid('issue_id').notNull(),
  labelId: pg.uuid('label_id').notNull(),
  orgId: pg.uuid('org_id').notNull(),
}, (row) => [pg.primaryKey({ columns: [row.issueId, row.labelId] })])
export type IssueLabelRow = typeof issueLabel.$inferSelect
export type NewIssueLabelRow = typeof issueLabel.$inferInsert

export const label = pg.pgTable('label', {
  id: pg.uuid('id').primaryKey().default(sql`gen_random_uuid()`),
  createdAt: pg.timestamp('created_at', { withTimezone: true }).notNull().default(sql`now()`),
  updatedAt: pg.timestamp('updated_at', { withTimezone: true }).notNull().default(sql`now()`),
  version: pg.integer('version').notNull().default(sql`1`),
  orgId: pg.uuid('org_id').notNull(),
  name: pg.text('name').notNull(),
  color: pg.text('color').notNull(),
})
export type LabelRow = typeof label.$inferSelect
export type NewLabelRow = typeof label.$inferInsert

export const membership = pg.pgTable('membership', {
  id: pg.uuid('id').primaryKey().default(sql`gen_random_uuid()`),
  createdAt: pg.timestamp('created_at', { withTimezone: true }).notNull().default(sql`now()`),
  updatedAt: pg.timestamp('updated_at', { withTimezone: true }).notNull().default(sql`now()`),
  version: pg.integer('version').notNull().default(sql`1`),
  orgId: pg.uuid('org_id').notNull(),
  userId: pg.uuid('user_id').notNull(),
  displayName: pg.text('display_name').notNull(),
  email: pg.text('email').notNull(),
  role: memberRole('role').notNull().default(sql`'member'`),
  joinedAt: pg.timestamp('joined_at', { withTimezone: true }).notNull().default(sql`now()`),
})
export type MembershipRow = typeof membership.$inferSelect
export type NewMembershipRow = typeof membership.$inferInsert

export const note = pg.pgTable('note', {
  id: pg.uuid('id').primaryKey().default(sql`gen_random_uuid()`),
  createdAt: pg.timestamp('created_at', { withTimezone: true }).notNull().default(sql`now()`),
  updatedAt: pg.timestamp('updated_at', { withTimezone: true }).notNull().default(sql`now()`),
  version: pg.integer('version').notNull().default(sql`1`),
  orgId: pg.uuid('org_id').notNull(),
  userId: pg.uuid('user_id').notNull(),
  issueId: pg.uuid('issue_id').notNull(),
  body: pg.text('body').notNull(),
})
export type NoteRow = typeof note.$inferSelect
export type NewNoteRow = typeof note.$inferInsert

export const organization = pg.pgTable('organization', {
  id: pg.uuid('id').primaryKey().default(sql`gen_random_uuid()`),
  createdAt: pg.timestamp('created_at', { withTimezone: true }).notNull().default(sql`now()`),
  updatedAt: pg.timestamp('updated_at', { withTimezone: true }).notNull().default(sql`now()`),
  version: pg.integer('version').notNull().default(sql`1`),
  name: pg.text('name').notNull(),
  slug: pg.text('slug').notNull(),
})
export type OrganizationRow = typeof organization.$inferSelect
export type NewOrganizationRow = typeof organization.$inferInsert

export const project = pg.pgTable('project', {
  id: pg.uuid('id').primaryKey().default(sql`gen_random_uuid()`),
  createdAt: pg.timestamp('created_at', { withTimezone: true }).notNull().default(sql`now()`),
  updatedAt: pg.timestamp('updated_at', { withTimezone: true }).notNull().default(sql`now()`),
  version: pg.integer('version').notNull().default(sql`1`),
  orgId: pg.uuid('org_id').notNull(),
  key: pg.text('key').notNull(),
  name: pg.text('name').notNull(),
  description: pg.text('description').notNull().default(sql`''`),
  leadId: pg.uuid('lead_id'),
  deletedAt: pg.timestamp('deleted_at', { withTimezone: true }),
})
export type ProjectRow = typeof project.$inferSelect
export type NewProjectRow = typeof project.$inferInsert

/** The tables of the sync definition: defineSync({ tables }). */
export const tables = {
  activity: table(activity, { audience: { column: activity.orgId, prefix: 'org' }, priority: 3 }),
  comment: table(comment, { audience: { column: comment.orgId, prefix: 'org' }, write: 'all', priority: 3 }),
  issue: table(issue, { audience: { column: issue.orgId, prefix: 'org' }, write: 'all', conflict: 'reject', priority: 2 }),
  issueLabel: table(issueLabel, { audience: { column: issueLabel.orgId, prefix: 'org' }, write: 'all', priority: 2 }),
  label: table(label, { audience: { column: label.orgId, prefix: 'org' }, write: 'all', priority: 1 }),
  membership: table(membership, { audience: { column: membership.orgId, prefix: 'org' }, priority: 1 }),
  note: table(note, { audience: { column: note.userId, prefix: 'user' }, write: 'all', conflict: 'last-write-wins', priority: 2 }),
  organization: table(organization, { audience: { column: organization.id, prefix: 'org' }, priority: 1 }),
  project: table(project, { audience: { column: project.orgId, prefix: 'org' }, priority: 1 }),
}
