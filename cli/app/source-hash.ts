import { createHash } from 'node:crypto'

/** Hashes of texts by the absolute path of their file. */
export type SourceHashes = Readonly<Record<string, string>>

/** A byte order mark is no part of the text: who reads a file may leave it out. */
export function hashSource(text: string): string {
  return createHash('sha256')
    .update(text.replace(/^\uFEFF/, ''))
    .digest('hex')
}

/** Whether each file that both hold has the same text in both. */
export function agree(one: SourceHashes, other: SourceHashes): boolean {
  return Object.entries(one).every(([path, hash]) => (other[path] ?? hash) === hash)
}
