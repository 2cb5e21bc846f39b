import { afterAll, expect, test } from 'vitest'
import { useEmptyDatabase } from '../../testing/cli/create-empty-database.ts'
import { makeApp } from '../../testing/cli/make-app.ts'
import { runCommand } from '../../testing/cli/run-command.ts'
import { servers } from '../../testing/postgres/servers.ts'

const app = makeApp()
const database = useEmptyDatabase(servers().embedded)
afterAll(() => app.remove())
const doctor = () => runCommand(['doctor', app.folder], { DATABASE_URL: database.url })

test('OPS-04 CLI-R12 an empty database fails, and the remedy is the next command', async () => {
  const result = await doctor()
  expect(result).toMatchObject({ code: 1, stderr: '' })
  expect(result.stdout).toContain('FAIL  own-schema')
  expect(result.stdout).toContain('tidemark migrate')
  expect(result.stdout).not.toContain('tidemark@')
})

test('OPS-04 CLI-R12 after tidemark migrate nothing of the schema fails; a changed identity is found, with its remedy', async () => {
  expect((await runCommand(['migrate', app.folder], { DATABASE_URL: database.url })).code).toBe(0)
  const ready = await doctor()
  expect(ready.stdout).not.toMatch(/FAIL {2}(own-schema|publication|client-role|client-columns|sync-definition)/)
  await database.query('ALTER TABLE public.note REPLICA IDENTITY DEFAULT')
  const result = await doctor()
  expect(result.code).toBe(1)
  expect(result.stdout).toContain('REPLICA IDENTITY FULL')
})
