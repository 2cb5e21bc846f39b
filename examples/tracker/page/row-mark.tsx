import { useRowMarks } from './mutation-context.tsx'
import type { Mark } from './row-marks.ts'

const WORDS: Readonly<Record<Mark, string>> = {
  pending: 'Saved here, not sent yet',
  sent: 'Sent, not confirmed yet',
  failed: 'A change was refused: see the review',
}

/** Marks a row in which a change waits for the server, or was refused. */
export function RowMark({ id }: { id: string }) {
  const mark = useRowMarks().get(id)
  if (mark === undefined) return null
  return <span className="row-mark" data-mark={mark} role="img" aria-label={WORDS[mark]} title={WORDS[mark]} />
}
