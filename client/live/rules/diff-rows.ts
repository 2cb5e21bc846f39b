import type { RawRow } from '../../store/text-result.ts'

/** A part of a result: rows of the one before, from a place on, or rows that it did not have. */
export type RowPart<Row = RawRow> =
  | { readonly from: number; readonly count: number }
  | { readonly rows: readonly Row[] }

const sameRow = (one: RawRow | undefined, other: RawRow | undefined): boolean =>
  one === other ||
  (one !== undefined &&
    other !== undefined &&
    one.length === other.length &&
    one.every((value, index) => value === other[index]))

/** Answers whether the parts are just the rows that were there. */
export const isUnchanged = (parts: readonly RowPart<unknown>[], held: number): boolean =>
  parts.length === 0 ? held === 0 : parts.length === 1 && isWhole(parts[0], held)

const isWhole = (part: RowPart<unknown> | undefined, held: number): boolean =>
  part !== undefined && 'from' in part && part.from === 0 && part.count === held

/** Writes a result in parts of the one that is held: a row that is there with the same content is not sent again. */
export function diffRows(held: readonly RawRow[], next: readonly RawRow[]): RowPart[] {
  const parts = new Parts()
  const most = Math.min(held.length, next.length)
  let start = 0
  while (start < most && sameRow(held[start], next[start])) start++
  let tail = 0
  while (tail < most - start && sameRow(held[held.length - 1 - tail], next[next.length - 1 - tail])) tail++
  parts.keep(0, start)
  const places = placesByContent(held, start, held.length - tail)
  for (const row of next.slice(start, next.length - tail)) {
    const place = places.get(contentOf(row))?.pop()
    if (place === undefined) parts.add(row)
    else parts.keep(place, 1)
  }
  parts.keep(held.length - tail, tail)
  return parts.all
}

/** Equal rows are used from the first on. */
function placesByContent(rows: readonly RawRow[], start: number, end: number): Map<string, number[]> {
  const places = new Map<string, number[]>()
  for (let place = end - 1; place >= start; place--) {
    const content = contentOf(rows[place] ?? [])
    const equal = places.get(content)
    if (equal) equal.push(place)
    else places.set(content, [place])
  }
  return places
}

const contentOf = (row: RawRow) => JSON.stringify(row)

class Parts {
  readonly all: RowPart[] = []
  #kept: { from: number; count: number } | null = null
  #added: RawRow[] | null = null

  keep(from: number, count: number): void {
    if (count === 0) return
    this.#added = null
    if (this.#kept && this.#kept.from + this.#kept.count === from) {
      this.#kept.count += count
      return
    }
    this.#kept = { from, count }
    this.all.push(this.#kept)
  }

  add(row: RawRow): void {
    this.#kept = null
    if (this.#added === null) {
      this.#added = []
      this.all.push({ rows: this.#added })
    }
    this.#added.push(row)
  }
}

/** Makes a result from its parts and the rows that were there, of whatever kind they are. */
export function applyDiff<Row>(held: readonly Row[], parts: readonly RowPart<Row>[]): Row[] {
  return parts.flatMap((part) => ('rows' in part ? part.rows : held.slice(part.from, part.from + part.count)))
}
