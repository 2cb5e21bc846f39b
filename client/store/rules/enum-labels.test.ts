import { describe, expect, test } from 'vitest'
import { quoteLiteral } from '../../../protocol/index.ts'
import { addedLabels } from './enum-labels.ts'

const type = (...labels: string[]) => ({
  schema: 'public',
  name: 'state',
  statement: `CREATE TYPE "public"."state" AS ENUM (${labels.map(quoteLiteral).join(', ')})`,
})

describe('the labels that an enum was given', () => {
  test('MIG-R2 stand after the one before them, or before all', () => {
    expect(addedLabels(type('a', 'c'), type('0', 'a', 'b', 'c', 'd'))).toEqual([
      { label: '0', after: null },
      { label: 'b', after: 'a' },
      { label: 'd', after: 'c' },
    ])
    expect(addedLabels(type(), type('a'))).toEqual([{ label: 'a', after: null }])
    expect(addedLabels(type('a'), type('a'))).toEqual([])
  })

  test('MIG-R2 are none where one went, changed its name or moved', () => {
    expect(addedLabels(type('a', 'b'), type('a'))).toBeNull()
    expect(addedLabels(type('a', 'b'), type('a', 'x'))).toBeNull()
    expect(addedLabels(type('a', 'b'), type('b', 'a'))).toBeNull()
  })

  test('MIG-R2 may hold quotes, commas, parentheses and backslashes', () => {
    const odd = ["it's", 'a, b', '(c)', 'd\\e', "\\'"]
    expect(addedLabels(type(...odd.slice(0, 4)), type(...odd))).toEqual([{ label: "\\'", after: 'd\\e' }])
    expect(addedLabels(type(...odd), type(...odd, 'last'))).toEqual([{ label: 'last', after: "\\'" }])
  })

  test('MIG-R2 are none of a domain', () => {
    const domain = { ...type(), statement: 'CREATE DOMAIN "public"."state" AS text' }
    expect(addedLabels(domain, domain)).toBeNull()
    expect(addedLabels(type('a'), domain)).toBeNull()
  })
})
