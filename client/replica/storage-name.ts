import { TidemarkError } from '../../protocol/index.ts'

export type StorageKind = 'memory' | 'idb' | 'opfs-ahp' | 'path'

/** Where one user's replica lies. */
export interface Storage {
  readonly kind: StorageKind
  /** Without its scheme; of a path the directory. */
  readonly name: string
}

const SCHEMES: readonly (readonly [string, StorageKind])[] = [
  ['memory://', 'memory'],
  ['idb://', 'idb'],
  ['opfs-ahp://', 'opfs-ahp'],
]

const DEFAULT_NAME = 'tidemark'

async function slug(user: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(user)))
  return Array.from(digest.subarray(0, 8), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** The storage an option and a user name together mean: each user has his own. Throws `bad-input`. */
export async function storageFor(option: string, user: string): Promise<Storage> {
  if (user === '') throw new TidemarkError('bad-input', 'openReplica needs a user: it names the storage.')
  const [scheme, kind] = SCHEMES.find(([prefix]) => option.startsWith(prefix)) ?? ['', 'path']
  if (kind === 'path' && /^[a-z-]+:\/\//.test(option)) {
    throw new TidemarkError('bad-input', `Unknown storage ${option}: use memory://, idb://…, opfs-ahp://… or a path.`)
  }
  const name = option.slice(scheme.length).replace(/\/+$/, '')
  if (kind !== 'memory' && name === '') throw new TidemarkError('bad-input', `The storage ${option} has no name.`)
  return { kind, name: `${name === '' ? DEFAULT_NAME : name}-${await slug(user)}` }
}

/** PGlite's own name of a storage. */
export function dataDirOf(storage: Storage): string {
  return storage.kind === 'path' ? storage.name : `${storage.kind}://${storage.name}`
}
