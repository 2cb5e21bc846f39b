import { LIMITS, type Lsn } from '../../../protocol/index.ts'
import type { EncodedChange, EncodedTransaction } from '../../encoded-change.ts'
import { type Author, MutationTeller } from '../rules/author.ts'
import { type Frame, FrameAssembler, type FramedChange, slices } from '../rules/frame-assembler.ts'
import type { LogReader } from '../rules/frame-cache.ts'
import type { Position } from '../rules/position.ts'

/** A piece is at most 3 bytes a character in UTF-8, and a row may hold 2 MB, which local workerd does not enforce. */
const PIECE_CHARS = 512 * 1024
/** Consecutive changes of one audience share a row up to this size, because each row written costs. */
const RUN_CHARS = 64 * 1024
/** JSON text never holds a raw newline. */
const SEPARATOR = '\n'
/** Each frame goes through the changes sent before it again; beyond this many, rows are told as captured. */
const MOST_TOLD_AGAIN = 2 * LIMITS.mutationRows

type LoggedRun = { lsn: string; run: number; audience: string | null; xid: string; at: string; text: string }

/** Recent transactions in SQLite, each change as the JSON text that frames share. */
export class ChangeLog {
  readonly #sql: SqlStorage

  constructor(sql: SqlStorage) {
    this.#sql = sql
  }

  /** Adds a transaction above every other; returns its characters. */
  append(transaction: EncodedTransaction): number {
    const { lsn, xid, at, changes } = transaction
    const chars = changes.reduce((sum, change) => sum + change.text.length, 0)
    if (changes.length === 0) return 0
    this.#sql.exec('INSERT INTO log_transaction (lsn, xid, at, chars) VALUES (?, ?, ?, ?)', lsn, xid, at, chars)
    for (const [run, { audience, text }] of runsOf(changes).entries()) {
      for (const [piece, slice] of slices(text, PIECE_CHARS).entries()) {
        this.#sql.exec(
          'INSERT INTO log_change (lsn, run, piece, audience, text) VALUES (?, ?, ?, ?, ?)',
          lsn,
          run,
          piece,
          audience,
          slice,
        )
      }
    }
    return chars
  }

  *oldestFirst(): Generator<{ lsn: Lsn; chars: number }> {
    const rows = this.#sql.exec<{ lsn: string; chars: number }>('SELECT lsn, chars FROM log_transaction ORDER BY lsn')
    for (const { lsn, chars } of rows) yield { lsn: lsn as Lsn, chars }
  }

  trim(to: Lsn): void {
    this.#sql.exec('DELETE FROM log_change WHERE lsn <= ?', to)
    this.#sql.exec('DELETE FROM log_transaction WHERE lsn <= ?', to)
  }

  clear(): void {
    this.#sql.exec('DELETE FROM log_change')
    this.#sql.exec('DELETE FROM log_transaction')
  }

  /** Makes the reader for one broadcast; `head` ends the frames. */
  reader(head: Lsn, frameChars: number): LogReader {
    return {
      audiencesAfter: (position) => this.#audiencesAfter(position),
      nextFrames: (position, audiences, author) => this.#nextFrames(position, audiences, author, head, frameChars),
    }
  }

  #audiencesAfter(position: Position): string[] {
    const rows = this.#sql.exec<{ audience: string }>(
      'SELECT DISTINCT audience FROM log_change WHERE lsn > ? AND audience IS NOT NULL ORDER BY audience',
      position.lsn,
    )
    return rows.toArray().map((row) => row.audience)
  }

  #nextFrames(
    position: Position,
    audiences: readonly string[],
    author: Author | null,
    head: Lsn,
    frameChars: number,
  ): readonly Frame[] {
    const assembler = new FrameAssembler(position, head, frameChars)
    for (const change of this.#changesAfter(position, audiences, author)) {
      const frames = assembler.push(change)
      if (frames.length > 0) return frames
    }
    return assembler.finish(head)
  }

  *#changesAfter(position: Position, audiences: readonly string[], author: Author | null): Generator<FramedChange> {
    const rows = this.#sql.exec<LoggedRun>(
      `SELECT c.lsn, c.run, c.audience, t.xid, t.at, c.text FROM log_change c JOIN log_transaction t ON t.lsn = c.lsn
       WHERE c.lsn > ? AND (c.audience IS NULL OR c.audience IN (SELECT value FROM json_each(?)))
       ORDER BY c.lsn, c.run, c.piece`,
      position.lsn,
      JSON.stringify(author === null ? audiences : [...audiences, author.audience]),
    )
    const { part } = position
    let skip = part?.sent ?? 0
    const teller = new MutationTeller(author, part && part.sent > MOST_TOLD_AGAIN ? part.lsn : null)
    let open: LoggedRun | null = null
    const changesOf = function* ({ xid, at, audience, ...row }: LoggedRun): Generator<FramedChange> {
      const lsn = row.lsn as Lsn
      for (const kept of row.text.split(SEPARATOR)) {
        const text = teller.tell({ lsn, audience, text: kept })
        if (text === null) continue
        if (skip > 0 && lsn === part?.lsn) skip -= 1
        else yield { lsn, xid, at, text }
      }
    }
    for (const row of rows) {
      if (open && open.lsn === row.lsn && open.run === row.run) {
        open.text += row.text
        continue
      }
      if (open) yield* changesOf(open)
      open = { ...row }
    }
    if (open) yield* changesOf(open)
  }
}

/** Joins only consecutive changes of one audience, so that the order across audiences is kept. */
function runsOf(changes: readonly EncodedChange[]): EncodedChange[] {
  const runs: { audience: string | null; texts: string[]; chars: number }[] = []
  for (const { audience, text } of changes) {
    const last = runs.at(-1)
    if (last && last.audience === audience && last.chars + text.length <= RUN_CHARS) {
      last.texts.push(text)
      last.chars += text.length
    } else {
      runs.push({ audience, texts: [text], chars: text.length })
    }
  }
  return runs.map((run) => ({ audience: run.audience, text: run.texts.join(SEPARATOR) }))
}
