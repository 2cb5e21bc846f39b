import { expect, test } from 'vitest'
import type { PatchRow } from '../../../protocol/index.ts'
import { column, defineTable } from '../../../testing/replica/definitions.ts'
import type { PatchStep } from './check-patch.ts'
import { isNoKey, isUnleased, leasedKeysGiven, unleasedKeys } from './leased-keys.ts'

const numbered = defineTable('t', [column('id', 'integer', { leased: 'public.s' }), column('org')])
const plain = defineTable('p', [column('id')])
const step = (op: PatchStep['op'], id: string, table = numbered): PatchStep => ({
  op,
  table,
  row: { o: 'i', t: table.id, a: 'org:a', k: { id }, d: { id } } satisfies PatchRow,
  columns: [],
})

test('LSE-R2 only keys that new rows are given are asked for, and only such as a sequence has', () => {
  expect(
    leasedKeysGiven([step('insert', '1'), step('update', '2'), step('delete', '3'), step('insert', 'x', plain)]),
  ).toBe('{"public.s":["1"]}')
  expect(leasedKeysGiven([step('insert', 'x', plain), step('update', '2')])).toBeNull()
  const unleased = unleasedKeys('[["public.s","4"]]')
  expect(
    [step('insert', '4'), step('insert', '5'), step('insert', '4', plain)].map((one) => isUnleased(one, unleased)),
  ).toEqual([true, false, false])
  expect(unleasedKeys(null).size).toBe(0)
  const odd = ['1', '-9', '0', '9223372036854775807', '9223372036854775808', '01', '-0', '', ' 1', '1.0']
  expect(odd.filter((id) => isNoKey(step('insert', id)))).toEqual(odd.slice(4))
  expect(isNoKey(step('insert', 'x', plain))).toBe(false)
})
