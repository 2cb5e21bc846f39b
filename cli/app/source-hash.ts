import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Hashes of texts by the absolute path of their file. */
export type SourceHashes = Readonly<Record<string, string>>

/** Hashes a text without its byte order mark, because some readers of the file leave it out. */
export function hashSource(text: string): string {
  return createHash('sha256')
    .update(text.replace(/^\uFEFF/, ''))
    .digest('hex')
}

/** Hashes the files that lie in a folder, their names among them; one that is absent, or gone meanwhile, holds none. */
export function hashFolder(folder: string): string {
  try {
    const files = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile())
    const names = files.map(({ name }) => name).sort()
    return hashSource(JSON.stringify(names.map((name) => [name, hashSource(readFileSync(join(folder, name), 'utf8'))])))
  } catch {
    return ''
  }
}

/** Tells whether each file that both hold has the same text in both. */
export function agree(one: SourceHashes, other: SourceHashes): boolean {
  return Object.entries(one).every(([path, hash]) => (other[path] ?? hash) === hash)
}
