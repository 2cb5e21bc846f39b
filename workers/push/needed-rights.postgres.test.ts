import { randomUUID } from 'node:crypto'
import { integer, pgTable, text, uuid } from 'drizzle-orm/pg-core'
import { describe, expect, test } from 'vitest'
import { defineSync, table } from '../../db/index.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { useConnection, useTestDatabase } from '../../testing/postgres/use-test-database.ts'
import { withDatabase } from '../database/index.ts'
import { runDoctor } from '../health/index.ts'

const id = uuid('id').primaryKey()
const ticket = pgTable('ticket', { id, no: integer('no'), code: text('code'), slug: text('slug'), size: text('size') })
const sync = defineSync({ tables: { ticket: table(ticket, { audience: 'all', write: 'all' }) } })
const SCHEMA = `
  CREATE SCHEMA kit;
  CREATE SEQUENCE kit.code_seq;
  CREATE FUNCTION kit.make_slug() RETURNS text LANGUAGE sql AS $$ SELECT 'slug' $$;
  CREATE FUNCTION kit.is_short(v text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT length(v) < 9 $$;
  CREATE FUNCTION kit.is_code(v text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT true $$;
  CREATE FUNCTION kit.fold(v text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT lower(v) $$;
  REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA kit FROM PUBLIC;
  CREATE DOMAIN kit.code AS text CHECK (kit.is_code(VALUE));
  CREATE TABLE ticket (id uuid PRIMARY KEY, no serial, code kit.code NOT NULL DEFAULT 'R-' || nextval('kit.code_seq'),
    slug text DEFAULT kit.make_slug(), size text CHECK (kit.is_short(size)),
    hidden int DEFAULT nextval('kit.code_seq'));
  CREATE INDEX ticket_fold ON ticket (kit.fold(size));
  ALTER TABLE ticket ENABLE ROW LEVEL SECURITY;
  CREATE POLICY p ON ticket TO tidemark_client USING (true)`.replaceAll(';\n', ';--> statement-breakpoint\n')

describe.each(['embedded', 'system'] as const)('what writes need beside their table, on the %s server', (server) => {
  const own = useTestDatabase(servers()[server])
  const database = useConnection(own)
  const insert = () =>
    withDatabase(own.env, (connection) =>
      connection.transaction(async ({ query }) => {
        await query('SET LOCAL ROLE tidemark_client')
        return await query(
          `INSERT INTO public.ticket (id, size, code) VALUES ($1, 'S', 'R-1'::text::kit.code) RETURNING no, slug`,
          [randomUUID()],
        )
      }),
    )
  const finding = async () =>
    (await runDoctor(database.query, { sync, slotName: own.slotName })).find(
      (check) => check.name === 'client-needs public.ticket',
    )

  test('FLD-42 DEF-R4 the role gets the sequences, functions and schemas that defaults, checks, domains and indexes use', async () => {
    const { notes } = await own.install(SCHEMA, sync)
    expect(notes.filter((note) => note.startsWith('GRANT')).sort()).toEqual(
      [
        'EXECUTE ON FUNCTION kit.fold(text)',
        'EXECUTE ON FUNCTION kit.is_code(text)',
        'EXECUTE ON FUNCTION kit.is_short(text)',
        'EXECUTE ON FUNCTION kit.make_slug()',
        'USAGE ON SCHEMA kit',
        'USAGE ON SEQUENCE kit.code_seq',
        'USAGE ON SEQUENCE public.ticket_no_seq',
      ].map((right) => `GRANT ${right} TO tidemark_client, which writes of "public"."ticket" need.`),
    )
    expect(await insert()).toEqual([{ no: '1', slug: 'slug' }])
    expect(await finding()).toMatchObject({ status: 'ok' })
  })

  test('FLD-43 DEF-R4 doctor fails on each right that is missing, and names it with what gives it', async () => {
    for (const [right, loss] of [
      ['USAGE ON SEQUENCE public.ticket_no_seq', 'USAGE ON SEQUENCE public.ticket_no_seq'],
      ['EXECUTE ON FUNCTION kit.is_short(text)', 'EXECUTE ON FUNCTION kit.is_short'],
      ['USAGE ON SCHEMA kit', 'USAGE ON SCHEMA kit'],
    ]) {
      await database.query(`REVOKE ${loss} FROM tidemark_client`)
      await expect(insert(), right).rejects.toThrow()
      expect(await finding()).toMatchObject({
        status: 'fail',
        message: expect.stringContaining(`GRANT ${right} TO tidemark_client;`),
      })
      await database.query(`GRANT ${right} TO tidemark_client`)
    }
    await database.query(`CREATE FUNCTION kit.may_see() RETURNS boolean LANGUAGE sql AS $$ SELECT true $$`)
    await database.query('REVOKE EXECUTE ON FUNCTION kit.may_see FROM PUBLIC')
    await database.query('CREATE POLICY q ON public.ticket TO tidemark_client USING (kit.may_see())')
    expect(await finding()).toMatchObject({ status: 'fail', message: expect.stringContaining('kit.may_see()') })
  })
})
