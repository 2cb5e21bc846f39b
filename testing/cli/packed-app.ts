import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The package as npm would install it, and a folder outside the repository to use it in. */
export interface PackedPackage {
  readonly folder: string
  readonly tarball: string
  /** The command inside the unpacked tarball, as `npx` would run it before anything is installed. */
  readonly main: string
  /** The environment of a user: no programs of this repository on the path. */
  readonly env: Readonly<Record<string, string | undefined>>
  remove(): void
}

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** Packs what `npm run build` made. */
export function packPackage(): PackedPackage {
  if (!existsSync(join(ROOT, 'dist', 'cli', 'main.js'))) throw new Error('There is no dist/: npm run build makes it.')
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-packed-'))
  // Postgres may run as another user, who has to get into the folder.
  chmodSync(folder, 0o755)
  const env = userEnvironment()
  const packed = execFileSync('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', folder], {
    cwd: ROOT,
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const [{ filename }] = JSON.parse(packed) as [{ filename: string }]
  const tarball = join(folder, filename)
  execFileSync('tar', ['-xzf', tarball, '-C', folder])
  const remove = () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  return { folder, tarball, main: join(folder, 'package', 'dist', 'cli', 'main.js'), env, remove }
}

/** Answers the environment without the variables that npm and vitest set for the processes they start. */
function userEnvironment(): Record<string, string | undefined> {
  const kept = Object.entries(process.env).filter(
    ([name]) =>
      !/^(npm_(?!config_)|VITEST|NODE_ENV$|NODE_OPTIONS$|INIT_CWD$|DATABASE_URL$|PORT$|POSTGRES_PORT$|DATA_DIR$)/.test(
        name,
      ),
  )
  const path = (process.env.PATH ?? '').split(delimiter).filter((entry) => !entry.includes(`node_modules${sep}.bin`))
  return { ...Object.fromEntries(kept), PATH: path.join(delimiter) }
}
