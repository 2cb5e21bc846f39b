import { existsSync, readFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { z } from 'zod'
import { TidemarkError } from '../../protocol/errors.ts'
import { type AppFolder, findApp } from '../app/app-folder.ts'
import type { Invocation } from '../command.ts'
import { accessDatabase } from '../database.ts'
import { claimPort } from '../postgres/free-port.ts'
import { Cleanup } from './cleanup.ts'
import { openDataFolder, resetDataFolder, writeWorkerEnv } from './data-folder.ts'
import { DEFAULT_PORT, DEFAULT_POSTGRES_PORT } from './default-ports.ts'
import { endRequest } from './end-request.ts'
import { findNodeForWrangler } from './node-binary.ts'
import { endLeftoverPostgres, type OwnPostgres, startOwnPostgres } from './own-postgres.ts'
import { requireLogicalDecoding } from './prepare-database.ts'
import { readyBlock } from './ready-block.ts'
import { takeRunningLock } from './running-lock.ts'
import { serveApp } from './serve-app.ts'
import { requireWranglerConfig } from './worker-server.ts'

/** Runs everything until Ctrl-C, then ends all of it; throws the fault that kept it from starting or ended it. */
export async function runDev(invocation: Invocation): Promise<number> {
  const cleanup = new Cleanup()
  const asked = endRequest()
  const starting = startAll(invocation, cleanup)
  try {
    const broke = await Promise.race([asked, starting.then((started) => started.broke)])
    if (broke !== null) throw new TidemarkError('unavailable', broke)
    console.log('Stopping …')
    return 0
  } finally {
    await cleanup.run()
    // By now every step of an interrupted start has failed or been ended.
    await starting.then(({ broke }) => broke).catch(() => {})
    await cleanup.run()
  }
}

const LOOK_MS = 3_000

interface Started {
  /** Settles with the reason when a part ends by itself. */
  readonly broke: Promise<string>
}

async function startAll(invocation: Invocation, cleanup: Cleanup): Promise<Started> {
  const { values, switches } = invocation
  const app = findApp(invocation.argument ?? '.')
  findNodeForWrangler(app.root)
  const data = openDataFolder(resolve(values['data-dir'] ?? join(app.root, '.tidemark')))
  const lock = await takeRunningLock(data.lockFile)
  cleanup.add(async () => lock.release())
  await endLeftoverPostgres(data)
  const port = await claimPort(values.port ?? DEFAULT_PORT, '--port')
  const given = values['database-url']
  if (switches.has('reset')) resetDataFolder(data, given === undefined)
  let own: OwnPostgres | null = null
  if (given === undefined) {
    const postgresPort = await claimPort(values['postgres-port'] ?? DEFAULT_POSTGRES_PORT, '--postgres-port')
    continueUnless(cleanup.begun)
    console.log('Starting Postgres …')
    own = await startOwnPostgres(data, postgresPort, cleanup)
  }
  const access = await accessDatabase(own?.url ?? given ?? '')
  cleanup.add(() => access.close())
  await requireLogicalDecoding(access, cleanup)
  requireWranglerConfig(app)
  writeWorkerEnv(data, {
    ...access.env,
    ADMIN_TOKEN: data.adminToken,
    JWT_SECRET: data.jwtSecret,
    TIDEMARK_URL: `http://127.0.0.1:${port}`,
  })
  continueUnless(cleanup.begun)
  const postgresEnded = own?.ended.then(() => 'Postgres ended by itself.')
  const serving = serveApp({ app, data, access, port, cleanup, onPid: lock.noteWorker, onLine: console.log })
  const shown = serving.then(async (server) => {
    console.log(
      readyBlock({
        url: `http://localhost:${port}`,
        hasPage: await answers(`http://127.0.0.1:${port}/`),
        adminTokenFile: fromHere(data.adminTokenFile),
        sqlCommand: `npx tidemark sql${data.root === resolve('.tidemark') ? '' : ` --data-dir ${fromHere(data.root)}`}`,
        databaseUrl: own?.url ?? null,
        database: access.shown,
        workerEnv: fromHere(data.workerEnv),
        demo: demoLines(app),
      }),
    )
    return server.ended.then((how) => `The Worker's server ended by itself (${how}).`)
  })
  // An app that waits to be mended has nothing ready, yet its Postgres may end meanwhile.
  return { broke: Promise.race([shown, ...(postgresEnded ? [postgresEnded] : [])]) }
}

/** Tells whether there is something at an address; what takes too long, or fails, is for whoever opens it to see. */
async function answers(url: string): Promise<boolean> {
  try {
    const { ok, body } = await fetch(url, { signal: AbortSignal.timeout(LOOK_MS) })
    await body?.cancel()
    return ok
  } catch {
    return false
  }
}

/** Shortens a path to a form that can be typed in this shell. */
function fromHere(path: string): string {
  const short = relative(process.cwd(), path)
  return short.startsWith('..') ? path : short
}

function continueUnless(stopping: boolean): void {
  if (stopping) throw new TidemarkError('unavailable', 'Stopped while starting.')
}

const demoSchema = z.array(z.string())

/** Reads the lines that the app wants shown when it is ready, e.g. its demo logins: `demo.json`, a list of lines. */
function demoLines(app: AppFolder): readonly string[] {
  const path = join(app.root, 'demo.json')
  if (!existsSync(path)) return []
  const lines = demoSchema.safeParse(JSON.parse(readFileSync(path, 'utf8')))
  if (!lines.success) throw new TidemarkError('bad-input', `${path} must be a JSON list of text lines.`)
  return lines.data
}
