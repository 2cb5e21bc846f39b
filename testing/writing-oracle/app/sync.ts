import { sql } from 'drizzle-orm'
import { bigint, boolean, integer, jsonb, numeric, pgTable, text, timestamp, uuid } from 'drizzle-orm/pg-core'
import { z } from 'zod'
import { action, defineSync, refuse, table } from '../../../db/index.ts'

const person = pgTable('person', { id: uuid('id'), orgId: uuid('org_id'), name: text('name') })
const list = pgTable('list', { id: uuid('id'), orgId: uuid('org_id'), name: text('name') })
const task = pgTable('task', {
  id: uuid('id'),
  orgId: uuid('org_id'),
  listId: uuid('list_id'),
  parentId: uuid('parent_id'),
  title: text('title'),
  notes: text('notes'),
  done: boolean('done'),
  assigneeId: uuid('assignee_id'),
  doc: jsonb('doc'),
  weight: numeric('weight'),
  touchedAt: timestamp('touched_at', { withTimezone: true }),
  revision: integer('revision'),
})
const tally = pgTable('tally', { id: uuid('id'), orgId: uuid('org_id'), count: integer('count'), log: text('log') })
const entry = pgTable('entry', { id: uuid('id'), orgId: uuid('org_id'), token: text('token') })
const board = pgTable('board', { id: uuid('id'), orgId: uuid('org_id') })
const remark = pgTable('remark', {
  id: uuid('id'),
  boardId: uuid('board_id'),
  word: text('word'),
  hidden: boolean('hidden'),
})
const reply = pgTable('reply', { id: uuid('id'), remarkId: uuid('remark_id'), word: text('word') })
/** Both are numbered by sequences; the second is a GENERATED ALWAYS identity. */
const ticket = pgTable('ticket', {
  id: integer('id'),
  orgId: uuid('org_id'),
  word: text('word'),
  mark: text('mark'),
})
const answer = pgTable('answer', {
  id: bigint('id', { mode: 'number' }),
  orgId: uuid('org_id'),
  ticketId: integer('ticket_id'),
  word: text('word'),
})
const membership = pgTable('membership', { userId: text('user_id'), orgId: uuid('org_id') })

const token = z.string().max(64)
const id = z.guid()

export const sync = defineSync({
  tables: {
    person: table(person, { audience: { column: person.orgId, prefix: 'org' } }),
    list: table(list, { audience: { column: list.orgId, prefix: 'org' }, write: 'all', conflict: 'last-write-wins' }),
    task: table(task, { audience: { column: task.orgId, prefix: 'org' }, write: 'all', conflict: 'reject' }),
    tally: table(tally, { audience: { column: tally.orgId, prefix: 'org' }, write: 'actions' }),
    entry: table(entry, { audience: { column: entry.orgId, prefix: 'org' }, write: 'all' }),
    ticket: table(ticket, { audience: { column: ticket.orgId, prefix: 'org' }, write: 'all' }),
    answer: table(answer, { audience: { column: answer.orgId, prefix: 'org' }, write: 'all' }),
    board: table(board, { audience: { column: board.orgId, prefix: 'org' } }),
    remark: table(remark, {
      audience: { via: remark.boardId, of: board },
      when: sql`NOT ${remark.hidden}`,
      write: 'all',
    }),
    reply: table(reply, { audience: { via: reply.remarkId, of: remark }, write: 'all' }),
  },
  watch: [{ table: membership, user: membership.userId }],
  actions: {
    /** Reads before it writes, so that everything others added meanwhile stays. */
    add: action(z.object({ tally: id, token }), async ({ sql, id }, args) => {
      const [row] = await sql`SELECT org_id, count, log FROM tally WHERE id = ${args.tally} FOR UPDATE`
      if (!row) refuse('gone', 'There is no such tally.')
      await sql`UPDATE tally SET count = ${Number(row.count) + 1}, log = ${`${row.log}${args.token} `} WHERE id = ${args.tally}`
      await sql`INSERT INTO entry (id, org_id, token) VALUES (${id('entry')}, ${row.org_id ?? null}, ${args.token})`
    }),
    /** Makes a ticket and answers to it, all under keys that it takes. */
    report: action(
      z.object({ org: id, answers: z.int(), token }),
      async ({ sql, id: make, key }, { org, answers, token: word }) => {
        const made = await key('ticket')
        await sql`INSERT INTO ticket (id, org_id, word) VALUES (${made}, ${org}, ${word})`
        for (let count = 0; count < answers; count++)
          await sql`INSERT INTO answer (id, org_id, ticket_id, word) OVERRIDING SYSTEM VALUE
            VALUES (${await key('answer')}, ${org}, ${made}, ${word})`
        await sql`INSERT INTO entry (id, org_id, token) VALUES (${make('entry')}, ${org}, ${word})`
      },
    ),
    answerTo: action(
      z.object({ org: id, ticket: z.int(), word: z.string(), token }),
      async ({ sql, id: make }, args) => {
        const found = await sql`SELECT 1 FROM ticket WHERE id = ${args.ticket}`
        if (found.length === 0) refuse('gone', 'There is no such ticket.')
        await sql`INSERT INTO answer (org_id, ticket_id, word) VALUES (${args.org}, ${args.ticket}, ${args.word})`
        await sql`INSERT INTO entry (id, org_id, token) VALUES (${make('entry')}, ${args.org}, ${args.token})`
      },
      { rekey: (args, key) => ({ ...args, ticket: key('ticket', args.ticket) }) },
    ),
    finish: action(z.object({ task: id, token }), async ({ sql, id, now }, args) => {
      const [row] = await sql`SELECT org_id, notes FROM task WHERE id = ${args.task} FOR UPDATE`
      if (!row) refuse('gone', 'The task is deleted.')
      const open = await sql`SELECT 1 FROM task WHERE parent_id = ${args.task} AND NOT done`
      if (open.length > 0) refuse('open-subtasks', 'The task has open subtasks.', { open: open.length })
      await sql`UPDATE task SET done = true, notes = ${`${row.notes}finished ${now.slice(0, 4)} `} WHERE id = ${args.task}`
      await sql`INSERT INTO entry (id, org_id, token) VALUES (${id('entry')}, ${row.org_id ?? null}, ${args.token})`
    }),
    reopen: action(z.object({ task: id, token }), async ({ sql, id }, args) => {
      const [row] = await sql`SELECT org_id, parent_id FROM task WHERE id = ${args.task} FOR UPDATE`
      if (!row) refuse('gone', 'The task is deleted.')
      if (row.parent_id) await sql`UPDATE task SET done = false WHERE id = ${row.parent_id}`
      await sql`UPDATE task SET done = false WHERE id = ${args.task}`
      await sql`INSERT INTO entry (id, org_id, token) VALUES (${id('entry')}, ${row.org_id ?? null}, ${args.token})`
    }),
    /** Makes a subtask for each of the names that no subtask of the task has yet. */
    split: action(
      z.object({ task: id, names: z.array(z.string().max(20)).max(5), token }),
      async ({ sql, id }, args) => {
        const [row] = await sql`SELECT org_id, list_id, done, parent_id FROM task WHERE id = ${args.task} FOR UPDATE`
        if (!row || row.parent_id) refuse('gone', 'The task is deleted, or a subtask itself.')
        if (row.done === 't') refuse('done', 'The task is done.')
        for (const name of args.names) {
          const found = await sql`SELECT 1 FROM task WHERE parent_id = ${args.task} AND title = ${name}`
          if (found.length > 0) continue
          await sql`INSERT INTO task (id, org_id, list_id, parent_id, title)
          VALUES (${id('subtask', name)}, ${row.org_id ?? null}, ${row.list_id ?? null}, ${args.task}, ${name})`
        }
        await sql`INSERT INTO entry (id, org_id, token) VALUES (${id('entry')}, ${row.org_id ?? null}, ${args.token})`
      },
    ),
    assign: action(z.object({ task: id, person: id, token }), async ({ sql, id }, args) => {
      const [row] = await sql`SELECT t.org_id, p.id AS person FROM task t LEFT JOIN person p ON p.org_id = t.org_id
        AND p.id = ${args.person} WHERE t.id = ${args.task}`
      if (!row) refuse('gone', 'The task is deleted.')
      if (!row.person) refuse('stranger', 'Only people of the organisation can be assigned.')
      await sql`UPDATE task SET assignee_id = ${args.person} WHERE id = ${args.task}`
      await sql`INSERT INTO entry (id, org_id, token) VALUES (${id('entry')}, ${row.org_id ?? null}, ${args.token})`
    }),
  },
})

/** The rules that hold in the server once all is sent: until then the row of another may lie under one that was written here. */
export const FINAL_INVARIANTS: readonly (readonly [name: string, query: string])[] = [
  [
    'an answer hangs on the ticket that it was written for, whose key may have changed',
    'SELECT a.id::text FROM public.answer a JOIN public.ticket t ON t.id = a.ticket_id WHERE a.word <> t.word',
  ],
]

/** The rules that must hold in every state of server and replica; each query answers the rows that break it. */
export const INVARIANTS: readonly (readonly [name: string, query: string])[] = [
  [
    'no task that is done has an open subtask',
    'SELECT p.id::text FROM public.task p JOIN public.task c ON c.parent_id = p.id WHERE p.done AND NOT c.done',
  ],
  [
    'nobody from outside the organisation is assigned',
    `SELECT t.id::text FROM public.task t JOIN public.person p ON p.id = t.assignee_id WHERE p.org_id <> t.org_id`,
  ],
  [
    'a tally counts what its log lists',
    `SELECT id::text FROM public.tally WHERE count <> coalesce(array_length(string_to_array(nullif(rtrim(log), ''), ' '), 1), 0)`,
  ],
]
