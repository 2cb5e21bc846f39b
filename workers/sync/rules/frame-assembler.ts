import { LIMITS, type Lsn } from '../../../protocol/index.ts'
import type { PlacedChange } from '../../encoded-change.ts'
import type { PartPosition, Position } from './position.ts'

/** A change that a session may see, as the session is told it. */
export type FramedChange = Omit<PlacedChange, 'audience'>

export interface Frame {
  readonly text: string
  /** The position of a session that has been sent this frame. */
  readonly next: Position
  /** True where the frame tells only the head. */
  readonly empty: boolean
}

interface OpenTransaction {
  readonly lsn: Lsn
  readonly xid: string
  readonly at: string
  /** Null while the whole transaction may still fit a batch. */
  partIndex: number | null
  sent: number
  texts: string[]
  chars: number
}

/**
 * Packs changes into frames: whole transactions in `batch` frames, a larger one in `part`s, a larger change in
 * `fragment`s. Positions count what the session sees, so nothing in a frame reveals what it does not see.
 *
 * Changes come in commit order, without those of a part that were already sent. Rules DIS-R5, DIS-R6.
 */
export class FrameAssembler {
  #cursor: Lsn
  readonly #head: Lsn
  readonly #frameChars: number
  #batch: string[] = []
  #batchChars = 0
  #batchTo: Lsn
  #open: OpenTransaction | null = null

  constructor(position: Position, head: Lsn, frameChars: number = LIMITS.frameBytes) {
    this.#cursor = position.lsn
    this.#batchTo = position.lsn
    this.#head = head
    this.#frameChars = frameChars
    if (position.part) this.#open = resumed(position.part)
  }

  /** Answers the frames that this change completes, often none. */
  push(change: FramedChange): Frame[] {
    const frames: Frame[] = []
    if (this.#open && this.#open.lsn !== change.lsn) frames.push(...this.#closeTransaction())
    this.#open ??= opened(change)
    const open = this.#open
    const chars = change.text.length
    if (this.#batchChars + open.chars + chars > this.#frameChars) frames.push(...this.#flushBatch(this.#batchTo))
    if (open.chars + chars > this.#frameChars && open.texts.length > 0) frames.push(this.#part(open, false))
    if (chars > this.#frameChars) {
      frames.push(...this.#fragments(open, change.text))
    } else {
      open.texts.push(change.text)
      open.chars += chars
    }
    return frames
  }

  /** Answers the last frames up to `to`, or an empty batch where nothing was seen. */
  finish(to: Lsn): Frame[] {
    const frames = this.#open ? this.#closeTransaction() : []
    if (this.#batch.length > 0) return [...frames, ...this.#flushBatch(to)]
    if (this.#cursor < to) frames.push(this.#emptyBatch(to))
    return frames
  }

  #closeTransaction(): Frame[] {
    const open = this.#open
    this.#open = null
    if (!open) return []
    if (open.partIndex !== null) return [this.#part(open, true)]
    const { lsn, xid, at } = open
    const text = `{"lsn":"${lsn}","xid":${JSON.stringify(xid)},"at":${JSON.stringify(at)},"changes":[${open.texts.join(',')}]}`
    this.#batch.push(text)
    this.#batchChars += text.length
    this.#batchTo = lsn
    return []
  }

  #flushBatch(to: Lsn): Frame[] {
    if (this.#batch.length === 0) return []
    const text = `{"type":"batch","from":"${this.#cursor}","to":"${to}","head":"${this.#headAt(to)}","transactions":[${this.#batch.join(',')}]}`
    this.#batch = []
    this.#batchChars = 0
    this.#cursor = to
    return [{ text, next: { lsn: to, part: null }, empty: false }]
  }

  #emptyBatch(to: Lsn): Frame {
    const text = `{"type":"batch","from":"${this.#cursor}","to":"${to}","head":"${this.#headAt(to)}","transactions":[]}`
    this.#cursor = to
    return { text, next: { lsn: to, part: null }, empty: true }
  }

  #part(open: OpenTransaction, last: boolean): Frame {
    const index = open.partIndex ?? 0
    const text = `{"type":"part","from":"${this.#cursor}","lsn":"${open.lsn}","head":"${this.#headAt(open.lsn)}","xid":${JSON.stringify(open.xid)},"at":${JSON.stringify(open.at)},"index":${index},"last":${last},"changes":[${open.texts.join(',')}]}`
    open.partIndex = index + 1
    open.sent += open.texts.length
    open.texts = []
    open.chars = 0
    if (last) this.#cursor = open.lsn
    return { text, next: { lsn: this.#cursor, part: last ? null : partPosition(open) }, empty: false }
  }

  #fragments(open: OpenTransaction, text: string): Frame[] {
    const index = open.partIndex ?? 0
    open.partIndex = index + 1
    open.sent += 1
    const next: Position = { lsn: this.#cursor, part: partPosition(open) }
    const frames: Frame[] = []
    for (const [piece, slice] of slices(text, this.#frameChars).entries()) {
      const frame = { type: 'fragment', from: this.#cursor, lsn: open.lsn, index, piece, text: slice }
      frames.push({ text: JSON.stringify(frame), next, empty: false })
    }
    return frames
  }

  /** Answers the head for a frame, which never stands below the frame's own end, even where the head is learnt late. */
  #headAt(to: Lsn): Lsn {
    return to > this.#head ? to : this.#head
  }
}

/** Cuts a text into slices of at most `chars`, never inside a surrogate pair, so that each slice is valid Unicode. */
export function slices(text: string, chars: number): string[] {
  const result: string[] = []
  let start = 0
  while (start < text.length) {
    let end = Math.min(start + chars, text.length)
    const last = text.charCodeAt(end - 1)
    if (end < text.length && last >= 0xd800 && last <= 0xdbff && end - start > 1) end -= 1
    result.push(text.slice(start, end))
    start = end
  }
  return result
}

function opened(change: FramedChange): OpenTransaction {
  return { lsn: change.lsn, xid: change.xid, at: change.at, partIndex: null, sent: 0, texts: [], chars: 0 }
}

function resumed(part: PartPosition): OpenTransaction {
  return { lsn: part.lsn, xid: part.xid, at: part.at, partIndex: part.index, sent: part.sent, texts: [], chars: 0 }
}

function partPosition(open: OpenTransaction): PartPosition {
  return { lsn: open.lsn, xid: open.xid, at: open.at, index: open.partIndex ?? 0, sent: open.sent }
}
