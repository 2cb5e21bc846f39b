import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { everythingShown, type LiveDatabase, openLiveDatabase, shown } from '../../testing/live/live-database.ts'
import type { LiveStore, SqlQuery } from './live-rows.ts'

const SEED = Number(process.env.LIVE_SEED ?? 20_261_130)
const RUNS = Number(process.env.LIVE_RUNS ?? 4)
const QUERIES = 10
const STEPS = 12

const SCHEMA = `
  CREATE SCHEMA field;
  SET search_path = field, public;
  CREATE TYPE state AS ENUM ('open', 'done');
  CREATE TABLE folder (id int PRIMARY KEY, name text NOT NULL);
  CREATE TABLE item (id int PRIMARY KEY, folder int REFERENCES folder ON DELETE CASCADE, title text, code varchar(9), state state, size int8);
  CREATE TABLE event (id int NOT NULL, org text NOT NULL, size int, PRIMARY KEY (id, org)) PARTITION BY LIST (org);
  CREATE TABLE event_a PARTITION OF event FOR VALUES IN ('a');
  CREATE TABLE event_rest PARTITION OF event DEFAULT;
  CREATE TABLE animal (id int, name text);
  CREATE TABLE dog (breed text) INHERITS (animal);
  CREATE VIEW open_item AS SELECT id, title, folder, size FROM item WHERE state = 'open';
  CREATE VIEW folder_size AS SELECT f.name, count(o.id) AS items FROM folder f LEFT JOIN open_item o ON o.folder = f.id GROUP BY f.name;
  CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS items FROM item;
  CREATE FUNCTION items_of(wanted int) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM field.item WHERE folder = wanted';
  CREATE FUNCTION all_events() RETURNS bigint LANGUAGE plpgsql VOLATILE AS 'BEGIN RETURN (SELECT count(*) FROM field.event); END';
  INSERT INTO folder SELECT n, 'folder ' || n FROM generate_series(1, 4) n;
  INSERT INTO item SELECT n, n, 'red', 'green', 'open', n FROM generate_series(1, 4) n;
  INSERT INTO event SELECT n, 'a', n FROM generate_series(1, 3) n;
  INSERT INTO dog SELECT n, 'red', 'green' FROM generate_series(1, 3) n;
  RESET search_path;`

const id = fc.integer({ min: 1, max: 6 })
const word = fc.constantFrom('red', 'green', "it's", 'a :relid 1')
const org = fc.constantFrom('a', 'b', 'c')
const state = fc.constantFrom('open', 'done')
const quoted = (text: string) => `'${text.replaceAll("'", "''")}'`

const query: fc.Arbitrary<SqlQuery> = fc.oneof(
  fc.constant({ sql: 'SELECT * FROM field.item ORDER BY id' }),
  id.map((one) => ({ sql: 'SELECT * FROM field.item WHERE id = $1', params: [one] })),
  id.map((one) => ({ sql: `SELECT title FROM field.item WHERE id = ${one}` })),
  fc.tuple(id, state).map(([one, is]) => ({
    sql: 'SELECT id FROM field.item WHERE folder = $1 AND state = $2 ORDER BY id',
    params: [one, is],
  })),
  word.map((one) => ({ sql: `SELECT id FROM field.item WHERE code = ${quoted(one)} AND size > 1 ORDER BY id` })),
  fc.tuple(word, id).map(([one, two]) => ({
    sql: 'SELECT id FROM field.item WHERE title = $1 OR folder = $2 ORDER BY id',
    params: [one, two],
  })),
  id.map((one) => ({ sql: 'SELECT count(*), sum(size) FROM field.item WHERE folder = $1', params: [one] })),
  id.map((one) => ({
    sql: 'SELECT i.id, f.id FROM field.item i LEFT JOIN field.folder f ON f.id = i.folder WHERE i.id = $1',
    params: [one],
  })),
  id.map((one) => ({
    sql: 'SELECT name FROM field.folder f WHERE id = $1 AND EXISTS (SELECT FROM field.item i WHERE i.folder = f.id)',
    params: [one],
  })),
  fc.constant({ sql: 'SELECT * FROM field.folder_size ORDER BY name' }),
  id.map((one) => ({ sql: 'SELECT * FROM field.open_item WHERE id = $1', params: [one] })),
  org.map((one) => ({ sql: 'SELECT * FROM field.event WHERE org = $1 ORDER BY id, org', params: [one] })),
  id.map((one) => ({ sql: 'SELECT * FROM field.event_a WHERE id = $1', params: [one] })),
  fc.constant({ sql: 'SELECT count(*) FROM field.event_rest' }),
  fc.constant({ sql: 'SELECT * FROM field.animal ORDER BY id, name' }),
  word.map((one) => ({ sql: 'SELECT id FROM field.dog WHERE breed = $1 ORDER BY id', params: [one] })),
  id.map((one) => ({ sql: 'SELECT name FROM ONLY field.animal WHERE id = $1 ORDER BY name', params: [one] })),
  fc.constant({ sql: 'WITH large AS (SELECT * FROM field.event WHERE size > 2) SELECT count(*) FROM large' }),
  fc.constant({ sql: 'SELECT id FROM field.item UNION SELECT id FROM field.event ORDER BY 1' }),
  id.map((one) => ({ sql: 'SELECT field.items_of($1)', params: [one] })),
  fc.constant({ sql: 'SELECT field.all_events()' }),
  fc.constant({ sql: 'SELECT items FROM field.counted' }),
  fc.constant({ sql: `SELECT count(*) FROM pg_class WHERE relnamespace = 'field'::regnamespace` }),
  id.map((one) => ({ sql: 'SELECT json_agg(i ORDER BY id)::text FROM field.item i WHERE folder = $1', params: [one] })),
)

const statement: fc.Arbitrary<string> = fc.oneof(
  fc
    .tuple(id, id, word, state)
    .map(
      ([one, into, is, now]) =>
        `INSERT INTO field.item VALUES (${one}, ${into}, ${quoted(is)}, ${quoted(is)}, '${now}', ${one}) ON CONFLICT (id) DO UPDATE SET folder = ${into}, state = '${now}'`,
    ),
  fc
    .tuple(id, word)
    .map(([one, is]) => `UPDATE field.item SET title = ${quoted(is)}, code = ${quoted(is)} WHERE id >= ${one}`),
  fc.tuple(id, id).map(([one, to]) => `UPDATE field.item SET folder = ${to} WHERE id = ${one}`),
  fc
    .tuple(id, id)
    .map(
      ([one, to]) =>
        `UPDATE field.item SET id = ${to + 10} WHERE id = ${one} AND NOT EXISTS (SELECT FROM field.item WHERE id = ${to + 10})`,
    ),
  id.map((one) => `DELETE FROM field.item WHERE id % 10 = ${one}`),
  id.map((one) => `DELETE FROM field.folder WHERE id = ${one}`),
  fc
    .tuple(id, word)
    .map(([one, is]) => `INSERT INTO field.folder VALUES (${one}, ${quoted(is)}) ON CONFLICT DO NOTHING`),
  fc.constant('TRUNCATE field.item'),
  fc
    .tuple(id, org)
    .map(([one, of]) => `INSERT INTO field.event VALUES (${one}, '${of}', ${one}) ON CONFLICT DO NOTHING`),
  id.map((one) => `INSERT INTO field.event_a VALUES (${one}, 'a', 9) ON CONFLICT DO NOTHING`),
  fc
    .tuple(org, org)
    .map(
      ([from, to]) =>
        `UPDATE field.event SET org = '${to}' WHERE org = '${from}' AND NOT EXISTS (SELECT FROM field.event WHERE org = '${to}')`,
    ),
  fc.constant('TRUNCATE field.event_rest'),
  id.map((one) => `DELETE FROM field.event_a WHERE id = ${one}`),
  fc.tuple(id, word).map(([one, is]) => `INSERT INTO field.animal VALUES (${one}, ${quoted(is)})`),
  fc.tuple(id, word).map(([one, is]) => `INSERT INTO field.dog VALUES (${one}, ${quoted(is)}, ${quoted(is)})`),
  fc.tuple(id, word).map(([one, is]) => `UPDATE field.animal SET name = ${quoted(is)} WHERE id = ${one}`),
  id.map((one) => `DELETE FROM field.animal WHERE id = ${one}`),
  fc.constant('REFRESH MATERIALIZED VIEW field.counted'),
  id.map(
    (one) =>
      `CREATE OR REPLACE VIEW field.open_item AS SELECT id, title, folder, size FROM field.item WHERE state = 'open' AND size <> ${one}`,
  ),
  fc.constant(
    "ALTER TABLE field.event DETACH PARTITION field.event_a; ALTER TABLE field.event ATTACH PARTITION field.event_a FOR VALUES IN ('a')",
  ),
  id.map((one) => `CREATE TABLE IF NOT EXISTS field.more_${one} (id int)`),
)

/** One transaction: committed or not, and as the app's or as the server's changes are applied. */
const step = fc.record({
  statements: fc.array(statement, { minLength: 1, maxLength: 3 }),
  isServer: fc.boolean(),
  isUndone: fc.nat(5).map((one) => one === 0),
})

let live: LiveDatabase

beforeAll(async () => {
  live = await openLiveDatabase()
})
afterAll(async () => {
  await live.stop()
  await live.db.close()
})

async function perform({
  statements,
  isServer,
  isUndone,
}: {
  statements: readonly string[]
  isServer: boolean
  isUndone: boolean
}) {
  try {
    await live.db.transaction(async (tx) => {
      if (isServer) await tx.exec('SET LOCAL session_replication_role = replica')
      for (const one of statements) await tx.exec(one)
      if (isUndone) await tx.rollback()
    })
  } catch {
    // Then it was undone as well.
  }
}

async function check(
  queries: readonly SqlQuery[],
  stores: readonly LiveStore<Record<string, unknown>>[],
  after: string,
) {
  await everythingShown(live)
  for (const [index, { sql, params = [] }] of queries.entries()) {
    const { rows } = await live.db.query(sql, [...params])
    expect(stores[index]?.getSnapshot().rows, `${sql} ${JSON.stringify(params)} after ${after}`).toEqual(rows)
  }
}

test('LIV-R2 LIV-R3 LIV-R4 LIV-R5 over random queries and transactions, what is shown is what a query answers now', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(query, { minLength: QUERIES, maxLength: QUERIES }),
      fc.array(step, { minLength: STEPS, maxLength: STEPS }),
      async (queries, steps) => {
        await live.db.exec(`DROP SCHEMA IF EXISTS field CASCADE; ${SCHEMA}`)
        const stores = queries.map((one) => live.live<Record<string, unknown>>(one))
        const ends = stores.map((store) => store.subscribe(() => undefined))
        try {
          for (const store of stores) await shown(store)
          for (const one of steps) {
            await perform(one)
            await check(queries, stores, JSON.stringify(one))
          }
        } finally {
          for (const end of ends) end()
        }
      },
    ),
    { seed: SEED, numRuns: RUNS, endOnFailure: true },
  )
})
