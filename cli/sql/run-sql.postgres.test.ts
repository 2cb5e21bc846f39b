import { spawn } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import { useEmptyDatabase } from '../../testing/cli/create-empty-database.ts'
import { makeApp } from '../../testing/cli/make-app.ts'
import { runCommand } from '../../testing/cli/run-command.ts'
import { servers } from '../../testing/postgres/servers.ts'

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url))
const database = useEmptyDatabase(servers().embedded)
const folder = mkdtempSync(join(tmpdir(), 'tidemark-sql-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const sql = (...args: string[]) => runCommand(['sql', ...args], { DATABASE_URL: database.url })

/** Runs it with a text as its input, at a terminal where `around` starts one. */
async function fed(input: string, around?: (command: string) => [string, string[]]): Promise<string> {
  const [file, args] = around?.(`'${process.execPath}' '${MAIN}' sql`) ?? [process.execPath, [MAIN, 'sql']]
  const child = spawn(file, args, {
    env: { ...process.env, DATABASE_URL: database.url },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  child.stdin.end(input)
  return await text(child.stdout)
}

test('CLI-R37 statements together are one transaction, and one that fails says so in the words of Postgres', async () => {
  const made = await sql(
    `CREATE TABLE word (id int PRIMARY KEY, title text); INSERT INTO word VALUES (1, 'one'), (2, NULL)`,
  )
  expect(made).toMatchObject({ code: 0, stdout: 'CREATE\nINSERT 2\n', stderr: '' })
  expect((await sql('SELECT * FROM word ORDER BY id')).stdout).toBe(
    'id │ title\n───┼──────\n1  │ one\n2  │\n(2 rows)\n',
  )
  const failed = await sql(`UPDATE word SET title = 'lost'; INSERT INTO word VALUES (1, 'again')`)
  expect(failed).toMatchObject({ code: 1, stdout: '' })
  expect(failed.stderr).toContain(
    'duplicate key value violates unique constraint "word_pkey"\nKey (id)=(1) already exists.',
  )
  const shown = await sql('--json', 'SELECT title FROM word ORDER BY id')
  expect(JSON.parse(shown.stdout)).toEqual([{ title: 'one' }, { title: null }])
})

test('CLI-R37 it finds the database that dev served, and says where it looked', async () => {
  const nowhere = await runCommand(['sql', '--data-dir', folder, 'SELECT 1'])
  expect(nowhere).toMatchObject({ code: 1, stdout: '' })
  expect(nowhere.stderr).toContain(`has not served one from ${folder}`)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'worker.env'), `DATABASE_URL=${JSON.stringify(database.url)}\n`)
  const found = await runCommand(['sql', '--data-dir', folder, '--json', 'SELECT 1 AS one'])
  expect(found).toMatchObject({ code: 0, stdout: '[{"one":"1"}]\n' })

  const app = makeApp()
  onTestFinished(() => app.remove())
  cpSync(folder, join(app.folder, '.tidemark'), { recursive: true })
  const examined = await runCommand(['doctor', app.folder])
  expect(examined.stderr).toContain('On the database of tidemark dev')
  expect(examined.stdout).toContain('tidemark migrate')
})

test('CLI-R37 a pipe is run whole, a terminal statement by statement, where a fault ends nothing', async () => {
  expect(await fed(`SELECT 'a;b' AS text;\nSELECT 2 AS two`)).toBe('text\n────\na;b\n(1 row)\ntwo\n───\n2\n(1 row)\n')
  const spoken = await fed(`SELECT nope;\nSELECT 'over;\ntwo lines' AS text;\n\u0004`, (command) => [
    'script',
    ['--quiet', '--return', '--command', command, '/dev/null'],
  ])
  expect(spoken).toContain('column "nope" does not exist')
  expect(spoken).toContain('over;↵two lines')
})
