import { createContext, type ReactNode, useContext, useMemo } from 'react'
import { type Mark, type MarkKeys, type RowMarks, rowMarks } from './rules/row-marks.ts'
import { useFailures } from './use-failures.ts'
import { useMutations } from './use-mutations.ts'

const NONE: RowMarks = new Map()

const MarksContext = createContext<RowMarks>(NONE)

/**
 * Reads once, for all `RowMark`s below, which rows wait for the server or were refused. The functions are to stay the
 * same ones from render to render.
 */
export function RowMarksProvider({ children, keysOf, keysOfAction }: MarkKeys & { readonly children: ReactNode }) {
  const mutations = useMutations()
  const failures = useFailures()
  const marks = useMemo(
    () => rowMarks(mutations, failures, { ...(keysOf && { keysOf }), ...(keysOfAction && { keysOfAction }) }),
    [mutations, failures, keysOf, keysOfAction],
  )
  return <MarksContext.Provider value={marks}>{children}</MarksContext.Provider>
}

/** Answers the mark of the row that the app names by this key; null where the row is simply the server's. */
export const useRowMark = (id: string): Mark | null => useContext(MarksContext).get(id) ?? null

const WORDS: Readonly<Record<Mark, string>> = {
  pending: 'Saved here, not sent yet',
  sent: 'Sent, not confirmed yet',
  failed: 'A change was refused',
}

/** Marks a row in which a change waits for the server, or was refused: `span.tidemark-row-mark[data-mark]`. */
export function RowMark({
  id,
  words = WORDS,
}: {
  readonly id: string
  readonly words?: Readonly<Record<Mark, string>>
}) {
  const mark = useRowMark(id)
  if (mark === null) return null
  return <span className="tidemark-row-mark" data-mark={mark} role="img" aria-label={words[mark]} title={words[mark]} />
}
