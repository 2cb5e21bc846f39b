import type { TableShape } from './table-shape.ts'

type ColumnShape = TableShape['columns'][number]

/** A type of the app, as a column of it shows it. */
export type TypeLook = Pick<ColumnShape, 'labels' | 'labelsMade' | 'base'>

/** Returns the app's enums and domains among the columns of these tables, by name, element types of arrays included. */
export function typeLooks(shapes: readonly TableShape[]): ReadonlyMap<string, TypeLook> {
  const columns = shapes.flatMap((shape) => shape.columns)
  const own = columns.filter(({ labels, base }) => labels.length > 0 || base !== null)
  return new Map(own.map((column) => [column.type.replace('[]', ''), column]))
}

/**
 * Tells whether all labels are there still, in their order: each with the row of the catalogue that it had, because a
 * value is kept as a reference to that row, and a label that was given to another would be told of old values too.
 */
export function labelsStay(was: TypeLook, is: TypeLook): boolean {
  const rest = madeLabels(is)
  return madeLabels(was).every((label) => {
    const place = rest.indexOf(label)
    if (place !== -1) rest.splice(0, place + 1)
    return place !== -1
  })
}

function madeLabels({ labels, labelsMade }: TypeLook): string[] {
  const made = labelsMade?.split(' ') ?? []
  return labels.map((label, index) => JSON.stringify([label, made[index] ?? null]))
}

/**
 * Names the way in which the stored bytes of a column become text. Types of which it is the same may replace each other
 * without a rewrite and without another text; a file that stays is not enough, because timestamptz becomes timestamp,
 * or inet cidr, over the same bytes.
 */
export function printedAs({ type, base, labels }: Pick<ColumnShape, 'type' | 'base' | 'labels'>): string {
  const array = type.endsWith('[]') ? '[]' : ''
  if (labels.length > 0) return `enum${array}`
  const name = base === null ? type : `${base}${array}`
  return name.replace(/\([\d, -]+\)/, '').replace(/^character varying/, 'text')
}
