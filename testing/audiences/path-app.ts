import { sql } from 'drizzle-orm'
import { integer, pgTable, text, timestamp } from 'drizzle-orm/pg-core'
import { defineSync, table } from '../../db/index.ts'

export const project = pgTable('project', { id: integer('id').primaryKey(), org: text('org'), name: text('name') })
export const issue = pgTable('issue', {
  id: integer('id').primaryKey(),
  projectId: integer('project_id'),
  title: text('title'),
  deletedAt: timestamp('deleted_at'),
})
export const comment = pgTable('comment', {
  id: integer('id').primaryKey(),
  issueId: integer('issue_id'),
  body: text('body'),
})
export const page = pgTable('page', {
  id: integer('id').primaryKey(),
  org: text('org'),
  state: text('state'),
  body: text('body'),
})

/** Two steps up to the audience, of which one has a condition, and a condition on a column that names it. */
export const sync = defineSync({
  tables: {
    project: table(project, { audience: { column: project.org, prefix: 'org' }, write: 'all' }),
    issue: table(issue, {
      audience: { via: issue.projectId, of: project },
      when: sql`${issue.deletedAt} IS NULL`,
      write: 'all',
    }),
    comment: table(comment, { audience: { via: comment.issueId, of: issue }, write: 'all' }),
    page: table(page, {
      audience: { column: page.org, prefix: 'org' },
      when: sql`${page.state} = 'public'`,
      write: 'all',
    }),
  },
})

export const PATH_ROWS = `
  INSERT INTO project VALUES (1, 'a', 'A'), (2, 'b', 'B'), (3, NULL, 'nobody');
  --> statement-breakpoint
  INSERT INTO issue VALUES (11, 1, 'one', NULL), (12, 1, 'gone', now()), (21, 2, 'two', NULL), (31, 3, 'x', NULL), (41, NULL, 'y', NULL);
  --> statement-breakpoint
  INSERT INTO comment VALUES (111, 11, 'c'), (121, 12, 'c'), (211, 21, 'c'), (311, 31, 'c'), (411, 41, 'c'), (511, NULL, 'c');
  --> statement-breakpoint
  INSERT INTO page VALUES (1, 'a', 'public', 'p'), (2, 'a', 'draft', 'p'), (3, 'b', 'public', 'p')`
