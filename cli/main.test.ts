import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { makeApp, NOTE_APP } from '../testing/cli/make-app.ts'
import { runCommand } from '../testing/cli/run-command.ts'

// Each test starts processes, on a machine that may be busy.
vi.setConfig({ testTimeout: 60_000 })

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tidemark-cli-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

test('MIG-17 help and version answer with exit code 0', async () => {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  const results = await Promise.all([
    runCommand(['--help']),
    runCommand([]),
    runCommand(['dev', '--help']),
    runCommand(['-v']),
  ])
  expect(results.map((result) => result.code)).toEqual([0, 0, 0, 0])
  expect(results[0]?.stdout).toContain('tidemark <command>')
  expect(results[2]?.stdout).toContain('--postgres-port <port>')
  expect(results[3]?.stdout.trim()).toBe(version)
})

test.each([
  [['nope'], 'unknown command nope'],
  [['--nope'], 'unknown option --nope'],
  [['migrate', '--nope'], 'unknown option --nope'],
  [['dev', '--port'], '--port needs a value'],
  [['init'], 'folder is missing'],
])('CLI-R1 tidemark %j is refused with exit code 2', async (args, message) => {
  const result = await runCommand(args)
  expect(result).toMatchObject({ code: 2, stdout: '' })
  expect(result.stderr).toContain(message)
})

test.each([
  [['migrate'], {}, 'Set DATABASE_URL, or pass --database-url'],
  ...['migration:run', 'migration:status', 'migration:revert', 'migration:adopt'].map(
    (name): [string[], Record<string, string>, string] => [
      [name],
      { DATABASE_URL: 'postgres://x:secret@127.0.0.1:1/a' },
      'No database answers at postgres://x@127.0.0.1:1/a (ECONNREFUSED)',
    ],
  ),
  [['migration:cleanup', '0001_note', '--folder'], {}, 'Set DATABASE_URL, or pass --database-url'],
  [['doctor'], {}, 'Set DATABASE_URL, or pass --database-url'],
  [['doctor'], { DATABASE_URL: 'mysql://x:secret@localhost/a' }, 'must look like postgres://'],
  [
    ['doctor'],
    { DATABASE_URL: 'postgres://x:secret@127.0.0.1:1/a' },
    'No database answers at postgres://x@127.0.0.1:1/a (ECONNREFUSED)',
  ],
])(
  'MIG-17 CLI-R2 %j without a usable database says so in one message, without the password',
  async (args, env, message) => {
    const app = makeApp()
    try {
      const result = await runCommand(args[0]?.startsWith('migrat') ? [...args, app.folder] : args, env)
      expect(result.code).toBe(1)
      expect(result.stderr).toContain(message)
      expect(result.stderr).not.toContain('secret')
      expect(result.stderr).not.toContain('    at ')
    } finally {
      app.remove()
    }
  },
)

test('CLI-R13 a pooled connection string is refused before anything is opened', async () => {
  const result = await runCommand([
    'doctor',
    '--database-url',
    'postgres://a:b@ep-x-pooler.eu-central-1.aws.neon.tech/app',
  ])
  expect(result.code).toBe(1)
  expect(result.stderr).toContain('Use the direct host: the same name without -pooler.')
})

test('CLI-R10 init writes an app, and nothing into a folder that holds anything', async () => {
  const app = join(folder, 'My App!')
  const made = await runCommand(['init', app])
  expect(made).toMatchObject({ code: 0, stderr: '' })
  expect(readdirSync(app).sort()).toEqual(
    [
      '.gitignore',
      'README.md',
      'migrations',
      'package.json',
      'replica.ts',
      'sync.ts',
      'tsconfig.json',
      'worker.ts',
      'wrangler.toml',
    ].sort(),
  )
  expect(readFileSync(join(app, 'wrangler.toml'), 'utf8')).toContain('name = "my-app"')
  expect(JSON.parse(readFileSync(join(app, 'package.json'), 'utf8'))).toMatchObject({ name: 'my-app', type: 'module' })
  const lines = ['sync.ts', 'worker.ts'].map((name) => readFileSync(join(app, name), 'utf8').split('\n').length)
  expect((lines[0] ?? 0) + (lines[1] ?? 0)).toBeLessThan(40)

  const full = join(folder, 'full')
  mkdirSync(full)
  writeFileSync(join(full, 'kept'), '')
  const refused = await runCommand(['init', full])
  expect(refused.code).toBe(1)
  expect(refused.stderr).toContain('is not empty')
  expect(readdirSync(full)).toEqual(['kept'])
})

test.each(['cli/template', 'cli/template-page/common', '.'])(
  'OPS-R18 wrangler.toml in %s keeps logs, without a line for each call, and a sample of traces',
  (path) => {
    const text = readFileSync(join(path, 'wrangler.toml'), 'utf8')
    expect(text).toContain('[observability.logs]\nenabled = true\ninvocation_logs = false\n')
    expect(text).toContain('[observability.traces]\nenabled = true\nhead_sampling_rate = 0.05\n')
  },
)

test('CLI-R2 dev in a folder that is no app starts nothing', async () => {
  const nothing = await runCommand(['dev', folder])
  expect(nothing.code).toBe(1)
  expect(nothing.stderr).toContain('There is no sync.ts')
  expect(existsSync(join(folder, '.tidemark'))).toBe(false)
})

test('CLI-R2 a module that does not load, or exports no definition, is refused by migrate', async () => {
  const broken = makeApp({ ...NOTE_APP, 'sync.ts': 'import { nope } from "./nope.ts"\nexport const sync = nope' })
  const empty = makeApp({ ...NOTE_APP, 'sync.ts': 'export const other = 1' })
  const env = { DATABASE_URL: 'postgres://x@127.0.0.1:1/a' }
  try {
    const [unresolved, without] = await Promise.all([
      runCommand(['migrate', broken.folder], env),
      runCommand(['migrate', empty.folder], env),
    ])
    expect(unresolved.code).toBe(1)
    expect(unresolved.stderr).toContain('Could not resolve "./nope.ts"')
    expect(without.stderr).toContain('must export const sync = defineSync')
  } finally {
    broken.remove()
    empty.remove()
  }
})

test('CLI-R2 a port in use is named, with the option that changes it', async () => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? String(address.port) : ''
  const app = makeApp()
  try {
    const page = await runCommand(['dev', app.folder, '--port', port])
    expect(page.code).toBe(1)
    expect(page.stderr).toContain(`Port ${port} is in use`)
    expect(page.stderr).toContain('--port <port>')
    const postgres = await runCommand(['dev', app.folder, '--port', '0', '--postgres-port', port])
    expect(postgres.code).toBe(1)
    expect(postgres.stderr).toContain('--postgres-port <port>')
    const wrong = await runCommand(['dev', app.folder, '--port', 'eighty'])
    expect(wrong.stderr).toContain('--port must be a port from 0')
    // Nothing is left that would keep the next start from using this folder.
    expect(existsSync(join(app.folder, '.tidemark', 'running.json'))).toBe(false)
  } finally {
    app.remove()
    server.close()
  }
})

test('CLI-R2 a data folder of another Postgres version is refused', async () => {
  const app = makeApp()
  app.write({ '.tidemark/postgres/PG_VERSION': '13\n' })
  try {
    const result = await runCommand(['dev', app.folder, '--port', '0', '--postgres-port', '0'])
    expect(result.code).toBe(1)
    expect(result.stderr).toContain('was made by Postgres 13')
    expect(result.stderr).toContain('--reset')
  } finally {
    app.remove()
  }
})
