import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openReplica } from '../client/index.ts'
import { sync } from '../testing/oracle/app/sync.ts'
import { ORGS } from '../testing/oracle/workload-statements.ts'
import { type System, startSystem } from '../testing/system/start-system.ts'

let system: System
const folder = mkdtempSync(join(tmpdir(), 'tidemark-never-back-'))

beforeAll(async () => {
  system = await startSystem({
    app: {
      sync,
      syncModule: new URL('../testing/oracle/app/sync.ts', import.meta.url),
      migrations: new URL('../testing/oracle/app/migrations/', import.meta.url),
    },
    // Frames are so small that each commit takes several, so that it is applied by itself.
    workerOptions: { limits: { frameChars: 20_000 } },
  })
})
afterAll(async () => {
  await system?.dispose()
  rmSync(folder, { recursive: true, force: true })
})

function open(storage: string, audiences: string[]) {
  const token = () => system.token({ userId: 'ann', audiences })
  return openReplica({ url: system.url, user: 'ann', token, sync, storage })
}

async function write(sql: string): Promise<void> {
  const database = await system.openDatabase()
  await database.query(sql)
  await database.close()
}

describe('a replica that hydrates again', () => {
  it('ORA-02 DIS-21 is not taken back by a snapshot older than what it showed', async () => {
    const both = ['all', `org:${ORGS[0]}`]
    await write(`INSERT INTO public.setting (key, value) VALUES ('k', '1')`)
    const first = await open('memory://', both)
    await first.ready
    await first.close()

    const narrow = await open(join(folder, 'replica'), ['all'])
    await narrow.ready
    for (let version = 2; version <= 9; version++) {
      await write(`UPDATE public.setting SET value = to_jsonb(repeat('${version}', 60000))`)
    }
    await narrow.settled()
    const reached = narrow.status.lsn ?? ''
    await narrow.close()

    const wide = await open(join(folder, 'replica'), both)
    const positions: string[] = []
    const values: unknown[] = []
    wide.subscribe((status) => {
      if (status.lsn !== null) positions.push(status.lsn)
      void wide.db
        .query('SELECT left(value::text, 3) AS value FROM public.setting')
        .then(({ rows }) => values.push(rows))
    })
    await wide.settled()
    expect(wide.status.audiences.toSorted()).toEqual(both.toSorted())
    expect(positions.filter((lsn) => lsn < reached)).toEqual([])
    await wide.db.query('SELECT 1')
    expect(values.filter((rows) => JSON.stringify(rows) !== JSON.stringify([{ value: '"99' }]))).toEqual([])
    await wide.close()
  })
})
