/** Joins a definition's version and the publication as found under it to one text, which is kept. */
export function publicationMark(version: number | null, publication: string | null): string {
  return `${version} ${publication}`
}

/**
 * Answers whether something may have been unpublished for a while under one and the same definition.
 *
 * A new definition alters the publication rightly, and a table that only went was dropped: a wanted one that is missing
 * is found by name.
 */
export function publicationAltered(before: string | null, now: string): boolean {
  if (before === null || before === now) return false
  const [was, is] = [parse(before), parse(now)]
  if (was.version !== is.version) return false
  if (was.itself === null || was.itself !== is.itself) return true
  return is.tables.some((table) => !was.tables.includes(table))
}

function parse(mark: string): { version: string; itself: string | null; tables: readonly string[] } {
  const [version = ''] = mark.split(' ', 1)
  const text = mark.slice(version.length + 1)
  if (!text.startsWith('{')) return { version, itself: null, tables: [] }
  const { itself, tables }: { itself: unknown; tables: readonly unknown[] } = JSON.parse(text)
  return { version, itself: JSON.stringify(itself), tables: tables.map((table) => JSON.stringify(table)) }
}
