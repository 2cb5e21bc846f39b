import { describe, expect, test } from 'vitest'
import { servers } from '../../testing/postgres/servers.ts'
import { useConnection, useTestDatabase } from '../../testing/postgres/use-test-database.ts'
import { asClient, databaseMessageOf, openDatabase, sqlStateOf } from './index.ts'

describe.each(['embedded', 'system'] as const)('a connection to the %s Postgres', (server) => {
  const own = useTestDatabase(servers()[server])
  const database = useConnection(own)

  test('CAP-12 WIRE-R1 every value is text under the pinned settings', async () => {
    await database.query(`ALTER DATABASE ${own.name} SET TimeZone = 'Asia/Kathmandu'`)
    const fresh = await own.open()
    const select = `SELECT 9007199254740993 AS big, NULL AS nothing, ARRAY[1, NULL] AS list, '\\x00ff'::bytea AS bytes,
      '2026-01-02 03:04:05+00'::timestamptz AS at, 0.1::float8 AS double, 'null'::jsonb AS doc`
    const text = {
      big: '9007199254740993',
      nothing: null,
      list: '{1,NULL}',
      bytes: '\\x00ff',
      at: '2026-01-02 03:04:05+00',
      double: '0.1',
      doc: 'null',
    }
    expect(await fresh.query(select)).toEqual([text])
    expect(await fresh.rows(select)).toEqual([Object.values(text)])
    await fresh.query(`SET TimeZone = 'Asia/Kathmandu'`)
    expect(await fresh.transaction(({ query }) => query(select))).toEqual([text])
    await fresh.close()
  })

  test('HIS-02 CAP-R24 a cursor pages through everything, in order, following the size of rows', async () => {
    const sizes: number[] = []
    const seen: (string | null)[] = []
    await database.transaction(async ({ pages, query }) => {
      const text = `SELECT n, repeat('x', CASE WHEN n > 3000 THEN 10000 ELSE 1 END) FROM generate_series(1, 4000) n`
      for await (const page of pages(text, [], { maxRows: 1000, targetChars: 1_000_000 })) {
        sizes.push(page.length)
        seen.push(...page.map(([n]) => n ?? null))
        await query('SELECT 1')
      }
      for await (const page of pages('SELECT 1 WHERE false')) expect(page).toBe('never')
      for await (const page of pages('SELECT n FROM generate_series(1, 5000) n')) {
        expect(page.length).toBeGreaterThan(0)
        break
      }
    })
    expect(seen).toEqual(Array.from({ length: 4000 }, (_, index) => String(index + 1)))
    expect(Math.max(...sizes)).toBe(1000)
    expect(sizes.at(-2)).toBeLessThanOrEqual(100)
  })

  test('SEC-06 an error names its SQLSTATE and no value; what Postgres said stands in the cause', async () => {
    const error = await database.query(`SELECT 'secret'::int`).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ kind: 'internal', message: expect.not.stringContaining('secret') })
    expect(sqlStateOf(error)).toBe('22P02')
    expect(databaseMessageOf(error)).toContain('secret')
    expect(database.usable).toBe(true)
  })

  test('CAP-14 a transaction rolls back when it throws, and when it swallowed an error', async () => {
    await database.query('CREATE TABLE public.kept (id int)')
    const insert = 'INSERT INTO public.kept VALUES (1)'
    const thrown = database.transaction(async ({ query }) => {
      await query(insert)
      throw new Error('changed my mind')
    })
    await expect(thrown).rejects.toThrow('changed my mind')
    const swallowed = database.transaction(async ({ query }) => {
      await query(insert)
      await query('SELECT 1 / 0').catch(() => {})
    })
    await expect(swallowed).rejects.toMatchObject({ kind: 'internal' })
    expect(await database.query('SELECT * FROM public.kept')).toEqual([])
    const readOnly = database.transaction(({ query }) => query(insert), {
      readOnly: true,
      isolation: 'repeatable read',
    })
    expect(sqlStateOf(await readOnly.catch((error: unknown) => error))).toBe('25006')
  })

  test('CAP-14 statements sent ahead are done in their order, and one that fails takes only its transaction along', async () => {
    const results = await Promise.allSettled([
      database.query('CREATE TEMP TABLE ahead (n int PRIMARY KEY)'),
      database.query('INSERT INTO ahead VALUES ($1::int)', ['1']),
      database.query('INSERT INTO ahead VALUES ($1::int)', ['1']),
      database.query('SELECT no_such_column'),
      database.query('INSERT INTO ahead VALUES ($1::int) RETURNING n::text', ['2']),
      database.transaction(({ last }) => last('INSERT INTO ahead VALUES ($1::int) RETURNING n::text', ['3'])),
    ])
    expect(results.map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'rejected',
      'rejected',
      'fulfilled',
      'fulfilled',
    ])
    expect(results.at(-1)).toMatchObject({ value: [{ n: '3' }] })
    const twice = database.transaction(async ({ query, last }) => {
      await query('INSERT INTO ahead VALUES (4)')
      return last('INSERT INTO ahead VALUES (1)')
    })
    expect(sqlStateOf(await twice.catch((error: unknown) => error))).toBe('23505')
    expect(await database.query('SELECT n::text FROM ahead ORDER BY n')).toEqual([{ n: '1' }, { n: '2' }, { n: '3' }])
    await database.query('DROP TABLE ahead')
    const prepared = await openDatabase(own.env, { prepare: true })
    const same = Array.from({ length: 5 }, (_, n) => prepared.query('SELECT $1::int + 1 AS next', [String(n)]))
    expect((await Promise.all(same)).map(([row]) => row?.next)).toEqual(['1', '2', '3', '4', '5'])
    await prepared.close()
  })

  test('SEC-05 CAP-R23 a client identity is set for its transaction alone', async () => {
    const identity = { userId: `o'hara`, audiences: ['org:1', 'org:"2"', 'user:x'], claims: { sub: 'x' } }
    const seen = `SELECT current_user::text AS role, tidemark.user_id() AS user_id, tidemark.audience_values('org')::text AS orgs,
      current_setting('request.jwt.claims') AS claims`
    expect(await asClient(database, identity, ({ query }) => query(seen))).toEqual([
      { role: 'tidemark_client', user_id: `o'hara`, orgs: '{1,"\\"2\\""}', claims: '{"sub":"x"}' },
    ])
    const [after] = await database.query(
      `SELECT current_user::text AS role, tidemark.user_id() AS user_id, tidemark.audiences()::text AS audiences`,
    )
    expect(after).toEqual({ role: 'postgres', user_id: null, audiences: '{}' })
  })

  test('FLT-05 a connection that was cut, or waited too long, says so and is used no more', async () => {
    const cut = await own.open()
    const [row] = await cut.query('SELECT pg_backend_pid()::text AS pid')
    await database.query('SELECT pg_terminate_backend($1::int)', [row?.pid ?? null])
    await expect(cut.query('SELECT 1')).rejects.toMatchObject({ kind: 'unavailable' })
    await expect(cut.query('SELECT 1')).rejects.toMatchObject({ kind: 'unavailable' })
    expect(cut.usable).toBe(false)
    await cut.close()
    const slow = await openDatabase(own.env, { statementTimeoutMs: 50 })
    const error = await slow.query('SELECT pg_sleep(60)').catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ kind: 'unavailable' })
    expect(sqlStateOf(error)).toBe('57014')
    await slow.close()
    const nowhere = { ...own.env, DATABASE_URL: own.env.DATABASE_URL.replace(own.name, 'missing_database') }
    await expect(openDatabase(nowhere)).rejects.toMatchObject({ kind: 'misconfigured' })
  })
})
