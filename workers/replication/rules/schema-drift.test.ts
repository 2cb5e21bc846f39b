import { expect, test } from 'vitest'
import type { Drift } from '../../../db/definition/compare-shapes.ts'
import { SchemaDrift } from './schema-drift.ts'

const rows: Drift = { table: 'public.note', kind: 'rows', what: 'was rewritten' }
const shape: Drift = { table: 'public.item', kind: 'shape', what: 'has column a as text, not integer' }

test('CAP-R37 the message names every table and what became of it, and says what to do', () => {
  const { message } = new SchemaDrift([shape, rows])
  expect(message).toContain('Table public.item has column a as text, not integer.')
  expect(message).toContain('Table public.note was rewritten.')
  expect(message).toMatch(/tidemark migrate/)
})

test('CAP-R38 nobody is asked to migrate where rows alone are in doubt', () => {
  const { message } = new SchemaDrift([rows, { ...rows, table: 'public.other' }])
  expect(message).not.toMatch(/migrate/)
  expect(message).toMatch(/load it anew by themselves/)
})

test('CAP-R17 it is an error of its kind, and carries what drifted', () => {
  const error = new SchemaDrift([rows, shape])
  expect(error).toMatchObject({ kind: 'schema-drift', drifts: [rows, shape] })
})
