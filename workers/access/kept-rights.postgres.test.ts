import { beforeAll, beforeEach, expect, it } from 'vitest'
import { servers } from '../../testing/postgres/servers.ts'
import { useTestDatabase } from '../../testing/postgres/use-test-database.ts'
import { SNAPSHOT_SCHEMA, snapshotSync } from '../../testing/snapshot/snapshot-app.ts'
import type { RightsChange, RightsGuard } from '../contracts.ts'
import type { SyncEnv } from '../env.ts'
import { RightsMarks } from '../replication/rights-marks.ts'
import type { RoutedBatch } from '../replication/rules/subscription.ts'
import { KeptRights } from './kept-rights.ts'

const MEMBERS = `
  --> statement-breakpoint
  CREATE TABLE public.member (user_id text, org text);
  --> statement-breakpoint
  GRANT SELECT ON public.member TO tidemark_client`

const database = useTestDatabase(servers().embedded)
let marks: RightsMarks
let rights: KeptRights
let nowMs: number
/** The lag that capture answers with; null while nothing is captured. */
let behindMs: number | null
let isAway: boolean
/** The server's process of each connection that was asked. */
let asked: string[]
let calls: number
let env: SyncEnv

beforeAll(async () => {
  await database.install(SNAPSHOT_SCHEMA + MEMBERS, snapshotSync)
  await database.run(`INSERT INTO public.member VALUES ('ann', 'a')`)
})
beforeEach(async () => {
  await database.run(`DELETE FROM public.member--> statement-breakpoint INSERT INTO public.member VALUES ('ann', 'a')`)
  ;[nowMs, behindMs, isAway, asked, calls] = [1_000_000, 100, false, [], 0]
  marks = new RightsMarks()
  captured(null)
  const guard = async (userId: string): Promise<RightsGuard> => {
    if (isAway) throw new Error('away')
    return { mark: marks.markOf(userId), behindMs }
  }
  const REPLICATION = { getByName: () => ({ rightsGuard: guard }) }
  env = { ...database.env, REPLICATION } as unknown as SyncEnv
  rights = new KeptRights(
    {
      audiences: async ({ userId, claims, sql }) => {
        calls += 1
        if (claims.listed) return ['all']
        const rows = await sql`SELECT org, pg_backend_pid() AS pid FROM public.member WHERE user_id = ${userId}`
        asked.push(rows[0]?.pid ?? 'none')
        return rows.map((row) => `org:${row.org}`)
      },
    },
    () => nowMs,
  )
})

/** Notes the rights changes of one capture cycle. */
function captured(change: RightsChange | null, version = 1): void {
  const definition = { version } as RoutedBatch['definition']
  marks.note({ epoch: 'e', definition, rights: change, everyone: false, transactions: [] } as unknown as RoutedBatch)
}
const ann = { userId: 'ann', claims: {} }
const revoke = () => database.run(`DELETE FROM public.member WHERE user_id = 'ann'`)

it('FLD-100 PSH-R20 a hundred requests of a session ask once, over one connection, while what decides it is watched', async () => {
  for (let request = 0; request < 100; request += 1) {
    expect(await rights.of(ann, env)).toEqual(['org:a'])
    nowMs += 1_000
  }
  expect([asked.length, calls]).toEqual([1, 1])
  const bob = await Promise.all(Array.from({ length: 20 }, () => rights.of({ userId: 'bob', claims: {} }, env)))
  expect(bob.every((audiences) => audiences.length === 0)).toBe(true)
  expect(asked.length).toBe(2)
  // Other claims are another session; rights that the token alone decides cost nothing and are asked for each time.
  expect(await rights.of({ ...ann, claims: { role: 'x' } }, env)).toEqual(['org:a'])
  for (let request = 0; request < 3; request += 1) await rights.of({ ...ann, claims: { listed: true } }, env)
  expect([asked.length, calls]).toEqual([3, 6])
})

it('FLD-101 PSH-R20 a change that capture has seen voids what was kept of whom it concerns, at once', async () => {
  await rights.of(ann, env)
  captured(['bob'])
  expect(await rights.of(ann, env)).toEqual(['org:a'])
  expect(asked.length).toBe(1)
  await revoke()
  captured(['ann'])
  expect(await rights.of(ann, env)).toEqual([])
  expect(asked.length).toBe(2)
  const restart = () => {
    marks = new RightsMarks()
  }
  for (const change of [() => captured('all'), () => captured(null, 2), restart]) {
    change()
    await rights.of(ann, env)
  }
  expect(asked.length).toBe(5)
})

it('FLD-102 PSH-R20 without watch, and while capture is behind or away, an answer holds for 15 s; never above ten minutes', async () => {
  await rights.of(ann, env)
  await revoke()
  behindMs = null
  nowMs += 14_999
  expect(await rights.of(ann, env)).toEqual(['org:a'])
  nowMs += 1
  expect(await rights.of(ann, env)).toEqual([])
  behindMs = 15_000
  nowMs += 15_000
  await rights.of(ann, env)
  expect(asked.length).toBe(3)
  isAway = true
  nowMs += 14_999
  await rights.of(ann, env)
  expect(asked.length).toBe(3)
  nowMs += 1
  await rights.of(ann, env)
  expect(asked.length).toBe(4)
  ;[isAway, behindMs] = [false, 0]
  // Asked while capture did not say whether rights change.
  await rights.of(ann, env)
  expect(asked.length).toBe(5)
  nowMs += 599_999
  await rights.of(ann, env)
  expect(asked.length).toBe(5)
  nowMs += 1
  await rights.of(ann, env)
  expect(asked.length).toBe(6)
})

it('FLD-102 PSH-R20 who asks anew is told what holds now, and so are those after', async () => {
  await rights.of(ann, env)
  await revoke()
  expect(await rights.ask(ann, env)).toEqual([])
  expect(await rights.of(ann, env)).toEqual([])
  expect(asked.length).toBe(2)
})
