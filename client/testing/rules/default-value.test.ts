import { expect, it } from 'vitest'
import { defaultValue } from './default-value.ts'

const made = { now: () => 'the time', uuid: () => 'a uuid' }

it('computes literals, the time and uuids, and says of others that it does not know them', () => {
  const values = ["'it''s'::text", '1', '(-2)', 'true', 'NULL', 'now()', 'CURRENT_TIMESTAMP', 'gen_random_uuid()']
  const expected = ["it's", '1', '-2', 't', null, 'the time', 'the time', 'a uuid']
  expect(values.map((text) => defaultValue(text, made))).toEqual(expected)
  expect(defaultValue("lower('A')", made)).toBeUndefined()
})
