import { TidemarkError } from '../../protocol/index.ts'

/** What the replica uses of Node; asked for at run time, so that no bundler of a page looks for it. */
interface FileSystem {
  mkdir(path: string, options: { recursive: true }): Promise<unknown>
  readdir(path: string): Promise<string[]>
  readFile(path: string, encoding: 'utf8'): Promise<string>
  readFile(path: URL): Promise<Uint8Array<ArrayBuffer>>
  rename(from: string, to: string): Promise<void>
  rm(path: string, options: { recursive?: boolean; force: true }): Promise<void>
  writeFile(path: string, content: string, options: { flag: 'w' | 'wx' }): Promise<void>
}

interface Zlib {
  gunzip(
    bytes: Uint8Array,
    options: { chunkSize: number },
    done: (error: Error | null, content: Uint8Array<ArrayBuffer>) => void,
  ): void
}

interface NodeProcess {
  readonly pid: number
  kill(pid: number, signal: 0): unknown
  getBuiltinModule(name: 'node:fs/promises'): FileSystem
  getBuiltinModule(name: 'node:zlib'): Zlib
}

export function nodeProcess(): NodeProcess {
  const { process } = globalThis as { process?: NodeProcess }
  if (process) return process
  throw new TidemarkError('bad-input', 'A path as storage needs Node or Bun: use idb://… or opfs-ahp://… in a browser.')
}

export const fileSystem = (): FileSystem => nodeProcess().getBuiltinModule('node:fs/promises')
export const zlib = (): Zlib => nodeProcess().getBuiltinModule('node:zlib')
