import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { TidemarkError } from '../../protocol/errors.ts'
import { quoteIdentifier } from '../../protocol/sql-identifier.ts'
import { withDatabase } from '../../workers/database/index.ts'
import { accessDatabase } from '../database.ts'
import { embeddedBinaries } from '../postgres/postgres-binaries.ts'
import { startPostgresServer } from '../postgres/postgres-server.ts'
import { unprivileged } from '../postgres/unprivileged.ts'
import type { Cleanup } from './cleanup.ts'
import type { DataFolder } from './data-folder.ts'
import { isAlive, isProcess } from './running-process.ts'

export interface OwnPostgres {
  readonly url: string
  /** Settles when the server has ended, whatever the reason. */
  readonly ended: Promise<void>
}

const DATABASE = 'app'
const LEFTOVER_WAIT_MS = 15_000
const POLL_MS = 100

/** Starts the embedded Postgres of a data folder, with an empty database `app` the first time. Throws `misconfigured`. */
export async function startOwnPostgres(data: DataFolder, port: number, cleanup: Cleanup): Promise<OwnPostgres> {
  const binDirectory = embeddedBinaries()
  checkReachable(binDirectory)
  const server = await startPostgresServer({
    binDirectory,
    dataDirectory: data.postgres,
    port,
    password: data.postgresPassword,
  })
  cleanup.add(() => server.stop())
  await createDatabase(server.url('postgres'))
  return { url: server.url(DATABASE), ended: server.ended }
}

/** Postgres refuses root, and initdb refuses programs that its own user may not reach. Throws `misconfigured`. */
function checkReachable(binDirectory: string): void {
  const { owner, command } = unprivileged()
  if (owner === null) return
  const { file, args } = command('test', ['-x', join(binDirectory, 'initdb')])
  try {
    execFileSync(file, args, { stdio: 'ignore' })
  } catch (error) {
    throw new TidemarkError(
      'misconfigured',
      `Postgres does not run as root, and the user it runs as may not enter the folders that lead to ${binDirectory}. ` +
        'Run this as another user, move the app out of the closed folder, open it (chmod o+x), or give a --database-url.',
      { cause: error },
    )
  }
}

async function createDatabase(maintenanceUrl: string): Promise<void> {
  const access = await accessDatabase(maintenanceUrl)
  try {
    await withDatabase(access.env, async ({ query }) => {
      const [found] = await query('SELECT 1 AS found FROM pg_database WHERE datname = $1', [DATABASE])
      if (!found) await query(`CREATE DATABASE ${quoteIdentifier(DATABASE)}`)
    })
  } finally {
    await access.close()
  }
}

/** Ends a Postgres that a run killed outright has left on this data folder. */
export async function endLeftoverPostgres(data: DataFolder): Promise<void> {
  const pidFile = join(data.postgres, 'postmaster.pid')
  if (!existsSync(pidFile)) return
  const pid = Number(readFileSync(pidFile, 'utf8').split('\n', 1)[0])
  if (!isProcess(pid, (command) => command.includes('postgres') && command.includes(data.postgres))) return
  console.log('Ending the Postgres that an earlier run left behind …')
  process.kill(pid, 'SIGINT')
  const deadline = Date.now() + LEFTOVER_WAIT_MS
  while (isAlive(pid) && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, POLL_MS))
}
