import { expect, test } from 'vitest'
import type { ExistingTable } from './existing-table.ts'
import { proposeAudiences } from './propose-audiences.ts'

/** A table by its columns: `id` is its key, `name>table` refers to that one's id, and `?` after it may be NULL. */
function tableOf(name: string, ...columns: string[]): ExistingTable {
  const parsed = ['id', ...columns].map((text) => {
    const [column = '', parent] = text.replace('?', '').split('>')
    return { column, parent, notNull: !text.endsWith('?') }
  })
  return {
    catalogue: {
      schema: 'public',
      name,
      primaryKey: ['id'],
      columns: parsed.map(({ column, notNull }) => ({ name: column, notNull, generated: null })),
      foreignKeys: parsed.flatMap(({ column, parent }) =>
        parent === undefined
          ? []
          : [{ columns: [column], parentSchema: 'public', parentName: parent, parentColumns: ['id'] }],
      ),
    },
  } as unknown as ExistingTable
}

function proposed(...tables: ExistingTable[]): Record<string, string> {
  const travelling = new Map(
    tables.map(({ catalogue }) => [`public.${catalogue.name}`, catalogue.columns.map(({ name }) => name)]),
  )
  const { byTable } = proposeAudiences(tables, travelling)
  return Object.fromEntries(
    [...byTable].map(([id, proposal]) => {
      const or = proposal.kind === 'open' || proposal.alternatives.length === 0 ? '' : ` or ${proposal.alternatives}`
      const what =
        proposal.kind === 'column'
          ? `${proposal.prefix}:${proposal.column}`
          : proposal.kind === 'via'
            ? `${proposal.steps.map(({ column, parent }) => `${column}>${parent.slice(7)}`).join(' ')} ${proposal.prefix}`
            : 'open'
      return [id.slice(7), what + or]
    }),
  )
}

test('CLI-R33 rows of a tenant go to the tenant, its own row too, whoever else they name', () => {
  expect(
    proposed(
      tableOf('organizations'),
      tableOf('users', 'org_id>organizations'),
      tableOf('issues', 'org_id>organizations', 'author_id>users', 'user_id>users'),
      // Without a reference, by its name alone.
      tableOf('events', 'org_id'),
    ),
  ).toEqual({
    organizations: 'org:id',
    users: 'org:org_id or id',
    issues: 'org:org_id or user_id',
    events: 'org:org_id',
  })
})

test('CLI-R33 a child without the column goes over what it always belongs to, and not over a person', () => {
  expect(
    proposed(
      tableOf('teams'),
      tableOf('users', 'team_id>teams'),
      tableOf('issues', 'team_id>teams'),
      tableOf('comments', 'issue_id>issues', 'user_id>users'),
      tableOf('reactions', 'comment_id>comments'),
      tableOf('notifications', 'user_id>users'),
      tableOf('drafts', 'user_id>users', 'issue_id>issues?'),
    ),
  ).toMatchObject({
    comments: 'issue_id>issues team or user_id',
    reactions: 'comment_id>comments issue_id>issues team',
    notifications: 'user:user_id',
    drafts: 'user:user_id',
  })
})

test('CLI-R33 nothing is guessed: catalogues, several persons, and who only did something', () => {
  expect(
    proposed(
      tableOf('countries'),
      tableOf('cities', 'country_id>countries'),
      tableOf('users'),
      tableOf('matches', 'white_id>users', 'black_id>users'),
      tableOf('exports', 'created_by>users'),
    ),
  ).toEqual({
    countries: 'open',
    cities: 'open',
    users: 'user:id',
    matches: 'white_id>users user',
    exports: 'open',
  })
})

test('CLI-R33 a prefix is one that migrate takes, and not the reserved one', () => {
  expect(proposed(tableOf('Workspace', 'x'), tableOf('page', 'workspaceId>Workspace'))).toMatchObject({
    page: 'workspace:workspaceId',
  })
  expect(proposed(tableOf('clients'), tableOf('lead', 'client_id>clients'))).toMatchObject({
    lead: 'clients:client_id',
  })
})
