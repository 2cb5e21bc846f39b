import type { Basis, PatchRow } from '../../../protocol/index.ts'
import { mergeRows, rowName } from './merge-rows.ts'

/** An unsettled mutation, as far as squashing looks at it. */
export interface Squashable {
  readonly counter: number
  /** A patch in effect here, never attempted, whose rows nothing foreign has touched since. */
  readonly open: boolean
  readonly kind: 'patch' | 'action'
  /** The tab that made it, whose undo is its own; null where there are no tabs. */
  readonly tab: string | null
  /** The rows of a patch; empty for an action. */
  readonly rows: readonly PatchRow[]
  /** Names of further rows that it wrote by a cascade. */
  readonly cascaded: readonly string[]
  /** The earlier mutations with which it falls. */
  readonly after: readonly number[]
}

/** The constraints of a table, which decide whether writes to it may change places with writes to others. */
export interface TableTies {
  /** Columns of its key, of a unique constraint, of a foreign key to or from it. */
  readonly columns: ReadonlySet<string>
  /** Tables that refer to it, or to which it refers. */
  readonly tables: ReadonlySet<string>
}

/** A patch that squashing changed: it holds later ones, lost columns or rows, or names other mutations as bases. */
export interface Squash {
  readonly counter: number
  /** The later patches that became part of it. */
  readonly squashed: readonly number[]
  /** The rows left to send; where there are none, nothing is left of the patch. */
  readonly rows: readonly PatchRow[]
  readonly after: readonly number[]
}

interface Head {
  readonly first: Squashable
  readonly squashed: number[]
  rows: readonly PatchRow[]
  readonly after: Set<number>
  /** Names of all rows that it or a patch squashed into it wrote. */
  readonly touched: Set<string>
  readonly tables: Set<string>
}

/**
 * Squashes never-attempted patches into the last earlier one that wrote the same rows, where nothing between could notice.
 *
 * Mutations come in counter order, all that are unsettled. Rules OBX-R1 to OBX-R3.
 */
export function squash(mutations: readonly Squashable[], tiesOf: (table: string) => TableTies): readonly Squash[] {
  const heads: Head[] = []
  for (const mutation of mutations) {
    const place = placeFor(mutation, heads, tiesOf)
    if (place === null) heads.push(makeHead(mutation))
    else squashInto(place, mutation)
  }
  const built = namedAsBasis(heads)
  const headOfSquashed = new Map(heads.flatMap(({ first, squashed }) => squashed.map((one) => [one, first.counter])))
  return heads.flatMap((head) => {
    const { first, squashed } = head
    const kept = first.open ? withoutReturned(head, built) : head.rows
    const rows = kept.map((row) => withBasesAmong(row, headOfSquashed))
    if (
      squashed.length === 0 &&
      rows.length === first.rows.length &&
      rows.every((row, index) => row === first.rows[index])
    )
      return []
    const after = new Set([...head.after].map((counter) => headOfSquashed.get(counter) ?? counter))
    after.delete(first.counter)
    return [{ counter: first.counter, squashed, rows, after: [...after].sort((a, b) => a - b) }]
  })
}

/** Renames bases from mutations that were squashed to those that they are part of now. */
function withBasesAmong(row: PatchRow, headOfSquashed: ReadonlyMap<number, number>): PatchRow {
  if (row.o !== 'u') return row
  const bases = Object.entries(row.b)
  if (!bases.some(([, basis]) => 'm' in basis && headOfSquashed.has(basis.m))) return row
  const renamed = bases.map(([column, basis]): [string, Basis] => [
    column,
    'm' in basis ? { m: headOfSquashed.get(basis.m) ?? basis.m } : basis,
  ])
  return { ...row, b: Object.fromEntries(renamed) }
}

function makeHead(mutation: Squashable): Head {
  return {
    first: mutation,
    squashed: [],
    rows: mutation.rows,
    after: new Set(mutation.after),
    touched: new Set([...mutation.rows.map(rowName), ...mutation.cascaded]),
    tables: new Set(mutation.rows.map(({ t }) => t)),
  }
}

function squashInto(head: Head, { counter, rows, after }: Squashable): void {
  head.squashed.push(counter)
  head.rows = mergeRows(head.rows, rows)
  for (const earlier of after) head.after.add(earlier)
}

function placeFor(mutation: Squashable, heads: readonly Head[], tiesOf: (table: string) => TableTies): Head | null {
  // Its deletes cascade to rows of other mutations, which would come after it.
  if (!mutation.open || mutation.cascaded.length > 0) return null
  const names = mutation.rows.map(rowName)
  const index = heads.findLastIndex(({ touched }) => names.some((name) => touched.has(name)))
  const head = heads[index]
  if (!head?.first.open || head.first.tab !== mutation.tab) return null
  const held = new Set(head.rows.map(rowName))
  if (!names.every((name) => held.has(name))) return null
  const members = new Set([head.first.counter, ...head.squashed])
  const isTied = bearsOnOthers(mutation, tiesOf)
  const near = new Set(mutation.rows.flatMap(({ t }) => [t, ...tiesOf(t).tables]))
  const blocked = heads.slice(index + 1).some((between) => {
    if (between.first.kind === 'action') return true
    if ([...between.after].some((counter) => members.has(counter))) return true
    if ([between.first.counter, ...between.squashed].some((counter) => mutation.after.includes(counter))) return true
    return isTied && [...between.tables].some((table) => near.has(table))
  })
  return blocked ? null : head
}

/** Answers whether it inserts, deletes, or changes a column that a constraint looks at. */
function bearsOnOthers({ rows }: Squashable, tiesOf: (table: string) => TableTies): boolean {
  return rows.some((row) => row.o !== 'u' || Object.keys(row.d).some((name) => tiesOf(row.t).columns.has(name)))
}

const columnName = (counter: number, row: PatchRow, column: string) => `${counter} ${rowName(row)} ${column}`

function namedAsBasis(heads: readonly Head[]): ReadonlySet<string> {
  const named = new Set<string>()
  for (const { rows } of heads) {
    for (const row of rows) {
      if (row.o !== 'u') continue
      for (const [column, basis] of Object.entries(row.b)) {
        if ('m' in basis) named.add(columnName(basis.m, row, column))
      }
    }
  }
  return named
}

/** Leaves out columns that are back at the value their author first saw, unless a later mutation builds on them. */
function withoutReturned({ first, squashed, rows }: Head, built: ReadonlySet<string>): readonly PatchRow[] {
  const members = [first.counter, ...squashed]
  return rows.flatMap((row): PatchRow[] => {
    if (row.o !== 'u') return [row]
    const kept = Object.entries(row.d).filter(([column, value]) => {
      const basis = row.b[column]
      const returned = basis !== undefined && 'v' in basis && basis.v === value
      return !returned || members.some((counter) => built.has(columnName(counter, row, column)))
    })
    if (kept.length === Object.keys(row.d).length) return [row]
    if (kept.length === 0) return []
    const b = Object.fromEntries(Object.entries(row.b).filter(([column]) => kept.some(([name]) => name === column)))
    return [{ ...row, d: Object.fromEntries(kept), b }]
  })
}
