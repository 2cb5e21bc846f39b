import { describe, expect, it } from 'vitest'
import type { ProposedStep } from '../../../db/definition/propose-steps.ts'
import { type Lsn, lsnFromBigInt, ZERO_LSN } from '../../../protocol/index.ts'
import { placeVersion, type ToldRows } from './place-version.ts'

const OLD = [{ name: 'id', type: 'integer', isGenerated: false }]
const NEW = [{ name: 'key', type: 'integer', isGenerated: false }]
const BETWEEN = [{ name: 'other', type: 'integer', isGenerated: false }]
const STORED_BY = 10
const end = (transaction: number): Lsn => lsnFromBigInt(BigInt(transaction * 8))

const step = (table: string, more: Partial<ProposedStep & { seen: Lsn }> = {}) => ({
  relation: table,
  seenAt: '0/0',
  seen: ZERO_LSN,
  step: { table, from: table, columns: [] },
  before: OLD,
  after: NEW,
  isLooser: false,
  ...more,
})
const rows = (relation: string, columns: typeof OLD, first: number, last = first): ToldRows => {
  return { relation, columns, first, last, firstEnd: end(first) }
}
const placed = (told: ToldRows[], steps = [step('a')], isAlone = true) =>
  placeVersion({ isAlone, steps }, { rows: told, storedBy: STORED_BY })
const LOADED = { tables: [], before: null }

describe('the place of a version that follows what others altered', () => {
  it('CAP-R52 is its own where no row is told, or rows of the old look alone', () => {
    expect(placed([])).toEqual({ tables: ['a'], before: null })
    expect(placed([rows('a', OLD, 1, 9), rows('a', NEW, 11)])).toEqual({ tables: ['a'], before: null })
  })

  it('CAP-R52 is before the first row of the new look', () => {
    expect(placed([rows('a', OLD, 1, 3), rows('a', NEW, 5, 12)])).toEqual({ tables: ['a'], before: end(5) })
  })

  it.each([
    ['look otherwise', [rows('a', BETWEEN, 2)]],
    ['are of both looks in one transaction', [rows('a', OLD, 1, 5), rows('a', NEW, 5)]],
    ['are of both looks in turn', [rows('a', OLD, 1), rows('a', NEW, 2), rows('a', OLD, 3), rows('a', NEW, 4)]],
    ['are of the old look beside the version', [rows('a', OLD, STORED_BY)]],
  ])('CAP-R52 a table is loaded where rows %s', (_, told) => {
    expect(placed(told)).toEqual(LOADED)
  })

  it('CAP-R52 rows from before the shape was last compared are of no known shape', () => {
    expect(placed([rows('a', OLD, 2)], [step('a', { seen: end(2) })])).toEqual(LOADED)
    expect(placed([rows('a', OLD, 2)], [step('a', { seen: end(1) })]).tables).toEqual(['a'])
  })

  it('CAP-R52 what looks alike and may hold more comes after the version', () => {
    const alike = { isLooser: true, after: OLD }
    expect(placed([rows('a', OLD, 2, 4)], [step('a', alike)])).toEqual({ tables: ['a'], before: end(2) })
    expect(placed([rows('a', OLD, 2), rows('a', NEW, 4)], [step('a', { isLooser: true })])).toEqual(LOADED)
  })

  it('CAP-R52 generated columns may be told or not', () => {
    const after = [...NEW, { name: 'made', type: 'text', isGenerated: true }]
    for (const told of [after, NEW]) expect(placed([rows('a', told, 3)], [step('a', { after })]).before).toBe(end(3))
    expect(placed([rows('a', [...NEW, ...BETWEEN], 3)], [step('a', { after })])).toEqual(LOADED)
  })

  it('CAP-R52 several tables have one place, or the version has its own for those of which no new row was told', () => {
    const both = [step('a'), step('b')]
    expect(placed([rows('a', NEW, 6), rows('b', OLD, 5), rows('b', NEW, 9)], both)).toEqual({
      tables: ['a', 'b'],
      before: end(6),
    })
    expect(placed([rows('a', NEW, 4), rows('b', OLD, 5)], both)).toEqual({ tables: ['b'], before: null })
    expect(placed([rows('a', BETWEEN, 4), rows('b', NEW, 5)], both)).toEqual(LOADED)
  })

  it('CAP-R52 a version that changes more keeps its place', () => {
    expect(placed([rows('a', NEW, 4)], [step('a'), step('b')], false)).toEqual({ tables: ['b'], before: null })
  })
})
