import type { PageOptions, Parameter, QueryRows, TextRows } from './database.ts'

const FIRST_PAGE_ROWS = 200
let cursors = 0

/** Pages of a query through a cursor of the open transaction, each fetched while the one before is in use. */
export async function* readPages(
  rows: QueryRows,
  text: string,
  params: readonly Parameter[],
  options: PageOptions = {},
): AsyncGenerator<TextRows> {
  const maxRows = options.maxRows ?? 5_000
  const targetChars = options.targetChars ?? 4 * 1024 * 1024
  cursors += 1
  const cursor = `tidemark_cursor_${cursors}`
  await rows(`DECLARE ${cursor} NO SCROLL CURSOR FOR ${text}`, params)
  const fetchPage = (count: number) => {
    const page = rows(`FETCH FORWARD ${count} FROM ${cursor}`)
    page.catch(() => {}) // Seen when it is awaited; until then it must not count as unhandled.
    return page
  }
  let asked = Math.min(FIRST_PAGE_ROWS, maxRows)
  let ahead = fetchPage(asked)
  try {
    while (true) {
      const page = await ahead
      const last = page.length < asked
      if (!last) {
        asked = nextPageRows(page, maxRows, targetChars)
        ahead = fetchPage(asked)
      }
      if (page.length > 0) yield page
      if (last) return
    }
  } finally {
    // A failed transaction refuses CLOSE, and its end closes the cursor anyway.
    await ahead.then(() => rows(`CLOSE ${cursor}`)).catch(() => {})
  }
}

/** How many rows the next page may have, judged by the largest row of the last one. */
function nextPageRows(page: TextRows, maxRows: number, targetChars: number): number {
  let largest = 1
  for (const row of page) {
    let chars = 0
    for (const value of row) chars += value === null ? 0 : value.length
    if (chars > largest) largest = chars
  }
  const fitting = Math.floor(targetChars / largest)
  return Math.max(1, Math.min(maxRows, fitting))
}
