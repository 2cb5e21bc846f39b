import { beforeEach, expect, it, vi } from 'vitest'
import { servers } from '../../testing/postgres/servers.ts'
import { ORG_A } from '../../testing/push/push-app.ts'
import { usePushFixture } from '../../testing/push/push-fixture.ts'
import { insertOf, TestClient } from '../../testing/push/test-client.ts'
import type { SyncEnv } from '../env.ts'
import {
  askedAt,
  FIRST_OWED,
  noteCommit,
  type OwedCalls,
  owedMark,
  settleCalls,
} from '../replication/rules/owed-calls.ts'
import { callOwed } from './committed-calls.ts'
import type { OnCommitted } from './options.ts'

const fixture = usePushFixture(servers().system)
let client: TestClient
let calls: OwedCalls
let nowMs: number
let env: SyncEnv
beforeEach(() => {
  ;[calls, nowMs] = [FIRST_OWED, Date.now()]
  client = new TestClient(fixture.sender({ onCommitted: () => {} }))
  vi.spyOn(console, 'warn').mockImplementation(() => {})
  const replication = {
    owedCalls: async () => {
      const mark = owedMark(calls, nowMs)
      if (mark !== null) calls = askedAt(calls, mark)
      return mark
    },
    settleCalls: async (mark: number, dueAtMs: number | null) => {
      calls = settleCalls(calls, mark, dueAtMs)
    },
  }
  env = { ...fixture.owned.env, REPLICATION: { getByName: () => replication } } as unknown as SyncEnv
})

/** An environment with which every query fails. */
const unreachable = () => ({ ...env, DATABASE_PROXY: '127.0.0.1:1' })
const commit = async () => {
  const id = crypto.randomUUID()
  await client.decide(client.patch([insertOf('public.tally', { id, org_id: ORG_A, log: null })]))
  calls = noteCommit(calls)
}

/** Runs as cron does, tick after tick: the server's own work may be in progress at one of them. */
async function untilNothingOwed(listen: OnCommitted) {
  while (owedMark(calls, nowMs) !== null) await callOwed(env, listen)
}

it('FLD-103 PSH-R12 CAP-R48 cron asks Postgres once after commits, and not again while nothing is queued', async () => {
  const told: number[] = []
  const listen = ({ counter }: { counter: number }) => void told.push(counter)
  await commit()
  await commit()
  await untilNothingOwed(listen)
  expect(told.sort()).toEqual([1, 2])
  for (let tick = 0; tick < 50; tick += 1) {
    nowMs += 60_000
    await callOwed(unreachable(), listen)
  }
  await commit()
  await expect(callOwed(unreachable(), listen)).rejects.toThrow()
  await callOwed(env, listen)
  expect(told).toEqual([1, 2, 3])
})

it('FLD-103 PSH-R12 CAP-R48 what failed is asked for when it is due, and what is being committed is not taken for nothing', async () => {
  await untilNothingOwed(() => {})
  await commit()
  await untilNothingOwed(() => {
    throw new Error('not now')
  })
  nowMs += 20_000
  await callOwed(unreachable(), () => {})
  // It is due after 30 to 45 seconds.
  nowMs += 30_000
  await fixture.database.query('UPDATE tidemark.committed_call SET due_at = now()')
  const other = await fixture.owned.open()
  await other.query('BEGIN')
  await other.query('SELECT pg_current_xact_id()')
  let told = 0
  const listen = () => {
    told += 1
  }
  await callOwed(env, listen)
  expect(told).toBe(1)
  // It could be the commit of a mutation.
  await expect(callOwed(unreachable(), listen)).rejects.toThrow()
  await other.query('COMMIT')
  await other.close()
  await untilNothingOwed(listen)
  await callOwed(unreachable(), listen)
  expect(told).toBe(1)
})
