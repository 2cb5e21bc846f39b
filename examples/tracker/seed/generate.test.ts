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
  const late = [...rows.issue, ...rows.comment, ...rows.note, ...rows.activity].filter(
    (row) => String(row.created_at) > now.toISOString(),
  )
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

it('lets everyone have notes, and ends the activity of an archived project before it was put away', () => {
  const rows = generateSeed(now)
  expect(new Set(rows.note.map((note) => note.user_id)).size).toBe(rows.app_user.length)
  const archived = new Map(rows.project.filter((row) => row.deleted_at !== null).map((row) => [row.id, row.deleted_at]))
  expect(archived.size).toBe(1)
  const late = rows.issue.filter((row) => String(row.updated_at) > String(archived.get(row.project_id ?? null) ?? '9'))
  expect(late).toEqual([])
})

it('leaves no placeholder in any text', () => {
  const { issue, comment, note } = generateSeed(now)
  const texts = [...issue.flatMap(({ title, body }) => [title, body]), ...[...comment, ...note].map(({ body }) => body)]
  expect(texts.filter((text) => /[{}]|undefined| {2}/.test(String(text)))).toEqual([])
})

it('has subtasks, one level deep, of their own project, and none open under a closed issue', () => {
  const { issue } = generateSeed(now)
  const issues = new Map(issue.map((row) => [row.id, row]))
  const parts = issue.filter((row) => row.parent_id !== null)
  expect(parts.length).toBeGreaterThan(100)
  const misplaced = parts.filter((part) => {
    const whole = issues.get(part.parent_id ?? null)
    const isOpenUnderClosed = whole?.closed_at !== null && part.closed_at === null
    return whole?.parent_id !== null || whole.project_id !== part.project_id || isOpenUnderClosed
  })
  expect(misplaced).toEqual([])
})
