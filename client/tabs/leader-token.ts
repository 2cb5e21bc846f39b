import { TidemarkError } from '../../protocol/index.ts'

/** A tab has this long to answer for a token. */
const ASK_MS = 10_000

export interface AskableTab {
  readonly isVisible: boolean
  /** Resolves with a token; rejects where the tab has none. */
  askToken(): Promise<string>
}

/** Asks tabs for a token, one after the other, visible ones first, each for a bounded time. Throws what the last one threw. */
export async function askTabs(tabs: Iterable<AskableTab>): Promise<string> {
  const inOrder = [...tabs].sort((a, b) => Number(b.isVisible) - Number(a.isVisible))
  let fault: unknown = new TidemarkError('unavailable', 'No tab is there that could give a token.')
  for (const tab of inOrder) {
    try {
      return await withDeadline(tab.askToken())
    } catch (error) {
      fault = error
    }
  }
  throw fault
}

async function withDeadline<Result>(work: Promise<Result>): Promise<Result> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new TidemarkError('unavailable', 'A tab gave no token in time.')), ASK_MS)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
