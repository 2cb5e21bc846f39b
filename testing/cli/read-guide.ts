import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** One fenced block of a page. */
export interface PageBlock {
  /** The number of its first line, the fence. */
  readonly line: number
  /** Empty where it shows what is printed. */
  readonly language: string
  /** The name of the file that the block shows; null where it shows none. */
  readonly title: string | null
  readonly text: string
}

const ROOT = join(import.meta.dirname, '..', '..')
const FENCE = /^( *)```(\w*)(?: title="([^"]+)")?\n([\s\S]*?)^\1```$/gm

/** Reads the fenced blocks of a Markdown page, in order; `path` is relative to the project. */
export function readPage(path: string): PageBlock[] {
  const page = readFileSync(join(ROOT, path), 'utf8')
  return [...page.matchAll(FENCE)].map(({ index, 1: indent = '', 2: language = '', 3: title, 4: text = '' }) => ({
    line: page.slice(0, index).split('\n').length,
    language,
    title: title ?? null,
    text: text.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
  }))
}

/** Reads the fenced blocks of a page of `docs/`. */
export const readGuide = (name: string): PageBlock[] => readPage(join('docs', name))
