import type { Lsn } from '../../../protocol/index.ts'
import type { EncodedTransaction } from '../../encoded-change.ts'
import { type Author, MutationTeller } from '../rules/author.ts'
import { FrameAssembler } from '../rules/frame-assembler.ts'
import type { LogReader } from '../rules/frame-cache.ts'

/** Reads a delivery as the log will tell it to sessions that stand at its beginning; `head` ends the frames. */
export function deliveredReader(transactions: readonly EncodedTransaction[], head: Lsn, frameChars: number): LogReader {
  const all = transactions.flatMap(({ changes }) => changes.map(({ audience }) => audience))
  const present = [...new Set(all.filter((audience) => audience !== null))].sort()
  const nextFrames = (
    position: Parameters<LogReader['nextFrames']>[0],
    seen: readonly string[],
    author: Author | null,
  ) => {
    const assembler = new FrameAssembler(position, head, frameChars)
    const teller = new MutationTeller(author)
    const told = new Set(author === null ? seen : [...seen, author.audience])
    for (const { lsn, xid, at, changes } of transactions) {
      for (const { audience, text: kept } of changes) {
        if (audience !== null && !told.has(audience)) continue
        const text = teller.tell({ lsn, audience, text: kept })
        const frames = text === null ? [] : assembler.push({ lsn, xid, at, text })
        if (frames.length > 0) return frames
      }
    }
    return assembler.finish(head)
  }
  return { audiencesAfter: () => present, nextFrames }
}
