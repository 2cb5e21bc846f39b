import { afterAll, expect, test } from 'vitest'
import { startCommand } from '../../testing/cli/background-command.ts'
import { useEmptyDatabase } from '../../testing/cli/create-empty-database.ts'
import { makeApp } from '../../testing/cli/make-app.ts'
import { runCommand } from '../../testing/cli/run-command.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { until } from '../../testing/system/until.ts'
import { openDatabase } from '../../workers/database/index.ts'

const app = makeApp()
const database = useEmptyDatabase(servers().embedded)
afterAll(() => app.remove())

test('MIG-08 CLI-R3 a run that is killed between two statements leaves neither file nor definition; the next one does both', async () => {
  const env = { DATABASE_URL: database.url }
  expect(await runCommand(['migrate', app.folder], env)).toMatchObject({ code: 0, stderr: '' })
  app.write({
    'migrations/0002_half.sql':
      'ALTER TABLE note RENAME body TO text;\n--> statement-breakpoint\nSELECT pg_advisory_xact_lock(7);\n--> statement-breakpoint\nALTER TABLE note RENAME text TO body',
  })
  // The second statement waits for this until the run is killed.
  const holder = await openDatabase({ DATABASE_URL: database.url, DATABASE_PROXY: servers().embedded.proxy })
  await holder.query('SELECT pg_advisory_lock(7)')
  const main = new URL('../main.ts', import.meta.url).pathname
  const running = startCommand(process.execPath, [main, 'migration:run', app.folder], {
    cwd: app.folder,
    env: { ...process.env, ...env },
  })
  const waiting = async () =>
    (
      await database.query(
        `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory' AND query LIKE 'SELECT pg_advisory_xact_lock%'`,
      )
    ).length > 0
  await until(waiting)
  running.signal('SIGKILL')
  await running.ended
  await holder.close()
  const state = async () =>
    await database.query(
      `SELECT (SELECT string_agg(name, ',') FROM tidemark.app_migration WHERE name NOT LIKE 'tidemark:%') AS files,
         (SELECT count(*)::text FROM tidemark.sync_definition) AS versions`,
    )
  expect(await state()).toEqual([{ files: '0001_note.sql', versions: '1' }])
  // It waits until the server has noticed that the one before is gone.
  const next = await runCommand(['migrate', app.folder], env)
  expect(next).toMatchObject({ code: 0, stderr: '' })
  expect(next.stdout).toContain('Applied 0002_half.sql')
})
