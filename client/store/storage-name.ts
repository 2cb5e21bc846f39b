import { TidemarkError } from '../../protocol/index.ts'
import { digestText } from './digest-text.ts'

export type StorageKind = 'memory' | 'idb' | 'opfs-ahp' | 'path'

/** The place of one user's replica. */
export interface Storage {
  readonly kind: StorageKind
  /** The name without its scheme; for a path the directory. */
  readonly name: string
}

const SCHEMES: readonly (readonly [string, StorageKind])[] = [
  ['memory://', 'memory'],
  ['idb://', 'idb'],
  ['opfs-ahp://', 'opfs-ahp'],
]

const DEFAULT_NAME = 'tidemark'

/** Answers the storage that an option and a user mean together: each user has one of their own. Throws `bad-input`. */
export async function storageFor(option: string, user: string): Promise<Storage> {
  if (user === '') throw new TidemarkError('bad-input', 'openReplica needs a user: it names the storage.')
  const [scheme, kind] = SCHEMES.find(([prefix]) => option.startsWith(prefix)) ?? ['', 'path']
  if (kind === 'path' && /^[a-z-]+:\/\//.test(option)) {
    throw new TidemarkError('bad-input', `Unknown storage ${option}: use memory://, idb://…, opfs-ahp://… or a path.`)
  }
  const name = option.slice(scheme.length).replace(/\/+$/, '')
  if (kind !== 'memory' && name === '') throw new TidemarkError('bad-input', `The storage ${option} has no name.`)
  return { kind, name: `${name === '' ? DEFAULT_NAME : name}-${await digestText(user)}` }
}

/** Answers PGlite's own name of a storage. */
export function dataDirOf(storage: Storage): string {
  return storage.kind === 'path' ? storage.name : `${storage.kind}://${storage.name}`
}
