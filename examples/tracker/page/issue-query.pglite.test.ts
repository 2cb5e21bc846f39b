import { readFileSync } from 'node:fs'
import { PGlite } from '@electric-sql/pglite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { generateSeed } from '../seed/generate.ts'
import { type IssueFilter, type IssueListRow, issueCountQuery, issueListQuery, NO_FILTER } from './issue-query.ts'

let db: PGlite

beforeAll(async () => {
  db = await PGlite.create('memory://')
  await db.exec(readFileSync(new URL('../migrations/0001_schema.sql', import.meta.url), 'utf8'))
  for (const [table, rows] of Object.entries(generateSeed(new Date('2026-09-01T08:00:00Z'), 2_000))) {
    const insert = `INSERT INTO ${table} SELECT * FROM jsonb_populate_recordset(null::${table}, $1::jsonb)`
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

describe('OPS-05 issue list of the example', () => {
  it.each<Partial<IssueFilter>>([
    {},
    { state: 'all' },
    { state: 'closed', sort: 'created' },
    { state: 'in_review', assignee: 'nobody' },
    { label: 'bug', search: 'calendar' },
    { assignee: '7b1d90e4-52c8-4f1a-8e0b-6c2f4a9d0004', sort: 'priority' },
  ])('counts what it lists: %o', async (part) => {
    const rows = await list(part)
    expect(rows.length).toBe(await count(part))
    expect(new Set(rows.map(({ id }) => id)).size).toBe(rows.length)
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
