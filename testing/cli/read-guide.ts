import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** One fenced block of a guide. */
export interface GuideBlock {
  readonly language: string
  /** The name of the file that the block shows; null where it shows none. */
  readonly title: string | null
  readonly text: string
}

/** Reads the fenced blocks of a Markdown page of `docs/`, in order. */
export function readGuide(name: string): GuideBlock[] {
  const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs', name), 'utf8')
  const fence = /^```(\w+)(?: title="([^"]+)")?\n([\s\S]*?)^```$/gm
  return [...page.matchAll(fence)].map(([, language = '', title, text = '']) => ({
    language,
    title: title ?? null,
    text,
  }))
}
