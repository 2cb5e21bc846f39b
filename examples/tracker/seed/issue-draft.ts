import type { IssueState } from '../sync-tables.ts'
import type { Random } from './random.ts'

/** One row, by column. */
export type Row = Record<string, string | number | null>

/** Rows by table, in an order that satisfies the foreign keys. */
export type SeedRows = Record<
  | 'organization'
  | 'app_user'
  | 'membership'
  | 'project'
  | 'label'
  | 'issue'
  | 'issue_label'
  | 'comment'
  | 'note'
  | 'activity',
  Row[]
>

export interface Member {
  readonly id: string
  readonly name: string
  readonly firstName: string
}

/** An issue while the rest of its story is being made up. */
export interface IssueDraft {
  readonly id: string
  readonly orgId: string
  readonly thing: string
  readonly createdMs: number
  readonly closedMs: number | null
  /** When it was closed, else when its project was archived, else now. */
  readonly untilMs: number
  readonly state: IssueState
  readonly members: readonly Member[]
  readonly row: Row
}

export const iso = (timeMs: number) => new Date(timeMs).toISOString()
export const capitalise = (text: string) => text.charAt(0).toUpperCase() + text.slice(1)
export const withoutArticle = (thing: string) => thing.replace(/^the /, '')

export function fill(template: string, words: Record<string, string>): string {
  return template.replace(/\{(\w+)\}/g, (_, name: string) => words[name] ?? '')
}

/** An issue's last change is the last thing that happened to it. */
export function markChanged({ row }: IssueDraft, changedMs: number): void {
  const updatedAt = iso(changedMs)
  if (String(row.updated_at) < updatedAt) row.updated_at = updatedAt
}

/** Picks a phrase that this thread does not have yet, if there is one. */
export function pickUnsaid(random: Random, phrases: readonly string[], said: Set<string>): string {
  const fresh = phrases.filter((phrase) => !said.has(phrase))
  const phrase = random.pick(fresh.length > 0 ? fresh : phrases)
  said.add(phrase)
  return phrase
}
