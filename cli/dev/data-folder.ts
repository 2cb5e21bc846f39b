import { randomBytes } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** The files that `tidemark dev` keeps between two starts. */
export interface DataFolder {
  readonly root: string
  readonly postgres: string
  /** The superuser's password in the embedded Postgres, which listens on loopback alone. */
  readonly postgresPassword: string
  /** Storage of the Durable Objects. */
  readonly objects: string
  readonly logs: string
  /** Settings of the Worker, secrets among them; readable by the owner alone. */
  readonly workerEnv: string
  readonly adminToken: string
  readonly jwtSecret: string
  /** Holds the admin token, for `curl`. */
  readonly adminTokenFile: string
  readonly lockFile: string
}

/** Opens the folder, making it and its secrets the first time. */
export function openDataFolder(root: string): DataFolder {
  mkdirSync(root, { recursive: true })
  // An app's git never sees the folder then, whatever its own ignore file says.
  if (!existsSync(join(root, '.gitignore'))) writeFileSync(join(root, '.gitignore'), '*\n')
  const adminTokenFile = join(root, 'admin-token')
  return {
    root,
    postgres: join(root, 'postgres'),
    postgresPassword: keptSecret(join(root, 'postgres-password')),
    objects: join(root, 'objects'),
    logs: join(root, 'logs'),
    workerEnv: join(root, 'worker.env'),
    adminToken: keptSecret(adminTokenFile),
    jwtSecret: keptSecret(join(root, 'jwt-secret')),
    adminTokenFile,
    lockFile: join(root, 'running.json'),
  }
}

/** Writes the settings the Worker starts with; node reads the same file by `--env-file`. */
export function writeWorkerEnv(folder: DataFolder, settings: Readonly<Record<string, string>>): void {
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${JSON.stringify(value)}\n`)
  writeSecret(folder.workerEnv, lines.join(''))
}

/** Deletes rows, objects and logs; secrets, the folder itself and files that others put there stay. Rule CLI-R15. */
export function resetDataFolder(folder: DataFolder, withPostgres: boolean): void {
  const gone = [folder.objects, folder.logs, ...(withPostgres ? [folder.postgres] : [])]
  for (const path of gone) rmSync(path, { recursive: true, force: true })
}

function keptSecret(path: string): string {
  if (!existsSync(path)) writeSecret(path, randomBytes(24).toString('base64url'))
  return readFileSync(path, 'utf8').trim()
}

function writeSecret(path: string, text: string): void {
  writeFileSync(path, text, { mode: 0o600 })
  chmodSync(path, 0o600)
}
