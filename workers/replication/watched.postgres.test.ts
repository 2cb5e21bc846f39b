import { pgTable, text } from 'drizzle-orm/pg-core'
import { describe, expect, test } from 'vitest'
import { defineSync, readDefinitionInForce, table } from '../../db/index.ts'
import { ZERO_LSN } from '../../protocol/index.ts'
import { useCapture } from '../../testing/capture/capture-harness.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { withDatabase } from '../database/index.ts'
import { readHistory } from '../sync/history.ts'

const note = pgTable('note', { id: text('id').primaryKey(), org: text('org') })
const membership = pgTable('membership', { userId: text('user_id'), org: text('org'), secret: text('secret') })
const member = pgTable('member', { id: text('id').primaryKey(), org: text('org'), login: text('login') })
const plan = pgTable('plan', { id: text('id') })
const byOrg = (column: typeof note.org | typeof member.org) => ({ column, prefix: 'org' })
const tables = {
  note: table(note, { audience: byOrg(note.org) }),
  member: table(member, { audience: byOrg(member.org), hidden: ['login'] }),
}
const sync = defineSync({
  tables,
  watch: [{ table: membership, user: membership.userId }, { table: member, user: member.login }, { table: plan }],
})
const SCHEMA = `
  CREATE TABLE note (id text PRIMARY KEY, org text);
  CREATE TABLE membership (secret text, user_id text, org text);
  CREATE TABLE member (id text PRIMARY KEY, org text, login text);
  CREATE TABLE plan (id text)
`

describe.each([
  { decoder: 'wal2json', server: 'system' },
  { decoder: 'pgoutput', server: 'embedded' },
] as const)('watched tables through $decoder', ({ decoder, server }) => {
  const harness = useCapture(servers()[server], decoder, SCHEMA, sync)

  async function captured(sql: string) {
    const known = (await harness.history()).length
    harness.batches.length = 0
    await harness.run(sql)
    await harness.drain()
    const rights = harness.batches.map((batch) => batch.rights).filter((one) => one !== null)
    return { rights, entries: (await harness.history()).slice(known) }
  }

  test('RGT-R1 RGT-R5 a change names the users of the row before and after, and history keeps no more of it', async () => {
    const inserted = await captured(`BEGIN;
      INSERT INTO note VALUES ('n1', 'a');
      INSERT INTO membership VALUES ('hush', 'ann', 'a'), ('hush', NULL, 'a');
      INSERT INTO note VALUES ('n2', 'a');
      COMMIT`)
    expect(inserted.rights).toEqual([['ann']])
    expect(inserted.entries.map(({ seq, operation, data }) => [seq, operation, data])).toEqual([
      [0, 'insert', { id: 'n1', org: 'a' }],
      [1, 'insert', { id: 'n2', org: 'a' }],
      [2, 'rights', { users: ['ann'] }],
    ])
    expect((await captured(`UPDATE membership SET user_id = 'bob' WHERE user_id = 'ann'`)).rights).toEqual([
      ['ann', 'bob'],
    ])
    expect((await captured(`UPDATE membership SET secret = 'psst' WHERE user_id = 'bob'`)).rights).toEqual([['bob']])
    const deleted = await captured(`DELETE FROM membership WHERE user_id = 'bob'`)
    expect(deleted.rights).toEqual([['bob']])
    expect(deleted.entries).toMatchObject([{ table: 'tidemark.rights', key: null, oldData: null, audience: null }])
    expect((await captured(`INSERT INTO note VALUES ('n3', 'a')`)).rights).toEqual([])
    expect(JSON.stringify(await harness.history())).not.toMatch(/hush|psst/)
  })

  test('RGT-R1 what the log does not say concerns everyone', async () => {
    expect((await captured('TRUNCATE membership')).rights).toEqual(['all'])
    expect((await captured(`INSERT INTO plan VALUES ('p')`)).rights).toEqual(['all'])
    await captured(`INSERT INTO membership VALUES ('s', 'ann', 'a')`)
    const lost = await captured(
      `ALTER TABLE membership REPLICA IDENTITY NOTHING; UPDATE membership SET org = 'b'`.replace('; ', ';\n'),
    ).catch(() => ({ rights: ['refused'] }))
    // The server refuses any update of a published table without identity.
    expect(lost.rights).toEqual(['refused'])
    await harness.run('ALTER TABLE membership REPLICA IDENTITY FULL')
    const many = await captured(`INSERT INTO membership SELECT 's', 'u' || n, 'a' FROM generate_series(1, 1001) n`)
    expect(many.rights).toEqual(['all'])
  })

  test('RGT-R5 a table that is synced too travels as ever; its hidden user column stays hidden', async () => {
    const { rights, entries } = await captured(`INSERT INTO member VALUES ('m1', 'a', 'ann')`)
    expect(rights).toEqual([['ann']])
    expect(entries.map(({ operation, data }) => [operation, data])).toEqual([
      ['insert', { id: 'm1', org: 'a' }],
      ['rights', { users: ['ann'] }],
    ])
    expect((await captured(`UPDATE member SET login = 'eve'`)).entries.map(({ data }) => data)).toEqual([
      { users: ['ann', 'eve'] },
    ])
  })

  test('RGT-R1 RGT-R5 whoever reads a gap learns of it, and a client’s role does not', async () => {
    const epoch = harness.capture.state?.epoch
    if (!epoch) throw new Error('No epoch.')
    const range = {
      epoch: epoch.id,
      from: epoch.startLsn,
      to: harness.capture.state?.capturedTo ?? epoch.startLsn,
      skip: 0,
      mutationsAfter: ZERO_LSN,
    }
    const texts: string[] = []
    const read = await withDatabase(harness.database.env, (database) =>
      readHistory(database, { userId: 'ann', audiences: ['org:a'] }, range, (page) => {
        texts.push(...page.map(({ text }) => text))
        return true
      }),
    )
    expect(read).toMatchObject({ outcome: 'done', rights: 'all' })
    expect(texts.length).toBeGreaterThan(0)
    expect(texts.join()).not.toMatch(/users|eve/)
  })

  test('RGT-R10 what is watched changes with a definition in force, and not its hash', async () => {
    const before = await readDefinitionInForce(harness.connection.query)
    expect(before?.watched?.map(({ id, user }) => [id, user])).toEqual([
      ['public.member', 'login'],
      ['public.membership', 'user_id'],
      ['public.plan', null],
    ])
    await harness.install('SELECT 1', sync)
    expect(await readDefinitionInForce(harness.connection.query)).toEqual(before)
    await harness.install('SELECT 1', defineSync({ tables, watch: [{ table: plan }] }))
    const after = await readDefinitionInForce(harness.connection.query)
    expect(after).toMatchObject({
      version: (before?.version ?? 0) + 1,
      hash: before?.hash,
      watched: [{ id: 'public.plan' }],
    })
    await harness.drain()
    expect((await captured(`DELETE FROM membership`)).rights).toEqual([])
    // A watched table that is gone stops nothing.
    await harness.run('DROP TABLE plan')
    harness.restart()
    expect((await captured(`INSERT INTO note VALUES ('n9', 'a')`)).entries).toHaveLength(1)
  })
})
