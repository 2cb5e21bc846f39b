import { TidemarkError } from '../../../protocol/index.ts'
import type { HeldResult } from '../live-messages.ts'

/** A change as PGlite's `live.changes` names it, beside the columns of its row. */
export interface KeyedChange {
  readonly __op__: 'INSERT' | 'DELETE' | 'UPDATE' | 'RESET'
  readonly __after__?: unknown
  readonly __changed_columns__?: readonly string[]
  readonly [column: string]: unknown
}

/** A result with its rows made, in the order of its text. */
export interface MadeResult {
  readonly raw: HeldResult
  readonly rows: readonly Readonly<Record<string, unknown>>[]
}

interface KeyedRow {
  readonly text: readonly (string | null)[]
  readonly row: Readonly<Record<string, unknown>>
  /** The key of the row before it, as text and as made. */
  readonly after: { readonly text: string | null; readonly value: unknown }
}

/**
 * Answers how one result becomes another, by a column that names its rows: what came, what went, and of changed rows the
 * columns that changed. `__after__` is the key of the row before. With other columns everything comes anew, after a RESET.
 *
 * Throws `bad-input` where no column has that name.
 */
export function changesByKey(before: MadeResult | null, after: MadeResult, key: string): KeyedChange[] {
  if (before !== null && JSON.stringify(before.raw.fields) !== JSON.stringify(after.raw.fields))
    return [{ __op__: 'RESET' }, ...changesByKey(null, after, key)]
  const old = before === null ? new Map<string, KeyedRow>() : keyed(before, key)
  const next = keyed(after, key)
  const names = after.raw.fields.map(({ name }) => name)
  const inserts = [...next].flatMap(
    ([
      id,
      {
        row,
        after: { value },
      },
    ]) => (old.has(id) ? [] : [{ ...row, __op__: 'INSERT' as const, __after__: value, __changed_columns__: [] }]),
  )
  const deletes = [...old].flatMap(([id, { row }]) =>
    next.has(id)
      ? []
      : [{ ...onlyOf(row, names, [key]), __op__: 'DELETE' as const, __after__: null, __changed_columns__: [] }],
  )
  const updates = [...next].flatMap(([id, now]) => {
    const was = old.get(id)
    if (!was) return []
    const changed = names.filter((_, index) => was.text[index] !== now.text[index])
    const moved = was.after.text !== now.after.text
    if (changed.length === 0 && !moved) return []
    return [
      {
        ...onlyOf(now.row, names, [key, ...changed]),
        __op__: 'UPDATE' as const,
        __after__: moved ? now.after.value : null,
        __changed_columns__: moved ? [...changed, '__after__'] : changed,
      },
    ]
  })
  return [...inserts, ...deletes, ...updates]
}

function keyed({ raw, rows }: MadeResult, key: string): Map<string, KeyedRow> {
  const place = raw.fields.findIndex(({ name }) => name === key)
  if (place < 0) throw new TidemarkError('bad-input', `The live query has no column ${key}, which is to be its key.`)
  const byKey = new Map<string, KeyedRow>()
  let after: KeyedRow['after'] = { text: null, value: null }
  for (const [index, text] of raw.rows.entries()) {
    const row = rows[index] ?? {}
    byKey.set(text[place] ?? '', { text, row, after })
    after = { text: text[place] ?? null, value: row[key] }
  }
  return byKey
}

function onlyOf(
  row: Readonly<Record<string, unknown>>,
  names: readonly string[],
  shown: readonly string[],
): Record<string, unknown> {
  return Object.fromEntries(names.map((name) => [name, shown.includes(name) ? row[name] : null]))
}
