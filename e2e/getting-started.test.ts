import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { claimPort } from '../cli/postgres/free-port.ts'
import { type BackgroundCommand, startCommand } from '../testing/cli/background-command.ts'
import { type PackedPackage, packPackage } from '../testing/cli/packed-app.ts'
import { readGuide } from '../testing/cli/read-guide.ts'

/** Follows the guide to the letter, with the packed package for a published one; each test goes on from the last. */
const blocks = readGuide('getting-started.md')
const [make = [], serve = [], replicate = [], change = [], examine = []] = blocks
  .filter((block) => block.language === 'sh')
  .map((block) => block.text.trim().split('\n'))
const files = blocks.filter((block) => block.title !== null)
const [insert = '', update = ''] = blocks
  .filter((block) => block.language === 'sql' && block.title === null)
  .map((block) => block.text)

let packed: PackedPackage
let app: string
let dev: BackgroundCommand
let replica: BackgroundCommand
let port: number
let postgresPort: number
let epoch: string

beforeAll(async () => {
  packed = packPackage()
  app = packed.folder
  port = await claimPort('0', '')
  postgresPort = await claimPort('0', '')
})
afterAll(async () => {
  await replica?.stop()
  await dev?.stop()
  packed?.remove()
})

const run = (command: string, args: readonly string[]) =>
  execFileSync(command, args, { cwd: app, env: { ...packed.env }, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })

/** Runs one command line of the guide to its end. */
function follow(line: string): void {
  const [command = '', ...args] = line.split(' ')
  if (line === `cd ${args[0]}`) app = join(app, args[0] ?? '')
  else if (line.startsWith('npx tidemark init ')) run('node', [packed.main, ...args.slice(1)])
  else if (line === 'npm install') run('npm', ['install', packed.tarball])
  else run(command, args)
}

/** Starts a command line of the guide that keeps running. */
function start(line: string, ...more: string[]): BackgroundCommand {
  const [command = '', ...args] = line.split(' ')
  return startCommand(command, [...args, ...more], { cwd: app, env: packed.env })
}

const startDev = () => start(serve[0] ?? '', '--port', String(port), '--postgres-port', String(postgresPort))

function sql(text: string): unknown {
  const [command = '', ...args] = (change[0] ?? '').split(' ')
  return JSON.parse(run(command, [...args, '--json', text]))
}

async function replication(): Promise<{ status: string; epoch: string }> {
  const token = readFileSync(join(app, '.tidemark', 'admin-token'), 'utf8').trim()
  const answer = await fetch(`http://127.0.0.1:${port}/health/replication`, {
    headers: { authorization: `Bearer ${token}` },
  })
  return (await answer.json()) as { status: string; epoch: string }
}

/** Answers the command lines of processes that run from, or on, the app's folder. */
function processesOfApp(): string[] {
  const all = execFileSync('ps', ['-eo', 'stat=,args='], { encoding: 'utf8' }).split('\n')
  return all.filter((line) => line.includes(app) && !line.startsWith('Z'))
}

test('CLI-R10 CLI-R11 init and npm install make the app that the guide shows', () => {
  for (const line of make) follow(line)
  expect(files.length).toBeGreaterThan(3)
  for (const { title, text } of files) expect(readFileSync(join(app, title ?? ''), 'utf8')).toBe(text)
})

test('CLI-R11 the installed package has types, entries and a command that runs on the Node of the path', () => {
  run('npm', ['run', 'check'])
  for (const entry of ['tidemark/db', 'tidemark/client', 'tidemark/protocol', 'tidemark/server']) {
    run('node', ['--input-type=module', '-e', `await import('${entry}')`])
  }
  expect(run('node', [join('node_modules', 'tidemark', 'dist', 'cli', 'main.js'), '--version']).trim()).toBe('0.1.0')
})

test('OPS-05 the first start makes the schema and serves the app; a replica is ready and empty', async () => {
  dev = startDev()
  const output = await dev.until(/Tidemark is ready\.[\s\S]*Stop /)
  expect(output).toContain('Applied 0001_task.sql')
  expect(output).toContain(`http://localhost:${port}/`)
  const health = await replication()
  expect(health.status, JSON.stringify(health)).not.toBe('fail')
  replica = start(replicate[0] ?? '')
  await replica.until(/The red team has 0 tasks\./)
})

test('OPS-05 OPS-09 rows written with SQL reach the replica in Node, and only its audience', async () => {
  sql(insert)
  await replica.until(/The red team has 2 tasks\./)
  sql(update)
  await replica.until(/Say hello\W+true/)
  expect(replica.output()).not.toContain('Never seen by red')
  epoch = (await replication()).epoch
  expect(epoch).toMatch(/^[\w-]{16}$/)
})

test('OPS-04 CLI-R12 doctor finds nothing that fails', () => {
  const [command = '', ...args] = (examine[0] ?? '').split(' ')
  const output = run(command, args)
  expect(output).not.toContain('FAIL')
})

test('CLI-R9 what dev prints holds no secret of the Worker', () => {
  for (const name of ['admin-token', 'jwt-secret']) {
    const secret = readFileSync(join(app, '.tidemark', name), 'utf8').trim()
    expect(secret.length).toBeGreaterThan(20)
    expect(dev.output()).not.toContain(secret)
  }
})

test('CLI-R2 a second dev on the same folder says who runs there, and leaves it alone', async () => {
  const second = start(serve[0] ?? '', '--port', '0', '--postgres-port', '0')
  expect(await second.ended).toBe('exit code 1')
  expect(second.output()).toContain('already runs on this data folder')
  expect((await fetch(`http://127.0.0.1:${port}/health`)).status).toBe(200)
})

test('CLI-R8 SIGTERM ends every process of dev', async () => {
  await replica.stop()
  expect(processesOfApp().join('\n')).toMatch(/postgres[\s\S]*workerd|workerd[\s\S]*postgres/)
  dev.signal('SIGTERM')
  await dev.ended
  await expect.poll(processesOfApp, { timeout: 60_000 }).toEqual([])
  expect(existsSync(join(app, '.tidemark', 'running.json'))).toBe(false)
})

test('CLI-R7 the second start resumes: rows, secrets and epoch are those of the first, and a replica converges', async () => {
  const before = readFileSync(join(app, '.tidemark', 'admin-token'), 'utf8')
  dev = startDev()
  const output = await dev.until(/Tidemark is ready\.[\s\S]*Stop /)
  expect(output).toContain('Migrations: nothing to apply.')
  expect(readFileSync(join(app, '.tidemark', 'admin-token'), 'utf8')).toBe(before)
  replica = start(replicate[0] ?? '')
  await replica.until(/The red team has 2 tasks\./)
  sql("INSERT INTO task (team, title) VALUES ('red', 'After a restart')")
  await replica.until(/After a restart/)
  expect(sql('SELECT id FROM tidemark.epoch')).toEqual([{ id: epoch }])
  expect((await replication()).epoch).toBe(epoch)
})

test('CLI-R8 what a killed dev left is ended by the next start, and Ctrl-C ends that', async () => {
  await replica.stop()
  const child = processesOfApp().length
  expect(child).toBeGreaterThan(1)
  const { pid } = JSON.parse(readFileSync(join(app, '.tidemark', 'running.json'), 'utf8')) as { pid: number }
  process.kill(pid, 'SIGKILL')
  await dev.ended
  dev = startDev()
  await dev.until(/Tidemark is ready\.[\s\S]*Stop /)
  dev.interrupt()
  await dev.ended
  await expect.poll(processesOfApp, { timeout: 60_000 }).toEqual([])
})
