import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { hashSource, type SourceHashes } from '../app/source-hash.ts'

interface SourceMap {
  readonly sourceRoot?: string
  readonly sources: readonly string[]
  readonly sourcesContent?: readonly (string | null)[]
}

/** Hashes the files, packages left out, that a bundle was built of, from its source map; none where it has no map. */
export function readBuiltSources(bundle: string): SourceHashes {
  const path = `${bundle}.map`
  try {
    const { sourceRoot, sources, sourcesContent } = JSON.parse(readFileSync(path, 'utf8')) as SourceMap
    const from = resolve(dirname(path), sourceRoot ?? '')
    const texts = sources.map((source, index) => [resolve(from, source), sourcesContent?.[index] ?? null] as const)
    return Object.fromEntries(
      texts.flatMap(([source, text]) =>
        text === null || source.includes('node_modules') ? [] : [[source, hashSource(text)]],
      ),
    )
  } catch {
    return {}
  }
}
