import { describe, expect, it } from 'vitest'
import { isTouched, readNotice } from './notice.ts'

describe('notices', () => {
  it('reads a table, its keys, and a change of the schema', () => {
    expect(readNotice('{"xact":"731","table":"16400"}')).toEqual({ xact: 731, table: 16400, keys: {} })
    expect(readNotice('{"xact":731,"table":16400,"keys":{"id":[7,-8],"org":null}}').keys).toEqual({
      id: [7, -8],
      org: null,
    })
    expect(readNotice('{"xact":731,"schema":true}')).toEqual({ xact: 731, table: null, keys: {} })
  })

  it('touches a query unless some column that it holds to one value has no such value in it', () => {
    const filters = [
      { column: 'id', hash: 7 },
      { column: 'org', hash: 1 },
    ]
    expect(isTouched({ keys: { id: [7], org: [1, 2] } }, filters)).toBe(true)
    expect(isTouched({ keys: { id: [8], org: [1] } }, filters)).toBe(false)
    expect(isTouched({ keys: { id: [7], org: [2] } }, filters)).toBe(false)
    expect(isTouched({ keys: { id: null, org: [1] } }, filters)).toBe(true)
    expect(isTouched({ keys: { id: [7] } }, filters)).toBe(true)
    expect(isTouched({ keys: {} }, filters)).toBe(true)
    expect(isTouched({ keys: { id: [] } }, [])).toBe(true)
  })
})
