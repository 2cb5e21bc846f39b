import { describe, expect, it } from 'vitest'
import { quoteIdentifier, quoteLiteral, quoteTable, tableId } from './sql-identifier.ts'

describe('sql identifiers', () => {
  it('SEC-05 makes SQL in names inert', () => {
    expect(quoteIdentifier('x"; DROP TABLE y; --')).toBe('"x""; DROP TABLE y; --"')
    expect(quoteLiteral("a'b")).toBe("'a''b'")
    expect(quoteLiteral("a\\'b")).toBe(" E'a\\\\''b'")
  })

  it('CAP-13 tells twins in two schemas and dotted names apart', () => {
    const names = [
      { schema: 'public', name: 'a.b' },
      { schema: 'public.a', name: 'b' },
      { schema: 'public', name: 'Issue' },
      { schema: 'public', name: 'issue' },
      { schema: 'other', name: 'issue' },
    ]
    const ids = names.map(tableId)
    expect(new Set(ids).size).toBe(names.length)
    expect(ids).toEqual(['public."a.b"', '"public.a".b', 'public."Issue"', 'public.issue', 'other.issue'])
    expect(quoteTable({ schema: 'public', name: 'Issue' })).toBe('"public"."Issue"')
  })
})
