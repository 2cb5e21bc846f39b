import { expect, test } from 'vitest'
import type { Value } from './change.ts'
import { type Conversion, type Convert, conversionsOf } from './convert-values.ts'

const cents = { column: 'amount', from: 'integer', to: 'bigint', expression: 'amount * 100' }

/** Multiplies by a hundred as the database would, and refuses what is no number. */
function refusing() {
  const asked: (readonly Value[])[] = []
  const run = async (_: string, json: string): Promise<readonly Value[] | null> => {
    const values: readonly Value[] = JSON.parse(json)
    asked.push(values)
    if (values.some((value) => value !== null && Number.isNaN(Number(value)))) return null
    return values.map((value) => (value === null ? null : String(Number(value) * 100)))
  }
  return { asked, run }
}

const asking = (conversion: Conversion, values: readonly Value[]) => (convert: Convert) => {
  for (const value of values) convert(conversion, value)
}

test('MIG-R10 values of a column are converted by one query, each once, NULL among them', async () => {
  const { asked, run } = refusing()
  const conversion = [cents]
  const convert = await conversionsOf(asking(conversion, ['5', null, '5', '7']), run)
  expect(asked).toEqual([['5', null, '7']])
  expect(['5', null, '7'].map((value) => convert(conversion, value))).toEqual(['500', null, '700'])
})

test('MIG-R10 a value that is refused does not take others along', async () => {
  const { asked, run } = refusing()
  const conversion = [cents]
  const convert = await conversionsOf(asking(conversion, ['5', 'x']), run)
  expect(asked).toEqual([['5', 'x'], ['5'], ['x']])
  expect([convert(conversion, '5'), convert(conversion, 'x')]).toEqual(['500', undefined])
  const alone = await conversionsOf(asking(conversion, ['x']), run)
  expect(alone(conversion, 'x')).toBeUndefined()
})

test('MIG-R10 stages follow one another, labels between them, and what is lost stays lost', async () => {
  const { run } = refusing()
  const conversion = [{ labels: { few: '3' } }, cents, cents, { labels: { '30000': 'many' } }]
  const convert = await conversionsOf(asking(conversion, ['few', '2', 'x']), run)
  expect(['few', '2', 'x'].map((value) => convert(conversion, value))).toEqual(['many', '20000', undefined])
  const unknown = await conversionsOf(asking(null, ['2', null]), run)
  expect([unknown(null, '2'), unknown(null, null)]).toEqual([undefined, undefined])
})
