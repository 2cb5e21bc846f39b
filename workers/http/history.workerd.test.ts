import { runInDurableObject } from 'cloudflare:test'
import { env, exports } from 'cloudflare:workers'
import { integer, pgTable, text, uuid } from 'drizzle-orm/pg-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { defineSync, table } from '../../db/index.ts'
import type { ActivityPage, Lsn, MutationHistory, PastRow, Row, ToldChange } from '../../protocol/index.ts'
import { recordMutation } from '../../testing/capture/record-mutation.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { useConnection, useTestDatabase } from '../../testing/postgres/use-test-database.ts'
import { ORG_A, ORG_B, SNAPSHOT_SCHEMA, snapshotSync } from '../../testing/snapshot/snapshot-app.ts'
import { newClient, tokenOf } from '../../testing/workerd/distribution.ts'
import { useDatabase } from '../../testing/workerd/worker.ts'

const { REPLICATION } = env as unknown as Record<'REPLICATION', DurableObjectNamespace>
const worker = (exports as unknown as { default: { fetch(request: Request): Promise<Response> } }).default
const ITEM = 'public.item'

const database = useTestDatabase(servers().embedded)
const owner = useConnection(database)
beforeAll(async () => {
  useDatabase(database.env)
  await database.install(SNAPSHOT_SCHEMA, snapshotSync)
  await database.run(
    `INSERT INTO item VALUES (1, '${ORG_A}', 'before history', 'x'), (2, '${ORG_A}', 'left alone', 'x')`,
  )
  await database.run(`INSERT INTO tidemark.client (id, user_id) VALUES ('${ANNS}', 'ann'), ('${BENS}', 'ben')`)
  await head()
})
afterAll(async () => {
  await runInDurableObject(REPLICATION.getByName('main'), (_instance, state) => state.storage.deleteAlarm())
})

const ANNS = newClient()
const BENS = newClient()
type Reader = readonly [string, ...string[]]
const ANN: Reader = ['ann', `org:${ORG_A}`]
const BEN: Reader = ['ben', `org:${ORG_B}`]
const BOTH: Reader = ['both', `org:${ORG_A}`, `org:${ORG_B}`]

async function ask([userId, ...audiences]: Reader, path: string): Promise<Response> {
  const token = await tokenOf({ userId, audiences })
  return worker.fetch(new Request(`https://tidemark.test${path}`, { headers: { authorization: `Bearer ${token}` } }))
}
/** Captures everything, and answers the place up to which that is. */
async function head(): Promise<Lsn> {
  return (await (await ask(ANN, '/sync/head')).json<{ lsn: Lsn }>()).lsn
}
interface Page {
  readonly changes: readonly ToldChange[]
  readonly next: string | null
}
const page = async (reader: Reader, key: string, query = '') =>
  (await ask(reader, `/sync/history/${ITEM}/${key}${query}`)).json<Page>()
const shown = async (reader: Reader, key: string) =>
  (await page(reader, key)).changes.map(({ operation, data, before, user }) => [operation, data, before, user])
const at = async (reader: Reader, key: string, place: string) =>
  (await (await ask(reader, `/sync/history/${ITEM}/${key}?at=${place}`)).json<{ row: Row | null }>()).row
const write = (client: string, counter: number, statement: string) =>
  database.run(['BEGIN', recordMutation({ client, counter }), statement, 'COMMIT'].join('--> statement-breakpoint'))

it('HST-R1 HST-R2 a reader is told who changed a row, when and how; hidden columns and foreign audiences are never told', async () => {
  await write(ANNS, 1, `INSERT INTO item VALUES (10, '${ORG_A}', 'made', 'a secret')`)
  await write(BENS, 1, `UPDATE item SET title = 'by ben', secret = 'another secret' WHERE id = 10`)
  await database.run(`UPDATE item SET org_id = '${ORG_B}' WHERE id = 10`)
  await database.run(`UPDATE item SET title = 'among b' WHERE id = 10`)
  await head()
  const made = { id: '10', org_id: ORG_A, title: 'made' }
  const moved = { ...made, title: 'by ben' }
  expect(await shown(ANN, '10')).toEqual([
    ['delete', null, moved, null],
    ['update', { title: 'by ben' }, { title: 'made' }, 'ben'],
    ['insert', made, null, 'ann'],
  ])
  expect(await shown(BEN, '10')).toEqual([
    ['update', { title: 'among b' }, { title: 'by ben' }, null],
    ['insert', { ...moved, org_id: ORG_B }, null, null],
  ])
  expect(await shown(BOTH, '10')).toHaveLength(5)
  expect(await shown(['eve', 'org:none'], '10')).toEqual([])
  const { changes } = await page(ANN, '10')
  expect(changes.map(({ mutation }) => mutation)).toEqual([null, null, `${ANNS}:1`])
  expect(Date.parse(changes[0]?.at ?? '')).toBeGreaterThan(0)
  expect(JSON.stringify(await page(BOTH, '10'))).not.toMatch(/secret|client_id/)
})

it('HST-R1 pages are bounded and continue where they end', async () => {
  for (let turn = 1; turn <= 5; turn += 1) await database.run(`UPDATE item SET title = 'turn ${turn}' WHERE id = 1`)
  await head()
  const titles: unknown[] = []
  let next: string | null = null
  do {
    const found: Page = await page(ANN, '1', `?limit=2${next === null ? '' : `&before=${next}`}`)
    expect(found.changes.length).toBeLessThanOrEqual(2)
    titles.push(...found.changes.map(({ data }) => data?.title))
    next = found.next
  } while (next !== null)
  expect(titles).toEqual([5, 4, 3, 2, 1].map((turn) => `turn ${turn}`))
  for (const query of ['?limit=101', '?limit=0', '?before=1', '?at=yesterday'])
    expect((await ask(ANN, `/sync/history/${ITEM}/1${query}`)).status).toBe(400)
})

it('HST-R3 a row is told as of an LSN or a time, also one that is older than history, by who may see it then', async () => {
  const first = await head()
  await database.run(`UPDATE item SET title = 'second' WHERE id = 1`)
  const second = await head()
  await database.run('DELETE FROM item WHERE id = 1')
  const gone = await head()
  await database.run(`INSERT INTO item VALUES (1, '${ORG_B}', 'anew', 'x')`)
  const anew = await head()
  const row = { id: '1', org_id: ORG_A }
  expect(await at(ANN, '1', first)).toEqual({ ...row, title: 'turn 5' })
  expect(await at(ANN, '1', second)).toEqual({ ...row, title: 'second' })
  expect([await at(ANN, '1', gone), await at(ANN, '1', anew), await at(BEN, '1', second)]).toEqual([null, null, null])
  expect(await at(BEN, '1', anew)).toEqual({ ...row, org_id: ORG_B, title: 'anew' })
  const alone = { id: '2', org_id: ORG_A, title: 'left alone' }
  expect([await at(ANN, '2', first), await at(BEN, '2', first)]).toEqual([alone, null])
  const { changes } = await page(ANN, '1')
  const secondAt = changes.find(({ data }) => data?.title === 'second')?.at ?? ''
  expect(await at(ANN, '1', encodeURIComponent(secondAt))).toEqual({ ...row, title: 'second' })
  expect((await ask(ANN, `/sync/history/${ITEM}/1?at=${'0'.repeat(16)}`)).status).toBe(400)
  expect((await ask(ANN, `/sync/history/${ITEM}/1?at=2001-01-01T00:00:00Z`)).status).toBe(400)
})

it('HST-R3 a row of nobody’s audience is told to nobody, whatever an audience is called', async () => {
  await database.run(`CREATE POLICY open ON public.note FOR SELECT TO tidemark_client USING (true)`)
  await database.run(`INSERT INTO note VALUES (1, NULL, 'of nobody'), (2, 'null', 'of one who is called so')`)
  const place = await head()
  const noteAt = async (key: string) =>
    (
      await (
        await ask(['null', 'user:null'], `/sync/history/public.note/${key}?at=${place}`)
      ).json<{ row: Row | null }>()
    ).row
  expect([await noteAt('1'), (await noteAt('2'))?.body]).toEqual([null, 'of one who is called so'])
})

it('HST-R1 SEC-06 tables that are not synced, keys that are none and readers without a token get nothing', async () => {
  expect((await ask(ANN, '/sync/history/tidemark.mutation/1')).status).toBe(404)
  expect((await ask(ANN, '/sync/history/public.nothing/1')).status).toBe(404)
  expect(await shown(ANN, `not a number`)).toEqual([])
  expect(await at(ANN, 'not a number', await head())).toBeNull()
  expect((await ask(ANN, `/sync/history/${ITEM}/${encodeURIComponent('{"other":"1"}')}`)).status).toBe(400)
  const none = await worker.fetch(new Request(`https://tidemark.test/sync/history/${ITEM}/1`))
  expect(none.status).toBe(401)
})

it('HST-R2 a column that was hidden meanwhile is not told of the time before, whatever is called so now', async () => {
  await database.run(`INSERT INTO item VALUES (20, '${ORG_A}', 'told once', 'x')`)
  await head()
  const { item, note, setting } = snapshotSync.tables
  const hiding = defineSync({
    tables: {
      item: table(item.table, { audience: { column: item.table.orgId, prefix: 'org' }, hidden: ['secret', 'title'] }),
      note,
      setting,
    },
  })
  await database.install('SELECT 1', hiding)
  await head()
  await database.run(`UPDATE item SET org_id = '${ORG_B}' WHERE id = 20`)
  await head()
  await database.install('SELECT 1', snapshotSync)
  await head()
  await database.run(`UPDATE item SET title = 'told again' WHERE id = 20`)
  await head()
  const row = { id: '20', org_id: ORG_A }
  expect(await shown(BOTH, '20')).toEqual([
    ['update', { title: 'told again' }, { title: 'told once' }, null],
    ['insert', { ...row, org_id: ORG_B }, null, null],
    ['delete', null, row, null],
    ['insert', row, null, null],
  ])
  const [rights] = await owner.query(
    `SELECT has_column_privilege('tidemark_client', 'tidemark.change_history', 'old_data', 'SELECT')::text AS old`,
  )
  expect(rights?.old).toBe('false')
})

const activity = async (reader: Reader, query = '') =>
  (await ask(reader, `/sync/activity${query}`)).json<ActivityPage>()

it('HST-R5 an audience’s feed tells what happened to the rows that are its own now, with who and when, and goes on below them', async () => {
  await database.run(`UPDATE item SET title = 'before all of it' WHERE id = 2`)
  const start = await head()
  await write(
    ANNS,
    2,
    `INSERT INTO item VALUES (30, '${ORG_A}', 'stays', 'x'), (31, '${ORG_A}', 'goes', 'x'), (32, '${ORG_A}', 'moves', 'x')`,
  )
  await write(BENS, 2, `UPDATE item SET title = 'stays here', secret = 'y' WHERE id = 30`)
  await database.run('DELETE FROM item WHERE id = 31')
  await database.run(`UPDATE item SET org_id = '${ORG_B}' WHERE id = 32`)
  await head()
  const toldTo = async (reader: Reader, query = '') =>
    (await activity(reader, query)).changes
      .filter(({ lsn }) => lsn > start)
      .map(({ operation, table, key, user }) => [operation, table, key.id, user])
  const own = [
    ['delete', ITEM, '31', null],
    ['update', ITEM, '30', 'ben'],
    ['insert', ITEM, '31', 'ann'],
    ['insert', ITEM, '30', 'ann'],
  ]
  expect(await toldTo(ANN)).toEqual(own)
  expect(await toldTo(ANN, `?audience=org:${ORG_A}`)).toEqual(own)
  expect(await toldTo(BEN)).toEqual([['insert', ITEM, '32', null]])
  expect((await toldTo(BOTH)).filter(([, , id]) => id === '32').map(([operation]) => operation)).toEqual([
    'insert',
    'delete',
    'insert',
  ])
  expect(await toldTo(ANN, `?audience=org:${ORG_B}`)).toEqual([])
  expect(JSON.stringify(await activity(BOTH))).not.toMatch(/secret|client_id/)
  // A page of what is left out is short, or empty, and the next one goes on.
  const told: unknown[] = []
  let next: string | null = null
  do {
    const found: Awaited<ReturnType<typeof activity>> = await activity(
      ANN,
      `?limit=1${next === null ? '' : `&before=${next}`}`,
    )
    expect(found.changes.length).toBeLessThanOrEqual(1)
    for (const { lsn, operation, key } of found.changes) if (lsn > start) told.push([operation, key.id])
    next = found.changes.some(({ lsn }) => lsn <= start) ? null : found.next
  } while (next !== null)
  expect(told).toEqual(own.map(([operation, , id]) => [operation, id]))
  expect((await ask(ANN, '/sync/activity?limit=0')).status).toBe(400)
})

const mutationOf = async (reader: Reader, id: string) => {
  const answer = await ask(reader, `/sync/history/mutation/${id}`)
  return answer.ok ? answer.json<MutationHistory>() : answer.status
}

it('HST-R6 a mutation is told to its own user with all that it changed, and with whether that is all that they see', async () => {
  await database.run(`INSERT INTO item VALUES (40, '${ORG_A}', 'one', 'x'), (41, '${ORG_B}', 'two', 'x')`)
  await write(
    ANNS,
    3,
    `UPDATE item SET title = 'one by ann' WHERE id = 40--> statement-breakpoint
    INSERT INTO item VALUES (42, '${ORG_A}', 'three', 'x')`,
  )
  await write(ANNS, 4, `UPDATE item SET title = 'both' WHERE id IN (40, 41)`)
  await head()
  expect(await mutationOf(ANN, `${ANNS}:3`)).toMatchObject({
    isWhole: true,
    changes: [
      {
        table: ITEM,
        key: { id: '40' },
        operation: 'update',
        data: { title: 'one by ann' },
        before: { title: 'one' },
        untold: [],
      },
      { table: ITEM, key: { id: '42' }, operation: 'insert', data: { id: '42', title: 'three' }, before: null },
    ],
    stamps: { [ITEM]: [] },
  })
  expect(await mutationOf(ANN, `${ANNS}:4`)).toMatchObject({ isWhole: false, changes: [{ key: { id: '40' } }] })
  expect(await mutationOf(['ann', `org:${ORG_A}`, `org:${ORG_B}`], `${ANNS}:4`)).toMatchObject({ isWhole: true })
  for (const [reader, id] of [
    [BOTH, `${ANNS}:3`],
    [ANN, `${ANNS}:99`],
    [ANN, 'nothing'],
  ] as const)
    expect(await mutationOf(reader, id)).toBe(404)
})

it('HST-R7 columns that had another name or type, or went, are told as such and never as what they are now', async () => {
  const { note, setting } = snapshotSync.tables
  const then = await head()
  await write(ANNS, 5, `UPDATE item SET title = 'under its old name' WHERE id = 40`)
  await head()
  const renamed = pgTable('item', { id: integer('id'), orgId: uuid('org_id'), heading: text('heading') })
  const tables = {
    item: table(renamed, { audience: { column: renamed.orgId, prefix: 'org' }, hidden: ['secret'] }),
    note,
    setting,
  }
  await database.install('ALTER TABLE item RENAME COLUMN title TO heading', defineSync({ tables }))
  await head()
  const past = await (await ask(ANN, `/sync/history/${ITEM}/40?at=${then}`)).json<PastRow>()
  expect(past).toMatchObject({ row: { id: '40', org_id: ORG_A } })
  expect(past.row).not.toHaveProperty('heading')
  expect([...past.untold.map(({ column }) => column), ...past.gone].toSorted()).not.toEqual([])
  expect(await mutationOf(ANN, `${ANNS}:5`)).toMatchObject({
    changes: [{ operation: 'update', untold: [expect.any(String)] }],
  })
  await database.install('ALTER TABLE item RENAME COLUMN heading TO title', snapshotSync)
  await head()
})
