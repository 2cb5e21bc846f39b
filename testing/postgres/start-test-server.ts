import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type PostgresOptions, type PostgresServer, startPostgresServer } from '../../cli/postgres/postgres-server.ts'
import { freePort } from './free-port.ts'

const pathOf = (relative: string) => join(import.meta.dirname, relative)

/** Starts a server on a copy of a directory made once for each Postgres and password, as `initdb` takes seconds. */
export async function startTestServer(options: PostgresOptions): Promise<PostgresServer> {
  copy(await madeDirectory(options), options.dataDirectory)
  return startPostgresServer(options)
}

async function madeDirectory(options: PostgresOptions): Promise<string> {
  const cached = pathOf(`../../node_modules/.cache/tidemark/postgres-${fingerprint(options)}`)
  if (existsSync(cached)) return cached
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-made-'))
  try {
    const dataDirectory = join(folder, 'data')
    const server = await startPostgresServer({ ...options, dataDirectory, port: await freePort() })
    await server.stop()
    mkdirSync(dirname(cached), { recursive: true })
    // Several processes may make it at once; the first to finish puts a whole one in place.
    const own = `${cached}.${process.pid}`
    copy(dataDirectory, own)
    try {
      renameSync(own, cached)
    } catch (error) {
      rmSync(own, { recursive: true, force: true })
      if (!existsSync(cached)) throw error
    }
    return cached
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Copies a directory with its owner, who may be another user than this process's. */
function copy(from: string, to: string): void {
  execFileSync('cp', ['-a', from, to])
}

function fingerprint({ binDirectory, password }: PostgresOptions): string {
  const hash = createHash('sha256')
  hash.update(execFileSync(join(binDirectory, 'initdb'), ['--version']))
  hash.update(password)
  for (const source of ['../../cli/postgres/postgres-server.ts', './start-test-server.ts'])
    hash.update(readFileSync(pathOf(source)))
  return hash.digest('hex').slice(0, 16)
}
