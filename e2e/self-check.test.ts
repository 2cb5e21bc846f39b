import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openReplicaOn } from '../client/open-replica.ts'
import type { Replica } from '../client/replica-api.ts'
import { openPreparedDatabase } from '../testing/replica/prepared-database.ts'
import { statusThat } from '../testing/replica/start-replica.ts'
import { type System, startSystem } from '../testing/system/start-system.ts'
import { until } from '../testing/system/until.ts'
import { sync } from '../testing/writing-oracle/app/sync-with-visits.ts'
import { ORGS, seedWriting } from '../testing/writing-oracle/plan-writing.ts'
import { withDatabase } from '../workers/database/index.ts'

const [ORG, OTHER] = [ORGS[0] ?? '', ORGS[1] ?? '']
const ROWS = 2_500
const NO_DELAY_MS = 0

describe('a replica compared with the server', () => {
  let folder: string
  let system: System
  let replica: Replica<typeof sync>
  const inPostgres = (text: string, params: string[] = []) =>
    withDatabase(system.env, ({ query }) => query(text, params))

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'tidemark-self-check-'))
    system = await startSystem({
      app: {
        sync,
        syncModule: new URL('../testing/writing-oracle/app/sync-with-visits.ts', import.meta.url),
        migrations: new URL('../testing/writing-oracle/app/migrations/', import.meta.url),
      },
      seed: (env) =>
        withDatabase(env, async ({ query }) => {
          for (const { text, params } of seedWriting()) await query(text, params)
          // More than one look at them takes.
          await query(
            `INSERT INTO public.entry SELECT gen_random_uuid(), $1::text::uuid, 'entry ' || n FROM generate_series(1, ${ROWS}) n`,
            [ORG],
          )
          await query(
            `INSERT INTO public.visit (id, org_id, month, word)
             SELECT gen_random_uuid(), $1::text::uuid, n % 3, E'a\\tb\\nc ' || n FROM generate_series(1, 30) n`,
            [ORG],
          )
        }),
    })
    replica = await open()
  })
  afterAll(async () => {
    await replica?.close()
    await system?.dispose()
    rmSync(folder, { recursive: true, force: true })
  })

  async function open(): Promise<Replica<typeof sync>> {
    const options = {
      url: system.url,
      user: 'ann',
      token: () => system.token({ userId: 'ann', audiences: [`org:${ORG}`, `org:${OTHER}`] }),
      sync,
      storage: join(folder, 'ann'),
    }
    const opened = await openReplicaOn(options, openPreparedDatabase, null, undefined, NO_DELAY_MS)
    await opened.ready
    await opened.settled()
    return opened
  }

  /** Changes rows past everything that looks after them, as damage does. */
  const damage = (...statements: string[]) =>
    replica.db.transaction(async (tx) => {
      await tx.exec(['SET LOCAL session_replication_role = replica', ...statements].join(';'))
    })
  const linesOf = async (table: string) => {
    const text = `SELECT t::text AS line FROM ${table} t ORDER BY 1`
    const { rows } = await replica.db.query<{ line: string }>(text)
    return rows.map(({ line }) => line)
  }

  it('OPS-08 CHK-R1 CHK-R2 rows that are the server\u2019s differ nowhere, with work pending on them, kept audiences and partitions', async () => {
    replica.goOffline()
    await replica.transaction((tx) =>
      tx.query(`INSERT INTO entry (id, org_id, token) VALUES ($1, $2, 'mine')`, [randomUUID(), ORG]),
    )
    await replica.transaction((tx) => tx.query(`UPDATE entry SET token = 'changed' WHERE token = 'entry 7'`))
    await replica.transaction((tx) => tx.query(`DELETE FROM entry WHERE token = 'entry 8'`))
    const before = await linesOf('entry')
    replica.goOnline()
    const report = await replica.check()
    expect(report).toMatchObject({ differed: [], undecided: [] })
    expect(report.rows).toBeGreaterThan(ROWS)
    expect((await linesOf('entry')).length).toBe(before.length)
    await replica.settled()
    expect(replica.status.check).toEqual(report)
  })

  it('OPS-08 CHK-R7 after pushes were refused the rows are the server\u2019s, with the refused waiting for their user and newer work pending on the same rows', async () => {
    await replica.settled()
    const { rows } = await replica.db.query<{ id: string }>('SELECT id FROM task ORDER BY id LIMIT 2')
    const [id = '', other = ''] = rows.map((row) => row.id)
    const write = (text: string, more: readonly string[] = []) =>
      replica.transaction((tx) => tx.query(text, [id, ...more]))
    replica.goOffline()
    const refused = await write(`UPDATE task SET title = 'mine' WHERE id = $1`)
    // It writes a row more, since it would become one with the first otherwise.
    const builtOnIt = await write(`UPDATE task SET title = 'mine again', notes = 'more' WHERE id IN ($1, $2)`, [other])
    const kept = await replica.transaction((tx) =>
      tx.query(`INSERT INTO entry (id, org_id, token) VALUES ($1, $2, 'kept')`, [randomUUID(), ORG]),
    )
    await inPostgres(`UPDATE public.task SET title = 'theirs' WHERE id = $1::text::uuid`, [id])
    replica.goOnline()
    await expect(refused.confirmed).rejects.toMatchObject({ rejection: { kind: 'conflict' } })
    await expect(builtOnIt.confirmed).rejects.toMatchObject({ rejection: { kind: 'conflict' } })
    await kept.confirmed
    await replica.settled()
    expect(replica.status).toMatchObject({ pending: 0, failed: 2 })
    expect(await replica.check()).toMatchObject({ differed: [], undecided: [] })
    replica.goOffline()
    const newer = await write(`UPDATE task SET title = 'newer' WHERE id = $1`)
    replica.goOnline()
    expect(await replica.check()).toMatchObject({ differed: [], undecided: [] })
    await newer.confirmed
    await Promise.all(replica.failures.map((failure) => failure.discard()))
    await replica.settled()
    expect(await replica.check()).toMatchObject({ differed: [], undecided: [] })
    expect((await linesOf('task')).filter((line) => line.includes('newer'))).toHaveLength(1)
  })

  it('OPS-08 CHK-R3 CHK-R4 rows that were lost, changed or made up are found and loaded anew, and unsent work stays', async () => {
    await replica.settled()
    const [entries, visits] = [await linesOf('entry'), await linesOf('visit')]
    await damage(
      `DELETE FROM public.entry WHERE token = 'entry 100'`,
      `UPDATE public.entry SET token = 'entry x' WHERE token = 'entry 2200'`,
      `UPDATE public.visit SET word = word || ' ' WHERE month = 1`,
    )
    expect(await linesOf('entry')).not.toEqual(entries)
    replica.goOffline()
    const kept = await replica.transaction((tx) =>
      tx.query(`UPDATE task SET title = 'mine' WHERE id = (SELECT id FROM task LIMIT 1)`),
    )
    const unsent = await replica.transaction((tx) =>
      tx.query(`INSERT INTO entry (id, org_id, token) VALUES ($1, $2, 'unsent')`, [randomUUID(), ORG]),
    )
    replica.goOnline()
    const report = await replica.check()
    expect(report.differed.toSorted()).toEqual(['public.entry', 'public.visit'])
    expect(report.undecided).toEqual([])
    await replica.settled()
    await Promise.all([kept.confirmed, unsent.confirmed])
    const [added] = (await linesOf('entry')).filter((line) => line.includes('unsent'))
    expect(await linesOf('entry')).toEqual([...entries, added].toSorted())
    expect(await linesOf('visit')).toEqual(visits)
    expect(replica.status).toMatchObject({ ready: true, check: { differed: report.differed } })
    // It is told where operators look.
    await until(async () => {
      const [row] = await inPostgres('SELECT fault FROM tidemark.client_status WHERE fault IS NOT NULL')
      return row?.fault?.includes('public.entry')
    })
    expect(await replica.check()).toMatchObject({ differed: [], undecided: [] })
  })

  it('OPS-08 CHK-R1 CHK-R6 while others write, only what is damaged is said to differ, and a stranger learns nothing', async () => {
    await damage(`DELETE FROM public.visit WHERE month = 2`)
    let writes = true
    const writing = (async () => {
      const database = await system.openDatabase()
      while (writes)
        await database.query(`INSERT INTO public.entry VALUES (gen_random_uuid(), $1::text::uuid, 'more')`, [ORG])
      await database.close()
    })()
    const { differed } = await replica.check()
    writes = false
    await writing
    expect(differed).toEqual(['public.visit'])
    const token = await system.token({ userId: 'eve', audiences: [`org:${OTHER}`] })
    const ask = (audience: string, query = '') =>
      fetch(`${system.url}/sync/sums/${encodeURIComponent(audience)}${query}`, {
        headers: { authorization: `Bearer ${token}` },
      })
    expect((await ask(`org:${ORG}`)).status).toBe(404)
    expect((await ask(`org:${OTHER}`)).status).toBe(200)
    expect((await ask(`org:${OTHER}`, '?at=1')).status).toBe(400)
    expect((await fetch(`${system.url}/sync/sums/all`)).status).toBe(401)
  })

  it('OPS-08 CHK-R5 a storage that nobody closed is compared once it has caught up, and one that was closed is not', async () => {
    await replica.settled()
    const entries = await linesOf('entry')
    await damage(
      `DELETE FROM public.entry WHERE token = 'entry 300'`,
      // As a crash leaves it.
      `UPDATE tidemark.owner SET compared_at = NULL`,
    )
    await replica.close()
    replica = await open()
    await replica.settled()
    expect(replica.status.check).toBeNull()
    expect(await linesOf('entry')).not.toEqual(entries)
    await replica.db.exec(
      'CREATE FUNCTION public.stays_open() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.open = true; RETURN NEW; END $$',
    )
    await damage(
      'CREATE TRIGGER stays_open BEFORE UPDATE ON tidemark.owner FOR EACH ROW EXECUTE FUNCTION public.stays_open()',
    )
    await replica.close()
    replica = await open()
    const { check } = await statusThat(replica, (status) => status.check !== null)
    expect(check).toMatchObject({ differed: ['public.entry'] })
    await replica.settled()
    expect(await linesOf('entry')).toEqual(entries)
  })
})
