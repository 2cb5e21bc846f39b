import { createHash } from 'node:crypto'

/** Hashes of texts by the absolute path of their file. */
export type SourceHashes = Readonly<Record<string, string>>

/** Hashes a text without its byte order mark, because some readers of the file leave it out. */
export function hashSource(text: string): string {
  return createHash('sha256')
    .update(text.replace(/^\uFEFF/, ''))
    .digest('hex')
}

/** Tells whether each file that both hold has the same text in both. */
export function agree(one: SourceHashes, other: SourceHashes): boolean {
  return Object.entries(one).every(([path, hash]) => (other[path] ?? hash) === hash)
}
