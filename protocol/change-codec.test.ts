import { describe, expect, it } from 'vitest'
import type { Change } from './change.ts'
import { decodeChange, encodeChange } from './change-codec.ts'
import { encodeCopyLine } from './copy-text.ts'
import { wireChangeSchema } from './frames-down.ts'

const changes: Change[] = [
  { op: 'insert', table: 'public.t', audience: 'org:1', data: { id: '1', note: null, text: 'a\u0001\\\t😀' } },
  { op: 'update', table: 'public.t', audience: 'org:1', key: { id: '1' }, data: { note: '' } },
  { op: 'delete', table: 'public.t', audience: 'org:1', key: { id: '1' } },
  { op: 'truncate', table: 'public.t', audience: null },
]

describe('changes on the wire', () => {
  it('CAP-13 CAP-11 WIRE-R1 come back as they went, NULL and empty text apart', () => {
    for (const change of changes) {
      const wire = wireChangeSchema.parse(JSON.parse(JSON.stringify(encodeChange(change))))
      expect(decodeChange(wire)).toEqual(change)
    }
  })

  it('CAP-13 escape in COPY lines what COPY would misread', () => {
    expect(encodeCopyLine(['a', 'b', 'c'], { a: 'x\ty\\\n', b: null, c: '' })).toBe('x\\ty\\\\\\n\t\\N\t\n')
  })
})
