import type { LeafShape, TableShape } from '../../db/definition/table-shape.ts'

type ColumnShape = TableShape['columns'][number]

export const shapeColumn = (number: number, name: string, more: Partial<ColumnShape> = {}): ColumnShape => ({
  name,
  number,
  type: 'text',
  notNull: false,
  generated: null,
  made: '1',
  labels: [],
  labelsMade: '',
  base: null,
  length: -1,
  ...more,
})
export const shape = (columns: ColumnShape[], more: Partial<TableShape> = {}): TableShape => ({
  relation: '100',
  kind: 'r',
  persistence: 'p',
  identity: 'f',
  file: '100',
  key: ['id'],
  width: Math.max(...columns.map(({ number }) => number)),
  seenAt: '0/1',
  children: [],
  columns,
  keeping: [],
  leaves: [],
  ...more,
})
export const leaf = (relation: string, more: Partial<LeafShape> = {}): LeafShape => ({
  relation,
  name: `leaf ${relation}`,
  kind: 'r',
  persistence: 'p',
  identity: 'f',
  file: relation,
  born: true,
  empty: false,
  whole: true,
  ...more,
})
