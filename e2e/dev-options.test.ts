import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { accessDatabase } from '../cli/database.ts'
import { embeddedBinaries } from '../cli/postgres/postgres-binaries.ts'
import { type PostgresServer, startPostgresServer } from '../cli/postgres/postgres-server.ts'
import { type DevServer, startDev } from '../testing/browser/start-dev.ts'
import { type BackgroundCommand, startCommand } from '../testing/cli/background-command.ts'
import { makeTemplateApp } from '../testing/cli/template-app.ts'
import { freePort } from '../testing/postgres/free-port.ts'
import { FAST_SETTINGS } from '../testing/postgres/global-setup.ts'
import { until } from '../testing/system/until.ts'
import type { ReplicationHealth } from '../workers/contracts.ts'
import { withDatabase } from '../workers/database/index.ts'

type Rows = Record<string, string | null>[]
type Query = (text: string) => Promise<Rows>

/** These are whole runs of the command on a small app; each test goes on from the last, so that they are one file. */
const folder = mkdtempSync(join(tmpdir(), 'tidemark-dev-'))
const dataDir = join(folder, 'data')
const seededApp = makeTemplateApp()
seededApp.save('seed.sql', `INSERT INTO task (team, title) SELECT 'red', 'task ' || n FROM generate_series(1, 50) AS n`)
let postgres: PostgresServer
let dev: DevServer | null = null

beforeAll(async () => {
  postgres = await startPostgresServer({
    binDirectory: embeddedBinaries(),
    dataDirectory: join(folder, 'theirs'),
    port: await freePort(),
    password: 'theirs',
    settings: FAST_SETTINGS,
  })
})
afterAll(async () => {
  await dev?.stop()
  seededApp.remove()
  await postgres?.stop()
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
})

async function start(...more: string[]): Promise<DevServer> {
  dev = await startDev({ app: seededApp.folder, dataDir, port: 0, more })
  return dev
}

async function stop(): Promise<void> {
  const ending = dev
  dev = null
  await ending?.stop()
}

const query = (text: string) =>
  withDatabase(dev?.env ?? { DATABASE_URL: '' }, (database) => database.query(text), { applicationName: 'test' })

/** Queries the user's own database, without dev. */
async function withTheirs(run: (query: Query) => Promise<Rows>, database = 'theirs'): Promise<Rows> {
  const access = await accessDatabase(postgres.url(database))
  try {
    return await withDatabase(access.env, ({ query }) => run(query))
  } finally {
    await access.close()
  }
}

/** Answers the epoch once capture runs. */
const epoch = () =>
  until(async () => {
    const answer = await fetch(`${dev?.url}/health/replication`, {
      headers: { authorization: `Bearer ${dev?.adminToken}` },
    })
    const health = (await answer.json()) as ReplicationHealth
    return health.status !== 'fail' && health.epoch
  })

const count = async (condition = 'true') => {
  const [row] = await query(`SELECT count(*)::text AS rows FROM public.task WHERE ${condition}`)
  return Number(row?.rows)
}

test('CLI-R15 dev --reset begins anew with rows and epoch, and keeps secrets and what others put there', async () => {
  const first = await start()
  const [before, seeded] = [await epoch(), await count()]
  expect(seeded).toBeGreaterThan(0)
  await query(`UPDATE public.task SET title = 'changed'`)
  await stop()
  writeFileSync(join(dataDir, 'notes.txt'), 'mine')

  const reset = await start('--reset')
  expect(await count(`title = 'changed'`)).toBe(0)
  expect(await count()).toBe(seeded)
  expect(await epoch()).not.toBe(before)
  expect(reset.adminToken).toBe(first.adminToken)
  expect(existsSync(join(dataDir, 'notes.txt'))).toBe(true)
  await stop()
})

test('CLI-R15 CLI-R9 dev --database-url works in that database alone, and --reset leaves its rows', async () => {
  rmSync(dataDir, { recursive: true })
  await withTheirs((sql) => sql('CREATE DATABASE theirs'), 'postgres')
  const url = postgres.url('theirs')
  const first = await start('--database-url', url)
  expect(existsSync(join(dataDir, 'postgres'))).toBe(false)
  expect(first.said).not.toContain('theirs@')
  expect(first.said).not.toContain('Starting Postgres')
  const seeded = await count()
  expect(seeded).toBeGreaterThan(0)
  await epoch()
  await query(`UPDATE public.task SET title = 'changed'`)
  await stop()
  // The user's own Postgres runs on, with its rows.
  expect(await withTheirs((sql) => sql(`SELECT count(*)::text AS n FROM public.task WHERE title = 'changed'`))).toEqual(
    [{ n: String(seeded) }],
  )

  await start('--database-url', url, '--reset')
  expect(await count(`title = 'changed'`)).toBe(seeded)
  await epoch()
  await stop()
})

/** A small app, in whose modules its author makes mistakes. */
const app = makeTemplateApp()
const SYNC = app.read('sync.ts')
const sync = (options: string) => SYNC.replace("prefix: 'team' }", `prefix: 'team' }, ${options}`)
const WORKER = app.read('worker.ts').replace(
  'export default worker',
  `export default {
  ...worker,
  fetch: (request, env, context) =>
    request.url.endsWith('/served') ? Response.json(sync.tables.task.priority ?? null)
    : request.url.endsWith('/secrets') ? Response.json([env.APP_SECRET, env.JWT_SECRET]) : worker.fetch(request, env, context),
}`,
)
let command: BackgroundCommand | null = null
let ports: { page: number; postgres: number }
afterAll(async () => {
  await command?.stop()
  app.remove()
})

async function startOnApp(): Promise<BackgroundCommand> {
  ports = { page: await freePort(), postgres: await freePort() }
  const args = ['--port', String(ports.page), '--postgres-port', String(ports.postgres)]
  command = startCommand(process.execPath, ['dist/cli/main.js', 'dev', app.folder, ...args], {
    cwd: process.cwd(),
    env: { ...process.env, DATABASE_URL: undefined },
  })
  return command
}

/** Answers the command lines of processes that run on the app's folder. */
const processesOfApp = () =>
  execFileSync('ps', ['-eo', 'stat=,args='], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.includes(app.folder) && !line.startsWith('Z'))

async function appQuery(text: string): Promise<Rows> {
  const password = readFileSync(join(app.folder, '.tidemark', 'postgres-password'), 'utf8').trim()
  const access = await accessDatabase(`postgres://postgres:${password}@127.0.0.1:${ports.postgres}/app`)
  try {
    return await withDatabase(access.env, (database) => database.query(text), { applicationName: 'test' })
  } finally {
    await access.close()
  }
}

const definitions = () => appQuery('SELECT count(*)::text AS definitions FROM tidemark.sync_definition')
/** Answers the priority in the sync module of the Worker that runs now. */
const served = async () => await (await fetch(`http://127.0.0.1:${ports.page}/served`)).json()
const times = (text: string) => (command?.output().split(text).length ?? 0) - 1

test.each(['SIGINT', 'SIGTERM'] as const)(
  'FLD-41 CLI-R8 dev on a module that is refused says why, keeps Postgres up, and %s ends all of it',
  async (signal) => {
    app.save('worker.ts', WORKER)
    app.save('sync.ts', sync("write: 'al'"))
    const waiting = await startOnApp()
    const said = await waiting.until(/goes on by itself/)
    expect(said).toMatch(/tidemark: \S+sync\.ts does not load: .*write is "al".*did you mean all\?/)
    expect(await appQuery('SELECT 1 AS up')).toEqual([{ up: '1' }])
    waiting.signal(signal)
    expect(await waiting.ended).toBe('exit code 0')
    expect(waiting.output()).not.toContain('Worker')
    expect(processesOfApp()).toEqual([])
    expect(existsSync(join(app.folder, '.tidemark', 'running.json'))).toBe(false)
  },
)

test('FLD-41 CLI-R16 CLI-R9 dev that waits at start takes each save, and starts with the one that is right and the secrets of .dev.vars', async () => {
  app.save('.dev.vars', 'APP_SECRET=of-the-app\nJWT_SECRET=not-taken\n')
  app.save('sync.ts', `${SYNC}\nexport const = 1`)
  const waiting = await startOnApp()
  await waiting.until(/sync\.ts does not load: [\s\S]*sync\.ts:\d+:\d+: ERROR: [\s\S]*goes on by itself/)
  app.save('sync.ts', sync("hidden: ['titel']"))
  await waiting.until(/sync\.ts was not put in force: [\s\S]*titel/)
  app.save('sync.ts', sync('priority: 1'))
  await waiting.until(/Tidemark is ready\./)
  expect(await served()).toBe(1)
  const made = readFileSync(join(app.folder, '.tidemark', 'jwt-secret'), 'utf8').trim()
  expect(await (await fetch(`http://127.0.0.1:${ports.page}/secrets`)).json()).toEqual(['of-the-app', made])
  expect(await definitions()).toEqual([{ definitions: '1' }])
})

test.each([
  ['an option', () => sync("write: 'al'"), /sync\.ts does not load: .*write is "al"/, 2],
  ['the syntax', () => `${SYNC}\nexport const = 1`, /sync\.ts does not load: [\s\S]*sync\.ts:\d+:\d+/, 3],
  ['what it does as it loads', () => `${SYNC}\nthrow new Error('slipped')`, /sync\.ts does not load: slipped/, 4],
  [
    'a column',
    () => SYNC.replace("done: boolean('done')", "done: boolean('doen')"),
    /sync\.ts was not put in force: .*doen/,
    5,
  ],
])(
  'FLD-41 CLI-R16 a slip in %s, saved while dev runs, leaves in force what was until it is mended',
  async (_, slip, message, next) => {
    const before = await served()
    const [waits, installed] = [times('goes on by itself'), await definitions()]
    app.save('sync.ts', slip())
    await until(() => times('goes on by itself') > waits)
    const said = command?.output().split('goes on by itself').at(-2) ?? ''
    expect(said).toMatch(message)
    expect(await served()).toBe(before)
    expect(await definitions()).toEqual(installed)
    app.save('sync.ts', sync(`priority: ${next}`))
    await until(async () => (await served()) === next)
    expect(await definitions()).toEqual([{ definitions: String(next) }])
    expect(times('goes on by itself')).toBe(waits + 1)
  },
)

test('FLD-41 a definition whose column is not there yet goes in with the migration that makes it', async () => {
  app.save(
    'sync.ts',
    sync('priority: 6').replace("done: boolean('done')", "note: text('note'),\n  done: boolean('done')"),
  )
  await until(() => /was not put in force: .*note/.test(command?.output() ?? ''))
  expect(await served()).toBe(5)
  app.save('migrations/0002_note.sql', 'ALTER TABLE task ADD note text;')
  await until(async () => (await served()) === 6)
  expect(command?.output()).toContain('Applied 0002_note.sql')
  expect(await definitions()).toEqual([{ definitions: '6' }])
})

test('MIG-15 CLI-R16 a migration saved by itself is applied, and one that says nothing yet waits until it does', async () => {
  app.save('migrations/0003_index.sql', '-- Runs in one transaction, once.\n')
  await until(() => (command?.output() ?? '').includes('0003_index.sql holds no statement yet'))
  app.save('migrations/0003_index.sql', 'CREATE INDEX task_note ON task (note);')
  await until(() => (command?.output() ?? '').includes('Applied 0003_index.sql'))
  // Replicas have the index too, by a version of its own.
  expect(await definitions()).toEqual([{ definitions: '7' }])
  expect(await served()).toBe(6)
})

test('MIG-15 CLI-R29 CLI-R16 a class of TypeORM saved while dev runs is applied, once it can be; a slip in it is told', async () => {
  const name = '1732000000000-AddSize.ts'
  const classOf = (up: string) => `import { MigrationInterface, QueryRunner } from 'typeorm'
export class AddSize1732000000000 implements MigrationInterface {
  public async up(queryRunner: QueryRunner): Promise<void> {
    ${up}
  }
  public async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE task DROP size')
  }
}`
  app.save(`migrations/${name}`, classOf(`const [row] = await queryRunner.query('SELECT 1 AS one')`))
  const waits = times('goes on by itself')
  app.save(
    'sync.ts',
    sync('priority: 7').replace(
      "done: boolean('done')",
      "note: text('note'),\n  size: text('size'),\n  done: boolean('done')",
    ),
  )
  await until(() => times('goes on by itself') > waits)
  expect(command?.output().split('goes on by itself').at(-2)).toMatch(`${name} reads`)
  expect(await served()).toBe(6)
  const up = `await queryRunner.query('ALTER TABLE task ADD size text')
    await queryRunner.query('UPDATE task SET size = $1', ['small'])`
  app.save(`migrations/${name}`, classOf(up))
  await until(async () => (await served()) === 7)
  expect(command?.output()).toContain(`Applied ${name}`)
  // Its rows come by a version of their own, before the one that the app declares.
  expect(await definitions()).toEqual([{ definitions: '9' }])
})

test('FLD-41 CLI-R8 a Worker that does not start leaves the one before; SIGTERM then ends all of it', async () => {
  const slip = `${WORKER}\nthrow new Error('slipped')`
  // The empty text stands for an editor that empties a file before it writes it.
  for (const text of ['', slip]) {
    const [told, mended] = [times('The Worker does not build or start'), times('Mended')]
    app.save('worker.ts', text)
    await until(() => times('The Worker does not build or start') > told)
    expect(await served()).toBe(7)
    app.save('worker.ts', WORKER)
    await until(() => times('Mended') > mended)
    expect(await served()).toBe(7)
  }
  const told = times('The Worker does not build or start')
  app.save('worker.ts', slip)
  await until(() => times('The Worker does not build or start') > told)
  command?.signal('SIGTERM')
  expect(await command?.ended).toBe('exit code 0')
  expect(processesOfApp()).toEqual([])
})
