import { beforeAll, expect, test } from 'vitest'
import { parsePgLsn } from '../../protocol/index.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { useConnection, useTestDatabase } from '../../testing/postgres/use-test-database.ts'
import { CaptureTally } from './capture-tally.ts'
import { readFigures } from './server-facts.ts'
import { Upkeep } from './upkeep.ts'

const database = useTestDatabase(servers().system)
const connection = useConnection(database)
const writer = useConnection(database)
const read = (withClients = false, nowMs = Date.now) => readFigures(connection.query, 'none', nowMs, withClients)

beforeAll(() => database.run('CREATE TABLE public.item (id int PRIMARY KEY, title text)'))

test('OPS-R3 the transaction that holds the log back is named by process and statement, without values', async () => {
  await writer.query('BEGIN')
  await writer.query(`INSERT INTO public.item VALUES (4711, 'a secret') -- of a person`)
  // Another suite's transactions of the same server may be older.
  const isOurs = async () => (await read()).oldestWrite
  await expect
    .poll(isOurs, { timeout: 60_000 })
    .toMatchObject({ pid: Number(writer.processId), statement: 'INSERT INTO public.item VALUES (?, ?)' })
  await writer.query('ROLLBACK')
})

test('OPS-R19 the place from which the server keeps its log for the slot is read, and none where there is no slot', async () => {
  expect((await read()).restartLsn).toBeNull()
  const name = `tidemark_figures_${process.pid}`
  await connection.query('SELECT pg_create_logical_replication_slot($1, $2)', [name, 'pgoutput'])
  try {
    const { restartLsn } = await readFigures(connection.query, name, Date.now, false)
    const [row] = await connection.query('SELECT restart_lsn::text FROM pg_replication_slots WHERE slot_name = $1', [
      name,
    ])
    expect(restartLsn).toBe(parsePgLsn(row?.restart_lsn ?? ''))
  } finally {
    await connection.query('SELECT pg_drop_replication_slot($1)', [name])
  }
})

test('OPS-R4 clients are grouped by version and bundle, and gone through only where that is asked for', async () => {
  await connection.query(
    `INSERT INTO tidemark.client_status (client_id, version, migration, waiting, retries, told_at) VALUES
       ('a', 2, 'b.sql', 0, 0, now()), ('b', 2, 'b.sql', 1, 0, now()), ('c', 1, NULL, 0, 2, now()),
       ('gone', 1, NULL, 0, 2, now() - interval '31 days')`,
  )
  await connection.query(
    `INSERT INTO tidemark.stuck_mutation VALUES ('a', 1, 3, '57014', now() - interval '1 hour'), ('b', 1, 0, NULL, now())`,
  )
  expect((await read()).clients).toBeNull()
  const { clients, stuck } = await read(true)
  expect(clients).toEqual([
    { version: 2, migration: 'b.sql', count: 2, waiting: 1, failing: 0 },
    { version: 1, migration: null, count: 1, waiting: 0, failing: 1 },
  ])
  expect(stuck).toMatchObject({ count: 1, sqlStates: ['57014'] })
  expect(stuck.oldestMs).toBeGreaterThanOrEqual(3_600_000)
})

test('MIG-R21 what clients said who are gone is forgotten, once an hour; the others stay', async () => {
  const gone = `INSERT INTO tidemark.client_status (client_id, version, waiting, told_at) VALUES ('gone', 1, 0, now() - interval '31 days')
    ON CONFLICT DO NOTHING`
  const known = async () =>
    (await connection.query('SELECT client_id FROM tidemark.client_status ORDER BY 1')).map(
      ({ client_id }) => client_id,
    )
  let nowMs = Date.now()
  const upkeep = new Upkeep({
    env: database.env,
    own: { slotName: 'none', owner: 'nobody', decoder: 'auto' },
    sync: null,
    retentionMs: null,
    nowMs: () => nowMs,
    tally: new CaptureTally(Date.now),
  })
  await connection.query(gone)
  await upkeep.forgetClients(connection)
  expect(await known()).toEqual(['a', 'b', 'c'])
  await connection.query(gone)
  await upkeep.forgetClients(connection)
  expect(await known()).toEqual(['a', 'b', 'c', 'gone'])
  nowMs += 3_600_000
  await upkeep.forgetClients(connection)
  expect(await known()).toEqual(['a', 'b', 'c'])
})

test('OPS-R1 the server’s clock is compared with ours', async () => {
  const { clockAheadMs } = await read(false, () => Date.now() - 86_400_000)
  expect(Math.round(clockAheadMs / 1_000_000)).toBe(86)
})
