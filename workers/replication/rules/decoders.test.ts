import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isoOfMicroseconds, isoOfPostgresText } from './commit-time.ts'
import { bytesOfHex, PgoutputDecoder } from './decode-pgoutput.ts'
import { decodeWal2json } from './decode-wal2json.ts'
import type { SourceEvent } from './source-event.ts'
import { planTable, planTables, rowToJson } from './table-plan.ts'

const TABLE = {
  id: 'public.item',
  schema: 'public',
  name: 'item',
  columns: ['id:integer', 'org:text', 'bytes:bytea', 'flag:boolean', '__proto__:text'].map((column) => {
    const [name = '', type = ''] = column.split(':')
    return { name, type, notNull: false, generated: null }
  }),
  primaryKey: ['id'],
  audience: { column: 'org', prefix: 'org' },
  priority: 100,
  uniques: [],
  indexes: [],
  foreignKeys: [],
}
const plans = planTables({ version: 1, hash: 'h', definition: { types: [], tables: [TABLE] } })
const plan = planTable(TABLE)

const rowOf = (event: SourceEvent | null) => (event?.type === 'row' ? { old: event.old, new: event.new } : null)
const valueArbitrary = fc.option(fc.string({ unit: 'binary' }), { nil: null })

describe('wal2json', () => {
  const line = (action: string, fields: object) =>
    JSON.stringify({
      action,
      xid: 7,
      timestamp: '2026-01-02 03:04:05.6+00',
      lsn: '0/1',
      schema: 'public',
      table: 'item',
      ...fields,
    })

  test('numbers are read from their source text, booleans and bytea as Postgres prints them', () => {
    const text =
      '{"action":"I","xid":1,"schema":"public","table":"item","columns":[{"name":"id","value":9007199254740993},{"name":"org","value":1.5e+300},{"name":"extra","value":-0.10},{"name":"bytes","value":"00ff"},{"name":"flag","value":true}]}'
    expect(rowOf(decodeWal2json(text, plans))).toEqual({
      old: null,
      new: ['9007199254740993', '1.5e+300', '\\x00ff', 't', undefined],
    })
  })

  test('CAP-R2 a begin carries the end of its transaction', () => {
    const begin =
      '{"action":"B","xid":4294967295,"timestamp":"2026-01-02 03:04:05.6+00","lsn":"0/1","nextlsn":"A/FFFFFFFF"}'
    expect(decodeWal2json(begin, plans)).toEqual({
      type: 'begin',
      xid: '4294967295',
      lsn: '0000000affffffff',
      committedAt: '2026-01-02T03:04:05.600000Z',
    })
    expect(decodeWal2json('{"action":"C","xid":1}', plans)).toEqual({ type: 'commit' })
    expect(
      decodeWal2json('{"action":"M","xid":null,"transactional":false,"prefix":"p","content":"c"}', plans),
    ).toBeNull()
  })

  test('every text arrives as it was, wherever quotes and backslashes stand', () => {
    fc.assert(
      fc.property(valueArbitrary, valueArbitrary, (first, second) => {
        const text = line('U', {
          columns: [
            { name: 'id', value: 1 },
            { name: 'org', value: first },
          ],
          identity: [
            { name: 'id', value: 2 },
            { name: '__proto__', value: second },
          ],
        })
        expect(rowOf(decodeWal2json(text, plans))).toEqual({
          new: ['1', first, undefined, undefined, undefined],
          old: ['2', undefined, undefined, undefined, second],
        })
      }),
    )
  })

  test('unsynced tables say nothing, and anything else is corrupt', () => {
    expect(decodeWal2json('{"action":"I","schema":"public","table":"other","columns":[]}', plans)).toBeNull()
    for (const text of [
      '',
      '{}',
      '{"action":"X"}',
      '{"action":"I","schema":"public","table":"item","columns":[{"name":"id"',
    ]) {
      expect(() => decodeWal2json(text, plans), text).toThrow(expect.objectContaining({ kind: 'corrupt' }))
    }
  })
})

describe('pgoutput', () => {
  const text = (value: string) => [...new TextEncoder().encode(value)]
  const uint32 = (value: number) => [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255]
  const uint16 = (value: number) => [value >>> 8, value & 255]
  const relation = (oid: number, name: string, columns: string[]) =>
    Uint8Array.from([
      82,
      ...uint32(oid),
      ...text('public'),
      0,
      ...text(name),
      0,
      102,
      ...uint16(columns.length),
      ...columns.flatMap((column) => [1, ...text(column), 0, ...uint32(25), ...uint32(0)]),
    ])
  const tuple = (values: (string | null | undefined)[]) => [
    ...uint16(values.length),
    ...values.flatMap((value) =>
      value === undefined ? [117] : value === null ? [110] : [116, ...uint32(text(value).length), ...text(value)],
    ),
  ]

  test('every tuple arrives in the order of the plan, whatever that of the table', () => {
    fc.assert(
      fc.property(valueArbitrary, valueArbitrary, (first, second) => {
        const decoder = new PgoutputDecoder(plans)
        expect(decoder.decode(relation(1, 'item', ['__proto__', 'hidden', 'id', 'org']))).toBeNull()
        const update = Uint8Array.from([
          85,
          ...uint32(1),
          79,
          ...tuple([first, 'h', '1', 'a']),
          78,
          ...tuple([undefined, 'h', '1', second]),
        ])
        expect(decoder.decode(update)).toMatchObject({
          old: ['1', 'a', undefined, undefined, first],
          new: ['1', second, undefined, undefined, undefined],
        })
      }),
    )
  })

  test('CAP-R17 an old tuple of the key alone is no old row', () => {
    const decoder = new PgoutputDecoder(plans)
    decoder.decode(relation(1, 'item', ['id', 'org']))
    expect(decoder.decode(Uint8Array.from([68, ...uint32(1), 75, ...tuple(['1', null])]))).toMatchObject({
      old: [],
      new: null,
    })
    expect(decoder.decode(Uint8Array.from([85, ...uint32(1), 78, ...tuple(['1', null])]))).toMatchObject({ old: [] })
  })

  test('unsynced tables, logical messages and types say nothing; anything else is corrupt', () => {
    const decoder = new PgoutputDecoder(plans)
    decoder.decode(relation(2, 'other', ['id']))
    expect(decoder.decode(Uint8Array.from([73, ...uint32(2), 78, ...tuple(['1'])]))).toBeNull()
    expect(decoder.decode(Uint8Array.from([77, 0]))).toBeNull()
    expect(decoder.decode(Uint8Array.from([84, ...uint32(1), 0, ...uint32(2)]))).toEqual({
      type: 'truncate',
      plans: [],
    })
    expect(() => decoder.decode(Uint8Array.from([73, ...uint32(9)]))).toThrow(
      expect.objectContaining({ kind: 'corrupt' }),
    )
    expect(() => decoder.decode(Uint8Array.from([1]))).toThrow(expect.objectContaining({ kind: 'corrupt' }))
  })

  test('hex becomes bytes', () => {
    expect([...bytesOfHex('\\x00ff7a')]).toEqual([0, 255, 122])
    expect([...bytesOfHex('\\x')]).toEqual([])
  })
})

test('both decoders say a commit time alike, to the microsecond', () => {
  expect(isoOfPostgresText('2026-11-20 11:40:25.72+00')).toBe('2026-11-20T11:40:25.720000Z')
  expect(isoOfPostgresText('2026-11-20 11:40:25+00')).toBe('2026-11-20T11:40:25.000000Z')
  const micros = BigInt(Date.UTC(2026, 10, 20, 11, 40, 25) - Date.UTC(2000, 0, 1)) * 1000n
  expect(isoOfMicroseconds(micros + 720_001n)).toBe('2026-11-20T11:40:25.720001Z')
})

test('a row becomes JSON that reads back as it was, a prototype key included', () => {
  fc.assert(
    fc.property(fc.array(valueArbitrary, { minLength: 5, maxLength: 5 }), (values) => {
      const read = JSON.parse(rowToJson(plan, values))
      expect(plan.columns.map((column) => Object.getOwnPropertyDescriptor(read, column)?.value)).toEqual(values)
    }),
  )
})
