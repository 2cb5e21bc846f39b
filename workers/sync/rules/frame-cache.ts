import type { Lsn } from '../../../protocol/index.ts'
import type { Author } from './author.ts'
import type { Frame } from './frame-assembler.ts'
import { type Position, positionKey } from './position.ts'

/** A synchronous reader of the log. */
export interface LogReader {
  /** Answers the distinct audiences among the changes after `position`. */
  audiencesAfter(position: Position): readonly string[]
  /** Makes the next frames for a session of these audiences; `author` is null where none of its mutations is ahead. */
  nextFrames(position: Position, audiences: readonly string[], author: Author | null): readonly Frame[]
}

/**
 * Frames of one broadcast, made once per position and distinct set of audiences among the changes ahead, however many
 * sockets take them. Valid only while the log does not change. Rule DIS-R7.
 */
export class FrameCache {
  readonly #log: LogReader
  readonly #present = new Map<string, readonly string[]>()
  readonly #frames = new Map<string, readonly Frame[]>()

  constructor(log: LogReader) {
    this.#log = log
  }

  nextFrames(position: Position, seen: ReadonlySet<string>, author: Author | null): readonly Frame[] {
    const place = positionKey(position)
    const present = this.#presentAfter(place, position)
    const visible = present.filter((audience) => seen.has(audience))
    const own = author !== null && present.includes(author.audience) ? author : null
    const key = `${place}|${JSON.stringify([visible, own])}`
    let frames = this.#frames.get(key)
    if (!frames) {
      frames = this.#log.nextFrames(position, visible, own)
      this.#frames.set(key, frames)
    }
    return frames
  }

  #presentAfter(place: string, position: Position): readonly string[] {
    let present = this.#present.get(place)
    if (!present) {
      present = this.#log.audiencesAfter(position)
      this.#present.set(place, present)
    }
    return present
  }
}

/**
 * Answers the lowest LSN from which a log holds all these audiences, and the mutations of this author that are not
 * settled; null where one of them has not joined.
 */
export function coveredFrom(
  audiences: Iterable<string>,
  startOf: (audience: string) => Lsn | null,
  trimmedTo: Lsn,
  author: Author | null,
): Lsn | null {
  let from = trimmedTo
  for (const audience of audiences) {
    const start = startOf(audience)
    if (start === null) return null
    if (start > from) from = start
  }
  if (author === null) return from
  const start = startOf(author.audience)
  if (start === null) return null
  return start > author.after && start > from ? start : from
}
