import { TidemarkError } from '../../protocol/index.ts'

/** The files of Node, as the replica uses them; asked for at run time, so that no bundler of a page looks for them. */
interface FileSystem {
  mkdir(path: string, options: { recursive: true }): Promise<unknown>
  readdir(path: string): Promise<string[]>
  readdir(path: string, options: { withFileTypes: true }): Promise<{ name: string; isDirectory(): boolean }[]>
  readFile(path: string, encoding: 'utf8'): Promise<string>
  readFile(path: URL): Promise<Uint8Array<ArrayBuffer>>
  rename(from: string, to: string): Promise<void>
  link(existing: string, path: string): Promise<void>
  open(path: string, flags: 'r'): Promise<{ readonly fd: number; close(): Promise<void> }>
  realpath(path: string): Promise<string>
  stat(path: string): Promise<{ readonly mtimeMs: number }>
  rm(path: string, options: { recursive?: boolean; force: true }): Promise<void>
  writeFile(path: string, content: string, options: { flag: 'w' }): Promise<void>
}

/** The calls with which the journal writes: when one returns, the system has taken the bytes. */
interface SyncFileSystem {
  openSync(path: string, flags: 'a'): number
  writeSync(file: number, bytes: Uint8Array, offset: number): number
  closeSync(file: number): void
  existsSync(path: string): boolean
  readFileSync(path: string): Uint8Array
  rmSync(path: string, options: { force: true }): void
}

interface Zlib {
  gunzip(
    bytes: Uint8Array,
    options: { chunkSize: number },
    done: (error: Error | null, content: Uint8Array<ArrayBuffer>) => void,
  ): void
}

export interface SocketServer {
  on(event: 'error', listener: (error: Error) => void): unknown
  listen(path: string, listening: () => void): unknown
  close(closed: () => void): unknown
  unref(): unknown
}

interface Connection {
  on(event: 'connect' | 'error', listener: (error: Error) => void): unknown
  destroy(): unknown
}

interface Net {
  createServer(connected: (connection: Connection) => void): SocketServer
  connect(path: string): Connection
}

interface NodeProcess {
  readonly pid: number
  readonly platform: string
  cwd(): string
  kill(pid: number, signal: 0): unknown
  getBuiltinModule(name: 'node:fs/promises'): FileSystem
  getBuiltinModule(name: 'node:fs'): SyncFileSystem
  getBuiltinModule(name: 'node:zlib'): Zlib
  getBuiltinModule(name: 'node:net'): Net
  getBuiltinModule(name: 'node:os'): { tmpdir(): string }
}

export function nodeProcess(): NodeProcess {
  const { process } = globalThis as { process?: NodeProcess }
  if (process) return process
  throw new TidemarkError('bad-input', 'A path as storage needs Node or Bun: use idb://… or opfs-ahp://… in a browser.')
}

export const fileSystem = (): FileSystem => nodeProcess().getBuiltinModule('node:fs/promises')
export const syncFileSystem = (): SyncFileSystem => nodeProcess().getBuiltinModule('node:fs')
export const zlib = (): Zlib => nodeProcess().getBuiltinModule('node:zlib')
export const net = (): Net => nodeProcess().getBuiltinModule('node:net')
export const temporaryFolder = (): string => nodeProcess().getBuiltinModule('node:os').tmpdir()

/** Answers the code of a system error; undefined for any other. */
export function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
