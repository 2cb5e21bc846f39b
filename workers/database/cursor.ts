import type { Parameter } from '../../db/query.ts'
import type { PageOptions, Pages, QueryRows, TextRows } from './text-rows.ts'

const FIRST_PAGE_ROWS = 200
let cursors = 0

/** Pages through a query with a cursor of the open transaction; each page is fetched while the one before is in use. */
export function readPages(
  rows: QueryRows,
  text: string,
  params: readonly Parameter[],
  options: PageOptions = {},
): Pages {
  cursors += 1
  const cursor = `tidemark_cursor_${cursors}`
  const { maxRows = 5_000, targetChars = 4 * 1024 * 1024, scroll = false } = options
  let asked = Math.min(FIRST_PAGE_ROWS, maxRows)
  /** Rows fetched, used or not. */
  let place = 0
  let ahead: Promise<TextRows> | null = null
  const fetchPage = () => {
    const page = rows(`FETCH FORWARD ${asked} FROM ${cursor}`).then((fetched) => {
      place += fetched.length
      return fetched
    })
    page.catch(() => {}) // The error surfaces where the page is awaited; until then it must not count as unhandled.
    return page
  }
  async function* read(): AsyncGenerator<TextRows> {
    await rows(`DECLARE ${cursor} ${scroll ? '' : 'NO '}SCROLL CURSOR FOR ${text}`, params)
    ahead = fetchPage()
    try {
      while (true) {
        const page: TextRows = await ahead
        const last = page.length < asked
        if (!last) {
          asked = nextPageRows(page, maxRows, targetChars)
          ahead = fetchPage()
        }
        if (page.length > 0) yield page
        if (last) return
      }
    } finally {
      // A failed transaction refuses CLOSE, and its end closes the cursor anyway.
      await ahead.then(() => rows(`CLOSE ${cursor}`)).catch(() => {})
    }
  }
  return {
    [Symbol.asyncIterator]: read,
    async last() {
      await ahead
      const [row] = await rows(`FETCH LAST FROM ${cursor}`)
      await rows(`MOVE ABSOLUTE ${place} IN ${cursor}`)
      return row ?? null
    },
  }
}

/** Returns the row limit of the next page, judged by the largest row of the last one. */
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
