import { integer, pgTable, text, uuid } from 'drizzle-orm/pg-core'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { defineSync, table } from '../../db/index.ts'
import { createDatabase } from '../../testing/postgres/create-database.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { useConnection, useTestDatabase } from '../../testing/postgres/use-test-database.ts'
import { PUSH_SCHEMA, pushSync } from '../../testing/push/push-app.ts'
import { ORG_A, SNAPSHOT_SCHEMA, snapshotSync } from '../../testing/snapshot/snapshot-app.ts'
import type { HealthCheck } from '../contracts.ts'
import { openDatabase } from '../database/index.ts'
import { overallStatus, runDoctor } from './index.ts'

const TEN_ITEMS = `INSERT INTO public.item (id, org_id) SELECT n, '${ORG_A}'::uuid FROM generate_series(1, 10) n`
const find = (checks: readonly HealthCheck[], name: string) => checks.find((check) => check.name === name)
const bad = (checks: readonly HealthCheck[]) => checks.filter((check) => check.status !== 'ok')

describe.each(['embedded', 'system'] as const)('tidemark doctor on the %s server', (server) => {
  const own = useTestDatabase(servers()[server])
  const database = useConnection(own)
  const undo: string[] = []

  beforeAll(async () => {
    await own.install(SNAPSHOT_SCHEMA, snapshotSync)
    await database.query(`SELECT pg_create_logical_replication_slot($1, 'pgoutput')`, [own.slotName])
    await database.query(TEN_ITEMS)
    await database.query(
      `INSERT INTO public.note VALUES (1, 'u1', 'x'), (2, NULL, 'y'), (3, E'odd \\\\ ''value''', 'z')`,
    )
    await database.query(`INSERT INTO public.setting VALUES ('k', 'v')`)
  })
  afterEach(async () => {
    for (const statement of undo.splice(0).reverse()) await database.query(statement)
    expect(bad(await doctor())).toEqual([])
  })

  // A transaction of another test on this server may well be old.
  const doctor = async (sync = snapshotSync) => {
    const checks = await runDoctor(database.query, { sync, slotName: own.slotName })
    return checks.filter((check) => check.name !== 'open-transaction')
  }

  async function change(statement: string, back: string): Promise<void> {
    undo.push(back)
    await database.query(statement)
  }

  test('OPS-04 a good database passes every check, and stays as it is', async () => {
    const checks = await doctor()
    expect(overallStatus(checks)).toBe('ok')
    expect(checks.map((check) => check.name)).toEqual(
      expect.arrayContaining([
        'database',
        'server-version',
        'wal-level',
        'replication-role',
        'replication-slots',
        'output-plugin',
        'own-schema',
        'slot',
        'slot-retained-wal',
        'definition-in-force',
        'publication',
        'table public.item',
        'replica-identity public.item',
        'client-role',
        'client-columns public.item',
        'row-security public.item',
        'client-rows public.item',
      ]),
    )
    expect(find(checks, 'client-rows public.note')).toMatchObject({ value: 2 })
    expect(
      await database.query(
        `SELECT current_user = session_user AS same, pg_current_xact_id_if_assigned() IS NULL AS idle`,
      ),
    ).toEqual([{ same: 't', idle: 't' }])
  })

  test.each<[string, string, string, string]>([
    [
      'replica-identity public.item',
      'ALTER TABLE public.item REPLICA IDENTITY DEFAULT',
      'ALTER TABLE public.item REPLICA IDENTITY FULL',
      'fail',
    ],
    [
      'publication',
      'ALTER PUBLICATION tidemark DROP TABLE public.note',
      'ALTER PUBLICATION tidemark ADD TABLE public.note',
      'fail',
    ],
    [
      'publication',
      `ALTER PUBLICATION tidemark SET (publish = 'insert')`,
      `ALTER PUBLICATION tidemark SET (publish = 'insert, update, delete, truncate')`,
      'fail',
    ],
    ['publication', 'ALTER PUBLICATION tidemark RENAME TO gone', 'ALTER PUBLICATION gone RENAME TO tidemark', 'fail'],
    [
      'table public.setting',
      'ALTER TABLE public.setting RENAME TO away',
      'ALTER TABLE public.away RENAME TO setting',
      'fail',
    ],
    [
      'table public.setting',
      'ALTER TABLE public.setting DROP CONSTRAINT setting_pkey',
      'ALTER TABLE public.setting ADD PRIMARY KEY (key)',
      'fail',
    ],
    [
      'table public.note',
      'ALTER TABLE public.note RENAME user_id TO owner_id',
      'ALTER TABLE public.note RENAME owner_id TO user_id',
      'fail',
    ],
    [
      'client-columns public.item',
      'GRANT SELECT (secret) ON public.item TO tidemark_client',
      'REVOKE SELECT (secret) ON public.item FROM tidemark_client',
      'fail',
    ],
    [
      'client-columns public.item',
      'REVOKE SELECT (title) ON public.item FROM tidemark_client',
      'GRANT SELECT (title) ON public.item TO tidemark_client',
      'fail',
    ],
    [
      'row-security public.item',
      'ALTER TABLE public.item DISABLE ROW LEVEL SECURITY',
      'ALTER TABLE public.item ENABLE ROW LEVEL SECURITY',
      'warn',
    ],
    [
      'client-rows public.item',
      'CREATE POLICY narrow ON public.item AS RESTRICTIVE TO tidemark_client USING (id <> 7)',
      'DROP POLICY narrow ON public.item',
      'fail',
    ],
    [
      'client-rows public.note',
      'ALTER POLICY own ON public.note USING (user_id = tidemark.user_id())',
      `ALTER POLICY own ON public.note USING (user_id = ANY ((SELECT tidemark.audience_values('user'))::text[]))`,
      'fail',
    ],
    [
      'own-schema',
      'ALTER TABLE tidemark.epoch RENAME head_lsn TO old_head',
      'ALTER TABLE tidemark.epoch RENAME old_head TO head_lsn',
      'fail',
    ],
  ])('OPS-04 SEC-08 CAP-17 CAP-29 %s speaks when somebody runs %s', async (name, statement, back, status) => {
    await change(statement, back)
    const check = find(await doctor(), name)
    expect(check).toMatchObject({ status })
    expect(check?.message).not.toBe('')
  })

  test('OPS-04 CAP-33 what keeps the declared tables from being synced is named by table', async () => {
    await change(
      'CREATE TABLE public.odd (id int, org_id uuid GENERATED ALWAYS AS (NULL::uuid) STORED, CONSTRAINT odd_pkey PRIMARY KEY (id) DEFERRABLE)',
      'DROP TABLE public.odd',
    )
    const odd = pgTable('odd', { id: integer('id'), orgId: uuid('org_id'), body: text('body') })
    const sync = defineSync({ tables: { odd: table(odd, { audience: { column: odd.orgId, prefix: 'org' } }) } })
    const checks = await doctor(sync as unknown as typeof snapshotSync)
    expect(find(checks, 'table public.odd')?.message).toMatch(/deferrable.*generated|generated.*deferrable/s)
    expect(find(checks, 'replica-identity public.odd')).toMatchObject({ status: 'fail' })
  })

  test('OPS-04 another definition than the declared one is a warning', async () => {
    const checks = await doctor(
      defineSync({ tables: { item: snapshotSync.tables.item } }) as unknown as typeof snapshotSync,
    )
    expect(find(checks, 'definition-in-force')).toMatchObject({ status: 'warn' })
  })

  test('OPS-04 large rows make REPLICA IDENTITY FULL dear', async () => {
    // No VACUUM takes away what an older snapshot, an automatic ANALYZE's for one, may still see: a new file does.
    undo.push('ANALYZE public.item', TEN_ITEMS)
    await change(
      `UPDATE public.item SET secret = (SELECT string_agg(md5(n::text || id), '') FROM generate_series(1, 8000) n)`,
      'TRUNCATE public.item',
    )
    await database.query('VACUUM ANALYZE public.item')
    const check = find(await doctor(), 'row-size public.item')
    expect(check).toMatchObject({ status: 'warn', unit: 'bytes' })
    expect(Number(check?.value)).toBeGreaterThan(20_000)
  })

  test('OPS-04 a role without rights is told what it lacks', async () => {
    const role = `doctor_${own.name}`
    await change(`CREATE ROLE ${role} LOGIN PASSWORD 'weak'`, `DROP ROLE ${role}`)
    const url = Object.assign(new URL(own.url), { username: role, password: 'weak' }).href
    const connection = await openDatabase({ ...own.env, DATABASE_URL: url })
    try {
      const checks = await runDoctor(connection.query, { slotName: own.slotName })
      expect(find(checks, 'replication-role')).toMatchObject({ status: 'fail', value: role })
      expect(bad(checks).every((check) => check.message !== '')).toBe(true)
      expect(connection.usable).toBe(true)
    } finally {
      await connection.close()
    }
  })

  test('OPS-04 OPS-05 an empty database, and one that is gone', async () => {
    await change('ALTER SCHEMA tidemark RENAME TO away', 'ALTER SCHEMA away RENAME TO tidemark')
    const checks = await doctor()
    expect(find(checks, 'own-schema')).toMatchObject({ status: 'fail' })
    const closed = await own.open()
    await closed.close()
    expect(await runDoctor(closed.query)).toMatchObject([{ name: 'database', status: 'fail' }])
  })

  test('OPS-04 no slot yet is a warning with what follows', async () => {
    expect(find(await runDoctor(database.query, { slotName: 'no_such_slot' }), 'slot')).toMatchObject({
      status: 'warn',
    })
  })

  test('SEC-08 SEC-14 where replicas write, their rights are no more than that, and row-level security is on', async () => {
    const written = await createDatabase(servers()[server])
    await written.install(PUSH_SCHEMA, pushSync)
    const owner = await written.open()
    const statusOf = async (name: string) =>
      find(await runDoctor(owner.query, { sync: pushSync, slotName: own.slotName }), name)?.status
    expect(await statusOf('client-writes public.task')).toBe('ok')
    expect(await statusOf('client-writes public.notice')).toBe('ok')
    expect(await statusOf('row-security public.task')).toBe('ok')
    await owner.query('ALTER TABLE public.task DISABLE ROW LEVEL SECURITY')
    expect(await statusOf('row-security public.task')).toBe('fail')
    await owner.query('GRANT UPDATE (secret) ON public.task TO tidemark_client')
    expect(await statusOf('client-writes public.task')).toBe('fail')
    await owner.query('GRANT INSERT ON public.notice TO tidemark_client')
    expect(await statusOf('client-writes public.notice')).toBe('fail')
    await owner.query('REVOKE DELETE ON public.page FROM tidemark_client')
    expect(await statusOf('client-writes public.page')).toBe('fail')
    await owner.close()
    await written.drop()
  })
})
