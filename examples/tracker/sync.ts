import { defineSync, table } from 'tidemark/db'
import { actions } from './actions/index.ts'
import { activity, comment, issue, issueLabel, label, membership, note, organization, project } from './schema.ts'

/**
 * Everyone holds the rows of the organisations they belong to and their own notes; the data of lists loads before the
 * long tail of comments. Users write the content; memberships and activity belong to the server.
 */
export const sync = defineSync({
  tables: {
    organization: table(organization, { audience: { column: organization.id, prefix: 'org' }, priority: 1 }),
    membership: table(membership, {
      audience: { column: membership.orgId, prefix: 'org' },
      hidden: ['invite_hash'],
      priority: 1,
    }),
    project: table(project, { audience: { column: project.orgId, prefix: 'org' }, priority: 1 }),
    label: table(label, { audience: { column: label.orgId, prefix: 'org' }, write: 'all', priority: 1 }),
    issue: table(issue, {
      audience: { column: issue.orgId, prefix: 'org' },
      write: 'all',
      // Two users who changed one field have to decide.
      conflict: 'reject',
      priority: 2,
    }),
    issueLabel: table(issueLabel, {
      audience: { column: issueLabel.orgId, prefix: 'org' },
      write: 'all',
      priority: 2,
    }),
    note: table(note, {
      audience: { column: note.userId, prefix: 'user' },
      write: 'all',
      // A note has one author, who may use two devices.
      conflict: 'last-write-wins',
      priority: 2,
    }),
    comment: table(comment, { audience: { column: comment.orgId, prefix: 'org' }, write: 'all', priority: 3 }),
    activity: table(activity, { audience: { column: activity.orgId, prefix: 'org' }, priority: 3 }),
  },
  actions,
  watch: [{ table: membership, user: membership.userId }],
})
