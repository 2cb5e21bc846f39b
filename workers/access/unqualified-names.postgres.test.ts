import { randomUUID } from 'node:crypto'
import { pgTable, text, uuid } from 'drizzle-orm/pg-core'
import { beforeAll, describe, expect, test } from 'vitest'
import { defineSync, table } from '../../db/index.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { useConnection, useTestDatabase } from '../../testing/postgres/use-test-database.ts'
import { beginEpoch, headOf, LineCollector } from '../../testing/snapshot/snapshot-fixture.ts'
import { withDatabase } from '../database/index.ts'
import type { SyncEnv } from '../env.ts'
import { runDoctor } from '../health/index.ts'
import { readSnapshot } from '../snapshot/read-snapshot.ts'
import type { Audiences } from './access.ts'
import { askAudiences } from './authenticate.ts'

const ORG = 'aaaaaaaa-0000-4000-8000-00000000000a'
const issue = pgTable('issue', { id: uuid('id').primaryKey(), teamId: uuid('team_id').notNull(), title: text('title') })
const sync = defineSync({
  tables: { issue: table(issue, { audience: { column: issue.teamId, prefix: 'team' }, write: 'all' }) },
})
const schemaIn = (space: string, body: string) =>
  `
  CREATE TABLE ${space}.member (user_id text, org_id uuid NOT NULL, PRIMARY KEY (user_id, org_id));
  GRANT SELECT ON ${space}.member TO tidemark_client;
  INSERT INTO ${space}.member VALUES ('mia', '${ORG}');
  CREATE FUNCTION ${space}.in_team(o uuid) RETURNS boolean ${body};
  CREATE TABLE issue (id uuid PRIMARY KEY, team_id uuid NOT NULL, title text);
  INSERT INTO issue VALUES ('${randomUUID()}', '${ORG}', 'a');
  ALTER TABLE issue ENABLE ROW LEVEL SECURITY;
  CREATE POLICY p ON issue TO tidemark_client USING (${space}.in_team(team_id))`.replaceAll(
    ';\n',
    ';--> statement-breakpoint\n',
  )

// As it stands in docs/access.md.
const audiences: Audiences = async ({ userId, sql }) => {
  const rows = await sql`SELECT org_id FROM member WHERE user_id = ${userId}`
  return ['all', `user:${userId}`, ...rows.map((row) => `team:${row.org_id}`)]
}
const SQL_BODY = 'LANGUAGE sql STABLE AS $$ SELECT EXISTS (SELECT FROM member WHERE org_id = o) $$'
const PLPGSQL_BODY = 'LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN EXISTS (SELECT FROM member WHERE org_id = o); END $$'

describe.each([
  { server: 'embedded', space: 'public', body: SQL_BODY },
  { server: 'system', space: 'app', body: PLPGSQL_BODY },
] as const)('names without a schema, in $space on the $server server', ({ server, space, body }) => {
  const own = useTestDatabase(servers()[server], async ({ name, run, install }) => {
    if (space === 'app') {
      await run(
        `CREATE SCHEMA app;--> statement-breakpoint\nGRANT USAGE ON SCHEMA app TO tidemark_client;--> statement-breakpoint\nALTER DATABASE ${name} SET search_path = app, public`,
      )
    }
    await run(schemaIn(space, body))
    await run(
      `CREATE TABLE ${space}.ddl_log (what text);
      CREATE FUNCTION ${space}.log_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO ddl_log VALUES (tg_tag); END $$;
      CREATE EVENT TRIGGER log_ddl ON ddl_command_end EXECUTE FUNCTION ${space}.log_ddl()`.replaceAll(
        ';\n',
        ';--> statement-breakpoint\n',
      ),
    )
    await install('SELECT 1', sync)
  })
  const database = useConnection(own)
  beforeAll(() => beginEpoch(database.query, 'names'))
  /** As the app changes its schema: its event trigger listens. */
  const ddl = (statement: string) =>
    withDatabase(own.env, async ({ query }) => {
      await query('SET search_path TO DEFAULT')
      await query(statement)
    })
  const ask = () => askAudiences({ audiences }, { userId: 'mia', claims: {} }, own.env as SyncEnv)
  const lines = async () => {
    const collected = new LineCollector()
    headOf(await readSnapshot(database, `team:${ORG}`, collected))
    return collected.of('public.issue')
  }
  const finding = async () =>
    (await runDoctor(database.query, { sync, slotName: own.slotName })).find(
      ({ name }) => name === 'client-rows public.issue',
    )
  const push = () =>
    withDatabase(own.env, (connection) =>
      connection.transaction(async ({ query }) => {
        await query(`INSERT INTO tidemark.client (id, user_id) VALUES ('c', 'mia') ON CONFLICT DO NOTHING`)
        await query(`SELECT tidemark.begin_mutation('c', 1, 'mia', 'd', NULL, '{}', NULL, $1, '{}')`, [
          JSON.stringify([`team:${ORG}`]),
        ])
        const rows = await query('UPDATE public.issue SET title = $1 RETURNING id', ['b'])
        throw Object.assign(new Error('undone'), { rows: rows.length })
      }),
    ).catch((error: { rows?: number }) => error.rows)

  test('FLD-44 DEF-R5 audiences, policies, pushes and doctor find them as the app does', async () => {
    expect(await ask()).toEqual(['all', 'user:mia', `team:${ORG}`])
    expect(await lines()).toHaveLength(1)
    expect(await push()).toBe(1)
    expect(await finding()).toMatchObject({ status: 'ok' })
    // So do event triggers, which our own DDL sets off.
    const [logged] = await database.query(
      `SELECT count(*)::text AS n FROM ${space}.ddl_log WHERE what = 'ALTER PUBLICATION'`,
    )
    expect(Number(logged?.n)).toBeGreaterThan(0)
  })

  test('FLD-45 DEF-R5 where a name cannot be found, the message says in which query or function, and doctor fails', async () => {
    await ddl(`ALTER TABLE ${space}.member RENAME TO members`)
    const missing = { kind: 'misconfigured', message: expect.stringContaining('relation "member" does not exist') }
    await expect(ask()).rejects.toMatchObject(missing)
    await expect(ask()).rejects.toThrow(/A query of audiences\(\) failed: .*name it with its schema/)
    await expect(lines()).rejects.toMatchObject(missing)
    await expect(lines()).rejects.toThrow(/in function \S*in_team.*ALTER FUNCTION \S*in_team SET search_path/)
    expect(await finding()).toMatchObject({
      status: 'fail',
      message: expect.stringMatching(/member.* in function \S*in_team/),
    })
    await ddl(`ALTER TABLE ${space}.members RENAME TO member`)
    await ddl(`REVOKE SELECT ON ${space}.member FROM tidemark_client`)
    await expect(ask()).rejects.toThrow(/permission denied for table member: grant that to role tidemark_client/)
    await expect(lines()).rejects.toThrow(/permission denied for table member/)
    expect(await finding()).toMatchObject({ status: 'fail', message: expect.stringContaining('permission denied') })
  })
})
