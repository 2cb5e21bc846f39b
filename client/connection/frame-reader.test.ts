import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { wireChangeSchema } from '../../protocol/index.ts'
import { at } from '../../testing/replica/scripted-server.ts'
import { isWireChange, readFrame } from './frame-reader.ts'

const anything = fc.oneof(
  fc.string(),
  fc.constant(null),
  fc.integer(),
  fc.constant(undefined),
  fc.array(fc.string()),
  fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.constant(null), fc.integer())),
)
const shaped = fc.record(
  {
    o: fc.constantFrom('i', 'u', 'd', 't', 'x'),
    t: fc.oneof({ weight: 5, arbitrary: fc.string() }, anything),
    a: fc.oneof({ weight: 5, arbitrary: fc.string() }, anything),
    k: fc.oneof({ weight: 5, arbitrary: fc.dictionary(fc.string(), fc.option(fc.string())) }, anything),
    d: fc.oneof({ weight: 5, arbitrary: fc.dictionary(fc.string(), fc.option(fc.string())) }, anything),
  },
  { requiredKeys: ['o'] },
)

describe('frame reader', () => {
  test('WIRE-R3 the quick check of a change accepts exactly what its schema accepts', () => {
    fc.assert(
      fc.property(fc.oneof(shaped, anything), (value) => {
        const text = JSON.stringify(value)
        if (text === undefined) return
        const arrived: unknown = JSON.parse(text)
        expect(isWireChange(arrived)).toBe(wireChangeSchema.safeParse(arrived).success)
      }),
      { numRuns: 5_000 },
    )
  })

  test('WIRE-R3 FLT-10 anything else than a frame is one typed fault', () => {
    const wrong = [
      '',
      '{',
      'null',
      '<html></html>',
      '{"type":"unknown"}',
      JSON.stringify({ type: 'batch', from: at(1), to: at(2), head: at(2) }),
      JSON.stringify({ type: 'batch', from: '0/1', to: at(2), head: at(2), transactions: [] }),
      JSON.stringify({
        type: 'batch',
        from: at(1),
        to: at(2),
        head: at(2),
        transactions: [{ lsn: at(2), xid: 'x', at: '', changes: [] }],
      }),
      JSON.stringify({
        type: 'part',
        from: at(1),
        lsn: at(2),
        head: at(2),
        xid: '1',
        at: '',
        index: -1,
        last: true,
        changes: [],
      }),
    ]
    for (const text of wrong) expect(() => readFrame(text)).toThrow(expect.objectContaining({ kind: 'corrupt' }))
  })
})
