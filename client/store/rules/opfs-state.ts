/** The name of Postgres' first file, by which PGlite recognises a database. */
const HEAD = 'PG_VERSION'

/**
 * The text in which PGlite keeps the names of its files in the origin's file system: a tree, and a line for each change since.
 * `whole`: all of it can be read; `torn`: all but its last line, which was cut while it was written, so that nobody was told of
 * that change; `damaged`: more is wrong; `headless`: it can be read, and lacks the file by which PGlite recognises a database.
 */
export type StateVerdict = 'whole' | 'torn' | 'damaged' | 'headless'

export function judgeState(text: string): StateVerdict {
  const [tree = '', ...changes] = text.split('\n')
  const root = parse(tree)
  if (root === undefined) return 'headless'
  const lines = changes.filter((line) => line !== '')
  const isHeaded = hasHeadIn(root) || lines.some((line) => line.includes(`"args":["/${HEAD}"`))
  const broken = lines.findIndex((line) => parse(line) === undefined)
  if (broken >= 0) return broken === lines.length - 1 && isHeaded ? 'torn' : 'damaged'
  return isHeaded ? 'whole' : 'headless'
}

/** Answers a torn text without the line that was cut. */
export const cutTornLine = (text: string): string =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .slice(0, -1)
    .join('\n')

function hasHeadIn(tree: unknown): boolean {
  try {
    return HEAD in (tree as { readonly root: { readonly children: object } }).root.children
  } catch {
    return false
  }
}

/** Answers what JSON says; undefined where it is none. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}
