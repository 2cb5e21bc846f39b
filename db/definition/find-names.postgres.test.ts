import { afterAll, beforeAll, expect, it } from 'vitest'
import { servers } from '../../testing/postgres/servers.ts'
import {
  carried,
  NOTE,
  note,
  openStepDatabase,
  type StepDatabase,
  step,
  synced,
} from '../../testing/postgres/step-database.ts'
import { defineSync, readDefinitionInForce } from '../index.ts'

let open: StepDatabase
beforeAll(async () => {
  open = await openStepDatabase(servers().system)
})
afterAll(() => open.close())

const renamed = [...carried(['id', 'org']), { name: 'name', from: 'title' }, ...carried(['rank'])]
const widened = { column: 'rank', from: 'integer', to: 'bigint', expression: '(rank)::bigint' }
const retyped = [...renamed.slice(0, 3), { name: 'rank', from: 'rank', retyped: [widened] }]
const asPage = defineSync({ tables: { page: synced('page', ['id', 'org', 'name', 'rank']) } })

it('MIG-02 SCH-R9 SCH-R13 a table that is renamed and rewritten is loaded, and its names are told', async () => {
  await open.begin()
  const { names, steps } = await open.migrate(
    asPage,
    'ALTER TABLE note RENAME TO page',
    'ALTER TABLE page RENAME title TO name',
    'ALTER TABLE page ALTER rank TYPE bigint',
  )
  expect(steps).toEqual([])
  expect(names).toEqual([step(retyped, { table: 'public.page' })])
  expect((await readDefinitionInForce(open.database.query))?.names).toEqual(names)
})

it('MIG-18 SCH-R9 what others renamed is found again where a definition that names it comes in force', async () => {
  await open.begin()
  await open.owned.run(
    'ALTER TABLE note RENAME TO page; ALTER TABLE page RENAME title TO name; ALTER TABLE page DROP rank',
  )
  const { names, steps } = await open.migrate(defineSync({ tables: { page: synced('page', ['id', 'org', 'name']) } }))
  expect(steps).toEqual([])
  expect(names).toEqual([step(renamed.slice(0, 3), { table: 'public.page' })])
})

it('SCH-R9 a label that is renamed is told', async () => {
  const stated = note(['id', 'state'])
  await open.begin(note(NOTE), `ALTER TABLE note ADD state state DEFAULT 'open'`)
  await open.migrate(stated)
  const { names } = await open.migrate(stated, `ALTER TYPE state RENAME VALUE 'done' TO 'closed'`)
  expect(names).toEqual([step([...carried(['id']), { name: 'state', from: 'state', labels: { done: 'closed' } }])])
})

it('SCH-R9 a table that was made anew has none', async () => {
  await open.begin()
  const made = 'CREATE TABLE note (id int PRIMARY KEY, org text, title text, rank int)'
  expect(await open.migrate(note(NOTE), 'DROP TABLE note', made)).toMatchObject({ steps: [], names: [] })
})

it('SCH-R13 where nobody looked, as after alterations by others, nobody knows what became of values', async () => {
  await open.begin()
  await open.owned.run('ALTER TABLE note ALTER rank TYPE int USING rank * 100')
  const { names } = await open.migrate(note(NOTE))
  const unknown = { name: 'rank', from: 'rank', retyped: null }
  expect(names).toEqual([step([...carried(['id', 'org', 'title']), unknown])])
  await open.begin()
  await open.owned.run('VACUUM FULL note')
  expect((await open.migrate(note(NOTE))).names).toEqual([])
})
