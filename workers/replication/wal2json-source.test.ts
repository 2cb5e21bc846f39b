import { expect, test } from 'vitest'
import { wal2jsonName } from './wal2json-source.ts'

test('a name of a list of tables escapes what has a meaning there', () => {
  expect(wal2jsonName('a.b, *\\')).toBe('a\\.b\\,\\ \\*\\\\')
})
