import { TidemarkError } from '../../protocol/index.ts'
import { fileSystem, nodeProcess } from './node-builtins.ts'
import type { Release } from './storage-lock.ts'

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}

function isAlive(pid: number): boolean {
  try {
    nodeProcess().kill(pid, 0)
    return true
  } catch (error) {
    return codeOf(error) === 'EPERM'
  }
}

async function create(path: string): Promise<boolean> {
  try {
    await fileSystem().writeFile(path, String(nodeProcess().pid), { flag: 'wx' })
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw new TidemarkError('storage', `The replica's directory cannot be written: ${path}.`, { cause: error })
  }
}

/** Takes a lock file that names this process; one left by a process that is gone is taken over. */
export async function lockFile(path: string): Promise<Release> {
  const files = fileSystem()
  await files.mkdir(path.replace(/[^/\\]*$/, '') || '.', { recursive: true })
  const release = () => files.rm(path, { force: true })
  if (await create(path)) return release
  const pid = Number(await files.readFile(path, 'utf8').catch(() => ''))
  const stale = Number.isInteger(pid) && pid > 0 && !isAlive(pid)
  if (stale) {
    // Renaming first lets only one of several newcomers remove what the dead process left.
    const aside = `${path}.${nodeProcess().pid}.stale`
    await files.rename(path, aside).catch(() => undefined)
    await files.rm(aside, { force: true })
    if (await create(path)) return release
  }
  throw new TidemarkError(
    'already-open',
    `This replica is open in process ${pid}: close it there. If no such process runs it, remove ${path}.`,
  )
}
