import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openReplicaOn } from '../client/open-replica.ts'
import type { Replica } from '../client/replica-api.ts'
import { parsePgLsn } from '../protocol/index.ts'
import { openPreparedDatabase } from '../testing/replica/prepared-database.ts'
import { type HttpGate, startHttpGate } from '../testing/system/http-gate.ts'
import { type System, startSystem } from '../testing/system/start-system.ts'
import { until } from '../testing/system/until.ts'
import { sync } from '../testing/writing-oracle/app/sync.ts'
import { ORGS, seedWriting } from '../testing/writing-oracle/plan-writing.ts'
import { withDatabase } from '../workers/database/index.ts'

const app = {
  sync,
  syncModule: new URL('../testing/writing-oracle/app/sync.ts', import.meta.url),
  migrations: new URL('../testing/writing-oracle/app/migrations/', import.meta.url),
}
const ORG = ORGS[0]
/** The state of each replica's outbox when the history goes. */
const OUTBOXES = ['empty', 'pending', 'sent', 'answered', 'building', 'failed'] as const
type Outbox = (typeof OUTBOXES)[number]

interface Member {
  readonly replica: Replica<typeof sync>
  readonly gate: HttpGate
}

/** Each takes the history away in its own way; health gives `reason` for the epoch that follows, and says `remedy`. */
const CAUSES = [
  {
    cause: 'a slot that was dropped',
    reason: 'slot-missing',
    remedy: /who dropped it/,
    takesBack: false,
    lose: dropSlot,
  },
  {
    cause: 'a slot that Postgres gave up',
    reason: 'slot-lost: wal_removed',
    remedy: /max_slot_wal_keep_size/,
    takesBack: false,
    lose: outgrowSlot,
  },
  {
    cause: 'a recovery to a point in time',
    reason: 'timeline-changed',
    remedy: /restored/,
    takesBack: true,
    lose: (system: System) => system.restoreDatabase({ way: 'recovery' }),
  },
  {
    cause: 'a branch without its slot',
    reason: 'restored',
    remedy: /put back/,
    takesBack: true,
    lose: (system: System) => system.restoreDatabase({ way: 'branch' }),
  },
]

async function dropSlot(system: System): Promise<void> {
  await withDatabase(system.env, ({ query }) =>
    until(() =>
      query('SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots').then(
        () => true,
        () => false,
      ),
    ),
  )
}

/** Keeps capture from the slot until the log has outgrown the size that Postgres keeps for it. */
async function outgrowSlot(system: System): Promise<void> {
  await withDatabase(system.env, async ({ query }) => {
    await query(`ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'`)
    await query('SELECT pg_reload_conf()')
    await query('CREATE TABLE public.filler (x text)')
    await query('BEGIN')
    await query('LOCK TABLE tidemark.change_history')
    const other = await system.openDatabase()
    await until(async () => {
      await other.query(`INSERT INTO public.filler SELECT repeat(md5(n::text), 50) FROM generate_series(1, 10000) n`)
      await other.query('SELECT pg_switch_wal()')
      await other.query('CHECKPOINT')
      const [slot] = await other.query('SELECT wal_status, invalidation_reason FROM pg_replication_slots')
      return slot?.wal_status === 'lost'
    })
    await query('ROLLBACK')
    await other.query('ALTER SYSTEM RESET max_slot_wal_keep_size')
    await other.query('SELECT pg_reload_conf()')
    await other.close()
  })
}

describe('a history that is lost costs no unsent work', () => {
  let folder: string
  let system: System
  let members: Record<Outbox, Member>

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'tidemark-lost-history-'))
    system = await startSystem({
      app,
      seed: (env) =>
        withDatabase(env, async ({ query }) => {
          for (const { text, params } of seedWriting()) await query(text, params)
        }),
    })
    const opened = await Promise.all(OUTBOXES.map(async (name) => [name, await open(name)] as const))
    members = Object.fromEntries(opened) as Record<Outbox, Member>
  })
  afterAll(async () => {
    for (const { replica, gate } of Object.values(members ?? {})) {
      await replica.close()
      await gate.dispose()
    }
    await system?.dispose()
    rmSync(folder, { recursive: true, force: true })
  })

  async function open(name: Outbox): Promise<Member> {
    const gate = await startHttpGate(system.gate.port)
    const options = {
      url: `http://127.0.0.1:${gate.port}`,
      user: name,
      token: () => system.token({ userId: name, audiences: [`org:${ORG}`] }),
      sync,
      storage: join(folder, name),
    }
    const replica = await openReplicaOn(options, openPreparedDatabase)
    await replica.ready
    return { replica, gate }
  }

  /** Makes one mutation that leaves its token in Postgres, also in a ticket and its answer under leased keys. */
  async function write({ replica }: Member, token: string): Promise<string | null> {
    const { id } = await replica.transaction(async (tx) => {
      await tx.query('INSERT INTO entry (id, org_id, token) VALUES ($1, $2, $3)', [randomUUID(), ORG, token])
      const { rows } = await tx.query<{ id: number }>(
        'INSERT INTO ticket (org_id, word) VALUES ($1, $2) RETURNING id',
        [ORG, token],
      )
      await tx.query('INSERT INTO answer (org_id, ticket_id, word) VALUES ($1, $2, $3)', [ORG, rows[0]?.id, token])
    })
    return id
  }

  /** Has a replica lease other keys than it had. */
  async function leaseAnew({ replica }: Member): Promise<void> {
    replica.goOffline()
    await replica.db.query('DELETE FROM tidemark.leased_key')
    replica.goOnline()
    await until(async () => (await replica.db.query('SELECT FROM tidemark.leased_key LIMIT 1')).rows.length > 0)
  }

  const inPostgres = (text: string, params: string[] = []) =>
    withDatabase(system.env, ({ query }) => query(text, params))
  const tokens = async () =>
    (await inPostgres('SELECT token FROM public.entry')).map(({ token }) => token ?? '').toSorted()
  const statusOf = async ({ replica }: Member, id: string | null) =>
    (await replica.mutations()).find((mutation) => mutation.id === id)?.status

  it.each(CAUSES)(
    'FLT-03 FLD-109 FLD-253 EPO-R1 EPO-R2 LSE-R8 OBX-R9 APP-R21 $cause',
    async ({ cause, reason, remedy, takesBack, lose }) => {
      const { empty, pending, sent, answered, building, failed } = members
      const all = Object.values(members).map(({ replica }) => replica)
      const token = (name: string) => `${name}, ${cause}`
      const earlier = await tokens()
      await write(empty, token('before'))
      await write(sent, token('sent before'))
      for (const replica of [...all, ...all]) await replica.settled()
      await system.saveDatabase()
      for (const replica of all) await replica.settled()
      // A database that is put back knows nothing of these leases, and its sequences give the same keys again.
      for (const member of [pending, sent, answered]) await leaseAnew(member)

      const confirmed = await write(empty, token('confirmed'))
      await empty.replica.settled()
      failed.replica.goOffline()
      const refused = await failed.replica.transaction((tx) =>
        tx.query('UPDATE task SET title = $1 WHERE org_id = $2', [token('refused'), ORG]),
      )
      await inPostgres('UPDATE public.task SET title = $1 WHERE org_id = $2', [token('stands'), ORG])
      failed.replica.goOnline()
      await expect(refused.confirmed).rejects.toMatchObject({ rejection: { kind: 'conflict' } })
      failed.replica.goOffline()
      pending.replica.goOffline()
      const base = await write(building, token('base'))
      await building.replica.settled()
      building.replica.goOffline()
      const onBase = await building.replica.transaction((tx) =>
        tx.query('UPDATE entry SET token = $1 WHERE token = $2', [token('built'), token('base')]),
      )
      const unsent = await write(pending, token('pending'))

      // Mutations decided now are not captured, and only the stream would confirm them.
      const { unanswered, unseen } = await withDatabase(system.env, async ({ query }) => {
        await query('BEGIN')
        await query('LOCK TABLE tidemark.change_history')
        sent.gate.loseAnswers(1)
        const unanswered = await write(sent, token('sent'))
        await until(async () => (await tokens()).includes(token('sent')))
        sent.replica.goOffline()
        const unseen = await write(answered, token('answered'))
        await until(async () => {
          const { rows } = await answered.replica.db.query<{ told: boolean }>(
            `SELECT EXISTS (SELECT FROM tidemark.mutation WHERE status = 'sent' AND outcome IS NOT NULL) AS told`,
          )
          return rows[0]?.told
        })
        answered.replica.goOffline()
        await query('ROLLBACK')
        return { unanswered, unseen }
      })
      expect(await statusOf(sent, unanswered)).toBe('sent')
      expect(await statusOf(answered, unseen)).toBe('sent')

      const { epoch } = await system.health()
      await lose(system)
      const health = await until(async () => {
        const found = await system.health().catch(() => null)
        return found?.epoch && found.epoch !== epoch && found.status !== 'fail' ? found : null
      })
      expect(health.checks.find(({ name }) => name === 'epoch')).toMatchObject({
        status: 'warn',
        value: reason,
        message: expect.stringMatching(remedy),
      })
      await inPostgres('INSERT INTO public.ticket (org_id, word) SELECT $1, $2 FROM generate_series(1, 20)', [
        ORG,
        'the app’s own',
      ])
      for (const replica of all) replica.goOnline()
      for (const replica of [...all, ...all]) await replica.settled()

      const [ended] = await inPostgres(
        'SELECT end_reason FROM tidemark.epoch ORDER BY ended_at DESC NULLS LAST LIMIT 1',
      )
      expect(ended?.end_reason).toBe(reason)
      const left = [
        'answered',
        'before',
        'pending',
        'sent',
        'sent before',
        ...(takesBack ? [] : ['built', 'confirmed']),
      ]
      expect(await tokens()).toEqual([...earlier, ...left.map(token)].toSorted())
      expect(await statusOf(empty, confirmed)).toBe('confirmed')
      expect(await statusOf(pending, unsent)).toBe('confirmed')
      expect(await statusOf(sent, unanswered)).toBe('confirmed')
      expect(await statusOf(answered, unseen)).toBe('confirmed')
      // What it builds on went with the restored database: it is reported, and keeps what it was to write.
      expect(await statusOf(building, base)).toBe('confirmed')
      expect(await statusOf(building, onBase.id)).toBe(takesBack ? 'failed' : 'confirmed')
      expect(await statusOf(failed, refused.id)).toBe('failed')
      expect(failed.replica.failures.map(({ id }) => id)).toContain(refused.id)
      const answeredBy = `SELECT t.id, t.word, (SELECT array_agg(a.word)::text FROM public.answer a WHERE a.ticket_id = t.id) AS answers
        FROM public.ticket t WHERE t.word <> 'the app’s own' ORDER BY t.id`
      const tickets = await inPostgres(answeredBy.replace('t.id,', 't.id::text,'))
      const written = (await tokens()).map((word) => word.replace(/^built,/, 'base,'))
      expect(tickets.map(({ word }) => word).toSorted()).toEqual(written.toSorted())
      for (const { word, answers } of tickets) expect(answers).toBe(`{"${word}"}`)
      const rows = await inPostgres('SELECT id::text, token FROM public.entry ORDER BY id')
      for (const replica of all) {
        const held = (await replica.db.query<{ id: number }>(answeredBy)).rows
        expect(held.map((row) => ({ ...row, id: String(row.id) }))).toEqual(tickets)
        expect((await replica.db.query('SELECT id, token FROM entry ORDER BY id')).rows).toEqual(rows)
        expect(replica.status.pending).toBe(0)
      }
    },
  )

  it('FLT-03 EPO-R3 a copy put back whose log has grown past what was captured', async () => {
    const all = Object.values(members).map(({ replica }) => replica)
    await system.saveDatabase()
    await inPostgres('CREATE TABLE public.noise (x text)')
    await inPostgres(`INSERT INTO public.noise SELECT repeat('x', 1000) FROM generate_series(1, 2000)`)
    for (const replica of [...all, ...all]) await replica.settled()
    const { epoch } = await system.health()
    // What is not synced moves the cursor and not the head, which so is what it was in the copy.
    const cursor = members.empty.replica.status.lsn ?? ''
    await system.restoreDatabase({
      way: 'copy',
      async before({ query }) {
        await query('INSERT INTO public.entry (id, org_id, token) VALUES ($1, $2, $3)', [
          randomUUID(),
          ORG,
          'unheard of',
        ])
        await query('CREATE TABLE public.noise (x text)')
        await until(async () => {
          await query(`INSERT INTO public.noise SELECT repeat('y', 1000) FROM generate_series(1, 2000)`)
          const [log] = await query('SELECT pg_current_wal_flush_lsn()::text AS lsn')
          return parsePgLsn(log?.lsn ?? '') > cursor
        })
      },
    })
    await until(async () => {
      const found = await system.health().catch(() => null)
      return (
        found?.epoch &&
        found.status !== 'fail' &&
        (await members.empty.replica.settled().then(
          () => true,
          () => false,
        ))
      )
    })
    for (const replica of [...all, ...all]) await replica.settled()
    const rows = await inPostgres('SELECT id::text, token FROM public.entry ORDER BY id')
    for (const replica of all)
      expect((await replica.db.query('SELECT id, token FROM entry ORDER BY id')).rows).toEqual(rows)
    expect((await system.health()).epoch).not.toBe(epoch)
  })
})
