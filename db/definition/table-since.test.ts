import { describe, expect, it } from 'vitest'
import type { Definition } from '../../protocol/index.ts'
import { column, defineTable } from '../../testing/replica/definitions.ts'
import { definitionHash } from './definition-hash.ts'
import { sinceWhen } from './table-since.ts'

const STATE = { schema: 'public', name: 'state', statement: `CREATE TYPE "public"."state" AS ENUM ('open')` }
const issue = defineTable('issue', [column('id'), column('org'), column('state', 'public.state')])
const note = defineTable('note', [column('id'), column('org'), column('title')])
const FIRST: Definition = { types: [STATE], tables: [issue, note] }
const NONE: ReadonlySet<string> = new Set()

const sinces = (definition: Definition) => Object.fromEntries(definition.tables.map(({ name, since }) => [name, since]))
const sinceAfter = (change: Definition, rewritten = NONE) =>
  sinces(sinceWhen(change, 7, { version: 5, definition: sinceWhen(FIRST, 3, null, NONE) }, rewritten))

describe('HYD-R4 since which version the rows of a table hold', () => {
  it('is the first version of all', () => {
    expect(sinces(sinceWhen(FIRST, 3, null, NONE))).toEqual({ issue: 3, note: 3 })
  })

  it('stays where the version before had the same rows, whatever is changed in place', () => {
    const indexes = [{ name: 'note_title', statement: 'CREATE INDEX note_title ON public.note (title)' }]
    const columns = note.columns.map((one) => ({ ...one, default: `'x'` }))
    expect(sinceAfter({ ...FIRST, tables: [issue, { ...note, priority: 1, write: 'all', indexes, columns }] })).toEqual(
      {
        issue: 3,
        note: 3,
      },
    )
  })

  it.each([
    ['a column joins', { ...note, columns: [...note.columns, column('rank')] }],
    ['a column changes its type', { ...note, columns: [column('id'), column('org'), column('title', 'jsonb')] }],
    ['the key changes', { ...note, primaryKey: ['org', 'id'] }],
    ['the audience changes', { ...note, audience: { constant: 'all' as const } }],
  ])('is the new one where %s', (_name, changed) => {
    expect(sinceAfter({ ...FIRST, tables: [issue, changed] })).toEqual({ issue: 3, note: 7 })
  })

  it('is the new one of tables whose types change, and of no others', () => {
    const types = [{ ...STATE, statement: `CREATE TYPE "public"."state" AS ENUM ('open', 'done')` }]
    expect(sinceAfter({ types, tables: [issue, note] })).toEqual({ issue: 7, note: 3 })
  })

  it('is the new one of tables that were rewritten, or come back', () => {
    expect(sinceAfter(FIRST, new Set(['public.note']))).toEqual({ issue: 3, note: 7 })
    const without = sinceWhen({ types: [], tables: [note] }, 5, null, NONE)
    expect(sinces(sinceWhen(FIRST, 7, { version: 5, definition: without }, NONE))).toEqual({ issue: 7, note: 5 })
  })

  it('is the version before where that does not know: it may have lacked the table earlier', () => {
    expect(sinces(sinceWhen(FIRST, 7, { version: 5, definition: FIRST }, NONE))).toEqual({ issue: 5, note: 5 })
  })

  it('is no part of the hash', async () => {
    expect(await definitionHash(sinceWhen(FIRST, 7, null, NONE))).toBe(await definitionHash(FIRST))
  })
})
