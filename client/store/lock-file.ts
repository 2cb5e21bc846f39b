import { TidemarkError } from '../../protocol/index.ts'
import { digestText } from './digest-text.ts'
import { codeOf, fileSystem, net, nodeProcess, type SocketServer, temporaryFolder } from './node-builtins.ts'

/** Releases the storage. */
export type Release = () => Promise<void>

/** A free lock is claimed this often; then the process that came first each time counts as its holder. */
const CLAIM_TURNS = 3

/** The length that every platform takes for the path of a socket. */
const PATH_BYTES = 100

/** The error codes by which a file system without sockets answers. */
const NO_SOCKETS: readonly unknown[] = ['ENOTSUP', 'EOPNOTSUPP', 'EPERM', 'EINVAL', 'ENAMETOOLONG', 'ENOSYS']

/**
 * Holds a path for this process, by a socket that it listens on: the system itself knows whether anybody does, so that
 * the lock of a killed process is known to be free, whatever process has its number by now.
 *
 * Throws `already-open` where another holds it, and `storage` where nothing can be made there.
 */
export async function lockFile(path: string): Promise<Release> {
  const folder = path.replace(/[^/\\]*$/, '') || '.'
  try {
    await fileSystem().mkdir(folder, { recursive: true })
    if (nodeProcess().platform === 'win32')
      return await holdSocket(`\\\\.\\pipe\\tidemark-${await digestText(path)}`, path)
    if (path.length <= PATH_BYTES) return await holdHere(path, path)
    if (nodeProcess().platform !== 'linux') return await holdElsewhere(path)
    // A path of any length is short seen from its folder.
    const handle = await fileSystem().open(folder, 'r')
    try {
      const release = await holdHere(`/proc/self/fd/${handle.fd}/${path.slice(folder.length)}`, path)
      return () => release().finally(() => handle.close())
    } catch (error) {
      await handle.close()
      throw error
    }
  } catch (error) {
    if (error instanceof TidemarkError) throw error
    throw new TidemarkError('storage', `The replica's directory cannot be written: ${path}.`, { cause: error })
  }
}

async function holdHere(socket: string, path: string): Promise<Release> {
  try {
    return await holdSocket(socket, path)
  } catch (error) {
    if (!NO_SOCKETS.includes(codeOf(error))) throw error
    return holdElsewhere(path)
  }
}

/** Holds a path by its name, by a socket in the system's temporary folder. */
async function holdElsewhere(path: string): Promise<Release> {
  const whole = await fileSystem().realpath(path.replace(/[^/\\]*$/, '') || '.')
  return holdSocket(
    `${temporaryFolder()}/tidemark-${await digestText(`${whole}/${path.replace(/^.*[/\\]/, '')}`)}.lock`,
    path,
  )
}

async function holdSocket(socket: string, path: string): Promise<Release> {
  for (let turn = 0; turn <= CLAIM_TURNS; turn++) {
    const server = (await listen(socket)) ?? (await claimSocket(socket, turn))
    if (server) return () => stop(server)
    if (await isHeld(socket)) break
  }
  throw new TidemarkError(
    'already-open',
    `This replica is open in another process, or elsewhere in this one: close it there. Its lock is ${path}.`,
  )
}

/**
 * Listens on a socket that nobody listens on any more; null where somebody does, or may by now.
 *
 * A socket beside it admits one process at a time: else, of two that saw it dead, the second would remove it after the
 * first has it.
 */
async function claimSocket(socket: string, turn: number): Promise<SocketServer | null> {
  if (await isHeld(socket)) return null
  const beside = `${socket}~`
  const admission = await listen(beside)
  if (!admission) {
    if (!(await isAnswering(beside))) await removeDead(beside, turn)
    return null
  }
  try {
    if (await isHeld(socket)) return null
    await fileSystem().rm(socket, { force: true })
    return await listen(socket)
  } finally {
    await stop(admission)
  }
}

async function isHeld(socket: string): Promise<boolean> {
  return (await isAnswering(socket)) || (await isHeldByNumber(socket))
}

const stop = (server: SocketServer) => new Promise<void>((resolve) => server.close(() => resolve()))

/** Listens on a socket; null where there is something by that name already. */
function listen(socket: string): Promise<SocketServer | null> {
  return new Promise((resolve, reject) => {
    const server = net().createServer((connection) => connection.destroy())
    server.on('error', (error) => (codeOf(error) === 'EADDRINUSE' ? resolve(null) : reject(error)))
    server.listen(socket, () => {
      server.unref()
      resolve(server)
    })
  })
}

/** Answers whether a process listens there: also one that is stopped, and not one that was killed. */
function isAnswering(socket: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const connection = net().connect(socket)
    connection.on('connect', () => {
      connection.destroy()
      resolve(true)
    })
    connection.on('error', (error) => {
      const code = codeOf(error)
      if (code === 'ECONNREFUSED' || code === 'ENOENT' || code === 'ENOTSOCK') resolve(false)
      // Its queue is full: others are asking it too.
      else if (code === 'EAGAIN') resolve(true)
      else reject(error)
    })
  })
}

/** Takes a socket that nobody listened on out of the way. */
async function removeDead(socket: string, turn: number): Promise<void> {
  const files = fileSystem()
  // The socket may be another's by now: renamed, it is looked at again, and put back.
  const aside = `${socket}${nodeProcess().pid}.${turn}`
  try {
    await files.rename(socket, aside)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return
    throw error
  }
  if (await isAnswering(aside)) await files.link(aside, socket).catch(() => undefined)
  await files.rm(aside, { force: true })
}

/** Answers whether a process of an earlier version of this library holds it, which wrote its number into a file. */
async function isHeldByNumber(path: string): Promise<boolean> {
  const files = fileSystem()
  const pid = Number(await files.readFile(path, 'utf8').catch(() => ''))
  if (!Number.isInteger(pid) || pid <= 0 || pid === nodeProcess().pid || !isAlive(pid)) return false
  const [started, written] = await Promise.all([startedAt(pid), files.stat(path).then(({ mtimeMs }) => mtimeMs)])
  // A process that began after the file was written only has the number of one that is gone.
  return started !== null && started < written + 1_000
}

function isAlive(pid: number): boolean {
  try {
    nodeProcess().kill(pid, 0)
    return true
  } catch (error) {
    return codeOf(error) === 'EPERM'
  }
}

/** Reads when a process began, in ms; null where the system does not say. */
async function startedAt(pid: number): Promise<number | null> {
  const read = (path: string) =>
    fileSystem()
      .readFile(path, 'utf8')
      .catch(() => '')
  const [own, system] = [await read(`/proc/${pid}/stat`), await read('/proc/stat')]
  // After the command's name, which may hold anything; the twenty-second field of all, in hundredths of a second.
  const ticks = own.slice(own.lastIndexOf(')') + 2).split(' ')[19]
  const booted = /^btime (\d+)/m.exec(system)?.[1]
  return ticks === undefined || booted === undefined ? null : Number(booted) * 1_000 + Number(ticks) * 10
}
