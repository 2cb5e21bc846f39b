import { describe, expect, test } from 'vitest'
import type { Definition } from '../../../protocol/index.ts'
import { holdsSql } from './holds-sql.ts'

const types: Definition['types'] = [
  { schema: 'public', name: 'price', statement: 'CREATE DOMAIN public.price AS numeric(10,2)' },
  { schema: 'public', name: 'doc', statement: 'CREATE DOMAIN public.doc AS json' },
  { schema: 'public', name: 'code', statement: 'CREATE DOMAIN public.code AS text' },
]
const holds = (type: string, name = 'a') => holdsSql({ name, type, notNull: false, generated: null }, '$text', types)

describe('whether a column holds a value', () => {
  test.each(['numeric', 'numeric(10,2)', 'public.price'])(
    'FLD-75 PSH-R23 is asked by value of %s, at no scale but its own',
    (type) => {
      expect(holds(type)).toContain('"a"::numeric = $text::numeric')
    },
  )

  test.each(['numeric[]', 'numeric(10,2)[]', 'public.price[]'])(
    'FLD-75 PSH-R23 is asked by value of %s, element by element',
    (type) => {
      expect(holds(type)).toContain('"a"::numeric[] = $text::numeric[]')
    },
  )

  test.each(['json', 'json[]', 'public.doc', 'public.doc[]'])(
    'CON-09 FLD-76 PSH-R23 is asked of %s as jsonb prints it, never of jsonb itself, which may not take it',
    (type) => {
      expect(holds(type)).toContain('tidemark.json_seen("a"::json')
      expect(holds(type)).not.toContain('jsonb')
    },
  )

  test.each([
    'text',
    'character varying(20)',
    'character(3)',
    'boolean',
    'time with time zone',
    'interval',
    'double precision',
    'jsonb',
    'inet',
    'box',
    'text[]',
    'public.code',
    'public.unknown',
  ])('FLD-74 PSH-R23 is asked of %s by what is printed alone, byte for byte', (type) => {
    const sql = holds(type)
    // Neither side of an equality but has the collation of bytes, and none is of the type itself.
    for (const equality of sql.split('\n').filter((line) => line.includes(' = ')))
      expect(equality).toMatch(/COLLATE "C" = /)
    expect(sql).not.toMatch(/"a" = /)
  })

  test('CON-09 PSH-R23 is true of two NULLs, and of no NULL and a value', () => {
    const [first = '', second = ''] = holds('text').split('\n')
    expect(first).toContain('$text IS NULL OR "a" IS NOT DISTINCT FROM NULL')
    expect(second).toContain('$text IS NULL AND "a" IS NOT DISTINCT FROM NULL')
  })

  test('FLD-76 PSH-R23 is settled before anything is read where both print alike: reading might fail', () => {
    const sql = holds('public.price')
    const alike = sql.indexOf('= $text THEN true')
    expect(alike).toBeGreaterThan(-1)
    expect(sql.indexOf('$text::')).toBeGreaterThan(alike)
  })

  test('FLD-76 PSH-R23 never reads a value by a domain, whose checks what is held may fail', () => {
    for (const type of ['public.price', 'public.code', 'public.doc', 'public.price[]'])
      expect(holds(type)).not.toMatch(/::public\./)
  })

  test('PSH-R4 names the column quoted, whatever it is called', () => {
    const sql = holds('text', 'a" OR true --')
    expect(sql).toContain('"a"" OR true --"')
    expect(sql.replaceAll('"a"" OR true --"', '')).not.toContain('OR true')
  })
})
