import { expect, test } from 'vitest'
import { formatResult, toObjects } from './format-result.ts'

test('CLI-R37 rows stand below each other, and what would break a line does not', () => {
  const rows = [
    ['1', 'two\nlines'],
    ['10', null],
    ['2', '\u001b[31mred'],
  ]
  const result = { command: 'SELECT', count: 3, columns: ['id', 'title'], rows }
  expect(formatResult(result).split('\n')).toEqual([
    'id │ title',
    '───┼──────────',
    '1  │ two↵lines',
    '10 │',
    '2  │ �[31mred',
    '(3 rows)',
  ])
  expect(toObjects(result)[1]).toEqual({ id: '10', title: null })
})

test('CLI-R37 what answers no rows says what it did', () => {
  const none = { columns: [], rows: [] }
  expect(formatResult({ command: 'UPDATE', count: 2, ...none })).toBe('UPDATE 2')
  expect(formatResult({ command: 'CREATE', count: null, ...none })).toBe('CREATE')
})
