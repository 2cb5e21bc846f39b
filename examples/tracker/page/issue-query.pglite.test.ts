import { readFileSync } from 'node:fs'
import { PGlite } from '@electric-sql/pglite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { generateSeed } from '../seed/generate.ts'
import { ACTIVITY, type ActivityRow } from './activity-query.ts'
import { type IssueFilter, type IssueListRow, issueCountQuery, issueListQuery, NO_FILTER } from './issue-query.ts'
import {
  LABELS,
  type LabelRow,
  ofOrganization,
  PEOPLE,
  type PersonRow,
  PROJECTS,
  type ProjectRow,
} from './workspace-query.ts'

const HARBOUR = '1f0c6a52-0a3e-4b57-9d64-3a7d5e8c0001'

let db: PGlite

beforeAll(async () => {
  db = await PGlite.create('memory://')
  for (const migration of ['0001_schema.sql', '0003_notes-activity.sql', '0005_subtasks.sql', '0007_versions.sql']) {
    await db.exec(readFileSync(new URL(`../migrations/${migration}`, import.meta.url), 'utf8'))
  }
  for (const [table, rows] of Object.entries(generateSeed(new Date('2026-09-01T08:00:00Z'), 2_000))) {
    const columns = Object.keys(rows[0] ?? {}).join(', ')
    const insert = `INSERT INTO ${table} (${columns})
      SELECT ${columns} FROM jsonb_populate_recordset(null::${table}, $1::jsonb)`
    await db.query(insert, [JSON.stringify(rows)])
  }
})

afterAll(() => db.close())

async function list(part: Partial<IssueFilter>, limit = 10_000): Promise<IssueListRow[]> {
  const { text, params } = issueListQuery({ ...NO_FILTER, ...part }, limit)
  return (await db.query<IssueListRow>(text, [...params])).rows
}

async function count(part: Partial<IssueFilter>): Promise<number | undefined> {
  const { text, params } = issueCountQuery({ ...NO_FILTER, ...part })
  return (await db.query<{ count: number }>(text, [...params])).rows[0]?.count
}

const all = async <Row>(text: string, params: string[] = []) => (await db.query<Row>(text, params)).rows

describe('OPS-05 issue list of the example', () => {
  it.each<Partial<IssueFilter>>([
    {},
    { state: 'all' },
    { state: 'closed', sort: 'created' },
    { state: 'in_review', assignee: 'nobody' },
    { label: 'bug', search: 'calendar' },
    { organizationId: HARBOUR, archived: true, state: 'all' },
    { assignee: '7b1d90e4-52c8-4f1a-8e0b-6c2f4a9d0004', sort: 'priority' },
  ])('counts what it lists: %o', async (part) => {
    const rows = await list(part)
    expect(rows.length).toBe(await count(part))
    expect(new Set(rows.map(({ id }) => id)).size).toBe(rows.length)
  })

  it('leaves out archived projects until they are asked for', async () => {
    const references = async (part: Partial<IssueFilter>) =>
      new Set(
        (await list({ state: 'all', organizationId: HARBOUR, ...part })).map((row) => row.reference.split('-')[0]),
      )
    expect(await references({})).toEqual(new Set(['SHOP', 'SHIP', 'WORK', 'FIN']))
    expect(await references({ archived: true })).toEqual(new Set(['FAIR']))
    const [fair] = (await all<ProjectRow>(PROJECTS)).filter(({ archived_at }) => archived_at !== null)
    expect(fair).toMatchObject({ name: 'Spring fair', issues: 60 })
    expect(await references({ projectId: fair?.id ?? null })).toEqual(new Set(['FAIR']))
  })

  it('offers the projects, people and labels of the chosen organisation', async () => {
    const projects = await all<ProjectRow>(PROJECTS)
    expect(projects.length).toBe(10)
    for (const { id, issues } of projects.filter(({ archived_at }) => archived_at === null)) {
      expect(issues).toBe(await count({ projectId: id }))
    }
    const names = (rows: readonly { organization: string }[]) => new Set(rows.map(({ organization }) => organization))
    expect(names(ofOrganization(projects, HARBOUR))).toEqual(new Set(['Harbour & Pine']))
    expect(names(ofOrganization(projects, null)).size).toBe(3)
    expect(ofOrganization(await all<PersonRow>(PEOPLE), HARBOUR).length).toBe(5)
    expect(ofOrganization(await all<LabelRow>(LABELS), HARBOUR).length).toBe(9)
    expect(ofOrganization(null, HARBOUR)).toEqual([])
  })

  it('tells the activity of an issue in its order, by serial keys', async () => {
    const [busiest] = await all<{ issue_id: string; events: number }>(
      'SELECT issue_id, count(*)::int AS events FROM activity GROUP BY issue_id ORDER BY events DESC, issue_id LIMIT 1',
    )
    const events = await all<ActivityRow>(ACTIVITY, [busiest?.issue_id ?? ''])
    expect(events.length).toBe(busiest?.events)
    const keys = events.map(({ id }) => Number(id))
    expect(keys).toEqual(keys.toSorted((first, second) => first - second))
    expect(new Set(events.map(({ actor }) => typeof actor))).toEqual(new Set(['string']))
  })

  it('finds every word of a search in title, text or number, taking % and _ as they are', async () => {
    const [row] = await list({ state: 'all', search: 'SHOP-12' })
    expect(row?.reference).toMatch(/^SHOP-12/)
    expect(await count({ state: 'all', search: 'vouch_r%' })).toBe(0)
    expect(await count({ state: 'all', search: 'field voucher' })).toBeGreaterThan(0)
  })

  it('lists urgent issues first by priority, and the last changed first by default', async () => {
    expect((await list({ sort: 'priority' }, 5)).map(({ priority }) => priority)).toEqual(Array(5).fill('urgent'))
    const times = (await list({}, 50)).map(({ updated_at }) => updated_at.getTime())
    expect(times).toEqual(times.toSorted((first, second) => second - first))
  })
})
