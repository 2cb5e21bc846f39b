import { expect, it } from 'vitest'
import { generateSeed } from './generate.ts'

const now = new Date('2026-09-01T08:00:00Z')

it('writes the same rows for the same moment', () => {
  expect(generateSeed(now)).toEqual(generateSeed(now))
})

it('writes 5,000 issues and 20,000 comments, none of them from the future', () => {
  const rows = generateSeed(now)
  expect(rows.issue.length).toBe(5_000)
  expect(rows.comment.length).toBe(20_000)
  const late = [...rows.issue, ...rows.comment].filter((row) => String(row.created_at) > now.toISOString())
  expect(late).toEqual([])
})

it('keeps every comment after its issue, by a member of the same organisation', () => {
  const rows = generateSeed(now)
  const issues = new Map(rows.issue.map((issue) => [issue.id, issue]))
  const members = new Map(rows.membership.map((member) => [member.id, member]))
  const misplaced = rows.comment.filter((comment) => {
    const issue = issues.get(comment.issue_id ?? null)
    const isLater = String(comment.created_at) >= String(issue?.created_at)
    return (
      !isLater || issue?.org_id !== comment.org_id || members.get(comment.author_id ?? null)?.org_id !== comment.org_id
    )
  })
  expect(misplaced).toEqual([])
})

it('leaves no placeholder in any text', () => {
  const { issue, comment } = generateSeed(now)
  const texts = [...issue.flatMap(({ title, body }) => [title, body]), ...comment.map(({ body }) => body)]
  expect(texts.filter((text) => /[{}]|undefined| {2}/.test(String(text)))).toEqual([])
})
