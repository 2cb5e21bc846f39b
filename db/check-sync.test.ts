import { integer, pgTable, text } from 'drizzle-orm/pg-core'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { type Action, action } from './action.ts'
import { defineSync, type Sync, type TableOptions, table } from './define-sync.ts'

const task = pgTable('task', { id: integer('id'), team: text('team') })
const other = pgTable('other', { id: integer('id'), team: text('team') })
const byTeam = { column: task.team, prefix: 'team' }
const good = { audience: byTeam }
// Untyped, as a JavaScript team may write.
const declare = (options: object) => () => table(task, options as TableOptions)
const define = (sync: object) => () => defineSync(sync as Sync)

describe('a slip of the pen in a sync definition', () => {
  it.each([
    [{ ...good, write: 'al' }, /table\(task\)\.write is "al": use one of 'all', 'actions', 'none'; did you mean all\?/],
    [{ ...good, history: 'key' }, /table\(task\)\.history is "key": use one of 'all', 'keys'; did you mean keys\?/],
    [{ ...good, hiden: ['secret'] }, /table\(task\) has no option hiden: .*; did you mean hidden\?/],
    [{ ...good, hidden: 'secret' }, /hidden is "secret": a list/],
    [{ ...good, hidden: [task.team] }, /hidden is a list: a list of the columns' names in the database/],
    [{ ...good, priority: 'high' }, /priority is "high": a whole number/],
    [{ ...good, priority: 1.5 }, /priority is 1.5/],
    [
      { ...good, conflict: 'last-write-win' },
      /conflict is "last-write-win": .*or a function; did you mean last-write-wins\?/,
    ],
    [
      { audience: { column: undefined, prefix: 'team' } },
      /audience\.column is undefined, and no column of table task: its columns are id, team/,
    ],
    [
      { audience: { column: other.team, prefix: 'team' } },
      /audience\.column is column team of table other: take one of table task/,
    ],
    [{ audience: { colum: task.team, prefix: 'team' } }, /audience has no option colum: .*did you mean column\?/],
    [{ audience: { column: task.team } }, /audience\.prefix is undefined: a text/],
    [{ audience: 'ALL' }, /audience is "ALL": .*did you mean all\?/],
    [{}, /audience is missing/],
  ])('DEF-R3 FLD-39 is refused at load, with the name that was likely meant (%#)', (options, message) => {
    expect(declare(options)).toThrow(message)
    expect(define({ tables: { task: { ...options, table: task } } })).toThrow(Error)
  })

  it.each([
    [{ table: {} }, /defineSync\(\) has no option table: .*did you mean tables\?/],
    [{ tables: [] }, /tables is a list/],
    [{ tables: { task } }, /tables\.task is a drizzle table by itself: table\(task/],
    [{ tables: { task: { audience: 'all' } } }, /tables\.task names no drizzle table/],
    [{ tables: {}, watch: task }, /watch is a object: a list/],
    [
      { tables: {}, watch: [{ table: task, users: task.team }] },
      /watch\[0\] has no option users: .*did you mean user\?/,
    ],
    [{ tables: {}, watch: [{ table: task, user: undefined }] }, /watch\[0\]\.user is undefined/],
    [{ tables: {}, watch: [{ table: task, user: other.team }] }, /watch\[0\]\.user is column team of table other/],
    [{ tables: {}, actions: { close: async () => {} } }, /actions\.close is a function: make it by action/],
    [
      { tables: {}, actions: { close: { schema: z.object({}), runs: () => {} } } },
      /actions\.close has no option runs: .*did you mean run\?/,
    ],
  ])('DEF-R3 FLD-39 is refused by defineSync (%#)', (sync, message) => {
    expect(define(sync)).toThrow(message)
  })

  it('DEF-R3 FLD-39 an entry that is spread into options is refused: its table would take the place of the first', () => {
    expect(declare({ ...table(other, { audience: 'all' }) })).toThrow(/has no option table/)
  })

  it('DEF-R3 FLD-39 is refused by action()', () => {
    const run = async () => {}
    expect(() => action({ id: 'uuid' } as unknown as z.ZodType, run)).toThrow(
      /the first argument of action\(\) is a zod schema/,
    )
    expect(() => action(z.object({}), undefined as unknown as Action<unknown>['run'])).toThrow(/the second argument/)
  })

  it('DEF-R3 what there is passes, all of it', () => {
    const options = { ...good, hidden: ['secret'], write: 'all', conflict: () => ({}), priority: 1 } as const
    const close = action(z.object({}), async () => {})
    expect(
      define({
        tables: { task: table(task, options) },
        actions: { close },
        watch: [{ table: other, user: other.team }],
      }),
    ).not.toThrow()
  })
})
