import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startProcess, type TalkingProcess } from '../testing/replica/talking-process.ts'
import { sync } from '../testing/rights/sync.ts'
import { type System, startSystem } from '../testing/system/start-system.ts'
import type { Database } from '../workers/database/index.ts'

const PROGRAM = fileURLToPath(new URL('../testing/replica/replica-process.ts', import.meta.url))
const BUN = fileURLToPath(new URL('../node_modules/.bin/bun', import.meta.url))

let system: System
let database: Database
const folder = mkdtempSync(join(tmpdir(), 'tidemark-runtimes-'))

beforeAll(async () => {
  system = await startSystem({
    app: {
      sync,
      syncModule: new URL('../testing/rights/sync.ts', import.meta.url),
      audiencesModule: new URL('../testing/rights/audiences.ts', import.meta.url),
      migrations: new URL('../testing/rights/migrations/', import.meta.url),
    },
  })
  database = await system.openDatabase()
  await database.query(`INSERT INTO public.membership VALUES ('node', 'a'), ('bun', 'a')`)
  await database.query(`INSERT INTO public.item SELECT 'a' || n, 'a', 'first' FROM generate_series(1, 2000) n`)
})
afterAll(async () => {
  await database?.close()
  await system?.dispose()
  rmSync(folder, { recursive: true, force: true })
})

describe.each([
  ['node', process.execPath],
  ['bun', BUN],
])('the client in %s', (runtime, command) => {
  const open = async (): Promise<TalkingProcess> => {
    const token = await system.token({ userId: runtime, audiences: [] })
    return startProcess(command, [PROGRAM, system.url, runtime, token, join(folder, runtime)])
  }
  /** Compares the rows that this user may see with those that their replica shows once it has all of them. */
  async function compare(replica: TalkingProcess) {
    const orgs = await database.query('SELECT org_id FROM public.membership WHERE user_id = $1', [runtime])
    const audiences = [`user:${runtime}`, ...orgs.map(({ org_id }) => `org:${org_id}`)]
    const expected = await database.query(
      `SELECT id, org_id, title FROM public.item JOIN public.membership USING (org_id) WHERE user_id = $1 ORDER BY id COLLATE "C"`,
      [runtime],
    )
    expect(await replica.ask(audiences.sort().join())).toEqual(expected)
  }

  it('OPS-09 hydrates, follows, takes over rights, and resumes from its directory, also after a kill', async () => {
    let replica = await open()
    expect(await replica.line()).toEqual({ runtime, ready: false, rows: 0 })
    await compare(replica)

    await database.query(`UPDATE public.item SET title = 'second ' || $1 WHERE id LIKE 'a1%'`, [runtime])
    await database.query(`INSERT INTO public.item VALUES ($1, 'b', 'granted')`, [`b-${runtime}`])
    await database.query(`INSERT INTO public.membership VALUES ($1, 'b')`, [runtime])
    await compare(replica)

    await replica.end()
    await database.query(
      `DELETE FROM public.item WHERE id IN (SELECT id FROM public.item WHERE org_id = 'a' LIMIT 100)`,
    )
    replica = await open()
    expect(await replica.line()).toMatchObject({ runtime, ready: true })
    await compare(replica)

    await replica.kill()
    await database.query(`DELETE FROM public.membership WHERE user_id = $1 AND org_id = 'b'`, [runtime])
    replica = await open()
    expect(await replica.line()).toMatchObject({ runtime, ready: true })
    await compare(replica)
    await replica.end()
  })
})
