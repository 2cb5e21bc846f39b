import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { bytesOfHex, decodeRelation, PgoutputDecoder } from './decode-pgoutput.ts'
import { planTables } from './table-plan.ts'

const column = (name: string, type = 'text') => ({ name, type, notNull: false, generated: null })
const table = (schema: string, name: string, columns = [column('id'), column('note'), column('file', 'bytea')]) => ({
  id: `${schema}.${name}`,
  schema,
  name,
  columns,
  primaryKey: ['id'],
  audience: { constant: 'all' as const },
  priority: 1,
  uniques: [],
  indexes: [],
  foreignKeys: [],
})
const plans = planTables({
  version: 1,
  hash: 'h',
  definition: {
    types: [],
    tables: [
      table('public', 'item'),
      table('public', 'event'),
      table('public', 'proto', [column('id'), column('org'), column('__proto__')]),
    ],
  },
})

const bytesOf = (text: string) => [...new TextEncoder().encode(text)]
const uint16 = (value: number) => [value >>> 8, value & 255]
const uint32 = (value: number) => [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255]
const uint64 = (value: bigint) => [...uint32(Number(value >> 32n)), ...uint32(Number(value & 0xffffffffn))]
const tag = (letter: string) => letter.charCodeAt(0)

interface RelationColumn {
  readonly name: string
  readonly typeOid?: number
  readonly typmod?: number
}

const relation = (oid: number, schema: string, name: string, ...columns: RelationColumn[]) =>
  Uint8Array.from([
    tag('R'),
    ...uint32(oid),
    ...bytesOf(schema),
    0,
    ...bytesOf(name),
    0,
    tag('f'),
    ...uint16(columns.length),
    ...columns.flatMap((one) => [
      0,
      ...bytesOf(one.name),
      0,
      ...uint32(one.typeOid ?? 25),
      ...uint32(one.typmod ?? -1),
    ]),
  ])

/** undefined: an unchanged TOASTed value. */
const tuple = (...values: (string | null | undefined)[]) => [
  ...uint16(values.length),
  ...values.flatMap((value) => {
    if (value === undefined) return [tag('u')]
    if (value === null) return [tag('n')]
    return [tag('t'), ...uint32(bytesOf(value).length), ...bytesOf(value)]
  }),
]
const message = (letter: string, ...parts: number[]) => Uint8Array.from([tag(letter), ...parts])
const named = (...names: string[]): RelationColumn[] => names.map((name) => ({ name }))

/** A decoder that was told of `item` as relation 1, its columns in another order and a hidden one among them. */
function decoder(): PgoutputDecoder {
  const made = new PgoutputDecoder(plans)
  made.decode(relation(1, 'public', 'item', ...named('note', 'secret', 'id', 'file')))
  return made
}

describe('boundaries', () => {
  test('HIS-03 CAP-R1 a commit stands at its end, above 32 bits too', () => {
    const commit = (end: bigint) =>
      new PgoutputDecoder(plans).decode(message('C', 0, ...uint64(end - 8n), ...uint64(end), ...uint64(0n)))
    expect(commit(0xffffffffn)).toEqual({ type: 'commit', lsn: '00000000ffffffff' })
    expect(commit(0x1_0000_0000n)).toEqual({ type: 'commit', lsn: '0000000100000000' })
    expect(commit(0xffff_ffff_ffff_ffffn)).toEqual({ type: 'commit', lsn: 'ffffffffffffffff' })
  })

  test('SNP-05 a begin has the transaction id without a sign, and its time to the microsecond', () => {
    const begin = message('B', ...uint64(1n), ...uint64(1_000_001n), ...uint32(0xffffffff))
    expect(new PgoutputDecoder(plans).decode(begin)).toEqual({
      type: 'begin',
      xid: '4294967295',
      committedAt: '2000-01-01T00:00:01.000001Z',
    })
  })
})

describe('rows', () => {
  test('CAP-R7 an insert has no old row, and hidden columns are in none', () => {
    const event = decoder().decode(message('I', ...uint32(1), tag('N'), ...tuple('n', 'hidden', '1', null)))
    expect(event).toMatchObject({ type: 'row', plan: { id: 'public.item' }, old: null, new: ['1', 'n', null] })
    expect(JSON.stringify(event)).not.toContain('hidden')
  })

  test('CAP-R3 CAP-04 an unchanged TOASTed value is absent, not NULL', () => {
    const old = [tag('O'), ...tuple('a', 's', '1', '\\x00')]
    expect(
      decoder().decode(message('U', ...uint32(1), ...old, tag('N'), ...tuple('b', 's', '1', undefined))),
    ).toMatchObject({
      old: ['1', 'a', '\\x00'],
      new: ['1', 'b', undefined],
    })
  })

  test('CAP-R17 CAP-17 without the whole old row nothing is known of it', () => {
    const update = (...old: number[]) =>
      decoder().decode(message('U', ...uint32(1), ...old, tag('N'), ...tuple('b', 's', '2', null)))
    expect(update()).toMatchObject({ old: [], new: ['2', 'b', null] })
    expect(update(tag('K'), ...tuple(null, null, '1', null))).toMatchObject({ old: [], new: ['2', 'b', null] })
    const deleted = message('D', ...uint32(1), tag('K'), ...tuple(null, null, '1', null))
    expect(decoder().decode(deleted)).toMatchObject({ old: [], new: null })
  })

  test('every tuple arrives in the order of the plan, whatever that of the table and whatever a column is called', () => {
    const text = fc.option(fc.string({ unit: 'binary' }), { nil: null })
    fc.assert(
      fc.property(text, text, (first, second) => {
        const told = new PgoutputDecoder(plans)
        expect(told.decode(relation(1, 'public', 'proto', ...named('__proto__', 'hidden', 'id', 'org')))).toBeNull()
        const old = [tag('O'), ...tuple(first, 'h', '1', 'a')]
        expect(
          told.decode(message('U', ...uint32(1), ...old, tag('N'), ...tuple(undefined, 'h', '1', second))),
        ).toMatchObject({ old: ['1', 'a', first], new: ['1', second, undefined] })
      }),
    )
  })

  test('a delete has its old row alone', () => {
    expect(decoder().decode(message('D', ...uint32(1), tag('O'), ...tuple('a', 's', '1', null)))).toMatchObject({
      old: ['1', 'a', null],
      new: null,
    })
  })

  test.each([
    ['empty', ''],
    ['of ASCII', 'plain'],
    ['of exactly the length that is read by hand', 'x'.repeat(24)],
    ['longer than that', 'x'.repeat(25)],
    ['short and beyond ASCII', 'ä💧'],
    ['long and beyond ASCII', `${'x'.repeat(30)}ä`],
    ['with a mark of byte order in front', '\ufeffa'],
    ['with a mark of byte order, long', `\ufeff${'y'.repeat(30)}`],
    ['of control characters', '\u0001\u007f'],
  ])('CAP-13 CAP-R23 a text %s arrives as it was', (_, text) => {
    const insert = message('I', ...uint32(1), tag('N'), ...tuple(text, null, '1', null))
    expect(decoder().decode(insert)).toMatchObject({ new: ['1', text, null] })
  })

  test('a message is read from its own place in a larger buffer', () => {
    const insert = message('I', ...uint32(1), tag('N'), ...tuple('n', null, '1', null))
    const page = Uint8Array.from([9, 9, 9, ...insert, 9, 9])
    expect(decoder().decode(page.subarray(3, 3 + insert.length))).toMatchObject({ new: ['1', 'n', null] })
  })
})

describe('relations', () => {
  test('a relation told again holds from there on: its columns may stand elsewhere, or be others', () => {
    const told = decoder()
    told.decode(relation(1, 'public', 'item', ...named('id', 'note')))
    expect(told.decode(message('I', ...uint32(1), tag('N'), ...tuple('1', 'n')))).toMatchObject({
      new: ['1', 'n', undefined],
    })
  })

  test('CAP-R24 each call needs a decoder of its own: what another was told is not known', () => {
    decoder()
    const row = message('I', ...uint32(1), tag('N'), ...tuple('n', 's', '1', null))
    expect(() => new PgoutputDecoder(plans).decode(row)).toThrow(expect.objectContaining({ kind: 'corrupt' }))
  })

  test('a table of that name in another schema is not synced, and what happens to it is not told', () => {
    const told = new PgoutputDecoder(plans)
    told.decode(relation(7, 'private', 'item', ...named('id')))
    expect(told.decode(message('I', ...uint32(7), tag('N'), ...tuple('1')))).toBeNull()
  })

  test('CAP-R38 a relation is told with numbers and lengths of its types; a type of Postgres’ own has an empty schema', () => {
    const bytes = relation(
      70_000,
      '',
      'pg_thing',
      { name: 'a', typeOid: 1700, typmod: 655_366 },
      { name: 'b', typmod: -1 },
    )
    expect(decodeRelation(bytes)).toEqual({
      oid: 70_000,
      schema: 'pg_catalog',
      name: 'pg_thing',
      columns: [
        { name: 'a', typeOid: 1700, typmod: 655_366 },
        { name: 'b', typeOid: 25, typmod: -1 },
      ],
    })
  })
})

test('CAP-R6 CAP-09 a TRUNCATE of several tables names the synced ones, in its order', () => {
  const told = decoder()
  told.decode(relation(2, 'public', 'other', ...named('id')))
  told.decode(relation(3, 'public', 'event', ...named('id')))
  const event = told.decode(message('T', ...uint32(3), 1, ...uint32(3), ...uint32(2), ...uint32(1)))
  expect(event?.type === 'truncate' && event.plans.map(({ id }) => id)).toEqual(['public.event', 'public.item'])
  expect(told.decode(message('T', ...uint32(1), 0, ...uint32(2)))).toEqual({ type: 'truncate', plans: [] })
})

describe('messages', () => {
  const logical = (flags: number, prefix: string, content: string) =>
    message('M', flags, ...uint64(1n), ...bytesOf(prefix), 0, ...uint32(bytesOf(content).length), ...bytesOf(content))

  test('CAP-22 CAP-R32 what is said of the transaction is told as it was said', () => {
    const content = '{"by":"ä","n":12345678901234567890}'
    expect(decoder().decode(logical(1, 'tidemark.annotate', content))).toEqual({
      type: 'annotation',
      metadata: content,
    })
  })

  test('CAP-22 CAP-R32 one that is not transactional, of another prefix or no object says nothing', () => {
    expect(decoder().decode(logical(0, 'tidemark.annotate', '{"a":1}'))).toBeNull()
    expect(decoder().decode(logical(1, 'app', '{"a":1}'))).toBeNull()
    expect(decoder().decode(logical(1, 'tidemark.annotate', '"a"'))).toBeNull()
  })
})

test('origins and types say nothing', () => {
  expect(decoder().decode(message('O', ...uint64(1n), ...bytesOf('node'), 0))).toBeNull()
  expect(decoder().decode(message('Y', ...uint32(9), ...bytesOf('s'), 0, ...bytesOf('t'), 0))).toBeNull()
})

test('a kind of message, or of value, that is not known is corrupt', () => {
  const corrupt = expect.objectContaining({ kind: 'corrupt' })
  expect(() => decoder().decode(message('S', ...uint32(1)))).toThrow(corrupt)
  const binary = message('I', ...uint32(1), tag('N'), ...uint16(1), tag('b'), ...uint32(1), 0)
  expect(() => decoder().decode(binary)).toThrow(corrupt)
})

test('the bytes of a page are those that Postgres printed in hex', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      const hex = `\\x${[...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`
      expect(bytesOfHex(hex)).toEqual(bytes)
    }),
  )
})
