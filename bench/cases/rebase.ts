import { randomUUID } from 'node:crypto'
import type { Replica } from '../../client/index.ts'
import { startHttpGate } from '../../testing/system/http-gate.ts'
import type { System } from '../../testing/system/start-system.ts'
import type { sync } from '../../testing/writing-oracle/app/sync.ts'
import { ORGS } from '../../testing/writing-oracle/plan-writing.ts'
import { type Figure, figure, median } from '../measure.ts'
import { openWriter } from './write.ts'

const [ORG] = ORGS
const PENDING = [10, 100, 1_000] as const
const ROUNDS = 9

/** Measures transactions that come in while patches wait: one touches the row of each patch, another touches none. */
export async function rebase(system: System): Promise<Figure[]> {
  const gate = await startHttpGate(system.worker.port)
  const database = await system.openDatabase()
  const [list] = await database.query('SELECT id::text AS id FROM public.list WHERE org_id = $1 ORDER BY id LIMIT 1', [
    ORG,
  ])
  const tasks = Array.from({ length: PENDING[2] }, () => randomUUID())
  const other = randomUUID()
  await database.query(
    `INSERT INTO public.task (id, org_id, list_id, title)
     SELECT id, $1::text::uuid, $2::text::uuid, 'rebased' FROM json_array_elements_text($3::json) AS x(text), CAST(text AS uuid) AS id`,
    [ORG, list?.id ?? '', JSON.stringify([...tasks, other])],
  )
  const replica = await openWriter(system, 'bench-rebase', `http://127.0.0.1:${gate.port}`)
  gate.refusePushes(true)
  const touchedMs: number[] = []
  const untouchedMs: number[] = []
  let written = 0
  for (const pending of PENDING) {
    for (; written < pending; written++) {
      const id = tasks[written]
      await replica.transaction((tx) => tx.query('UPDATE public.task SET notes = $1 WHERE id = $2', ['mine', id]))
    }
    const arrival = async (ids: readonly string[], round: number) => {
      const weight = `${pending + round / 100}`
      const seen = seenAt(replica, ids, weight)
      await database.query(
        `UPDATE public.task SET weight = $1::text::numeric WHERE id IN (SELECT json_array_elements_text($2::json)::uuid)`,
        [weight, JSON.stringify(ids)],
      )
      const committedMs = performance.now()
      return (await seen) - committedMs
    }
    const touched: number[] = []
    const untouched: number[] = []
    for (let round = 1; round <= ROUNDS; round++) untouched.push(await arrival([other], round))
    for (let round = 1; round <= ROUNDS; round++) touched.push(await arrival(tasks.slice(0, pending), round))
    touchedMs.push(median(touched))
    untouchedMs.push(median(untouched))
  }
  if (replica.status.pending !== PENDING[2]) throw new Error(`${replica.status.pending} mutations are pending.`)
  await replica.close()
  await gate.dispose()
  await database.close()
  const from = `from its commit to a query of the replica, median of ${ROUNDS}`
  return PENDING.flatMap((pending, index) => {
    const before = PENDING[index - 1]
    const atMost = before === undefined ? null : { atMost: ((touchedMs[index - 1] ?? 0) * pending) / before }
    const still = index === 0 ? null : { atMost: 2 * (untouchedMs[0] ?? 0) }
    return [
      figure(
        `rebase.${pending}_ms`,
        touchedMs[index] ?? Number.NaN,
        'ms',
        atMost,
        `a transaction that touches the rows of all ${pending} pending patches, ${from}`,
      ),
      figure(
        `rebase.untouched.${pending}_ms`,
        untouchedMs[index] ?? Number.NaN,
        'ms',
        still,
        `a transaction of one row that none of ${pending} pending patches touches, ${from}`,
      ),
    ]
  })
}

/** Answers the time at which all of these tasks have the weight. */
async function seenAt(replica: Replica<typeof sync>, ids: readonly string[], weight: string): Promise<number> {
  const last = ids.at(-1) ?? ''
  let lsn = replica.status.lsn
  return new Promise<number>((resolve, reject) => {
    const look = async () => {
      const { rows } = await replica.db.query('SELECT FROM public.task WHERE id = $1 AND weight = $2', [last, weight])
      if (rows.length === 0) return
      unsubscribe()
      resolve(performance.now())
    }
    const unsubscribe = replica.subscribe((status) => {
      if (status.lsn === lsn) return
      lsn = status.lsn
      look().catch(reject)
    })
  })
}
